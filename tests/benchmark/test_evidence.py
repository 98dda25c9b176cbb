"""What came is compared with what was meant, in every part."""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from bench import mails
from bench.evidence import Evidence

NUMBER = 1_234_567


def _by_email_message(number: int, **changed: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(changed.get("name", mails.SENDER_NAME), addr_spec=mails.SENDER)
    message["To"] = changed.get("to", mails.address(number))
    message["Subject"] = changed.get("subject", mails.subject(number))
    message.set_content(changed.get("text", mails.text(number)))
    message.add_alternative(changed.get("html", mails.html(number)), subtype="html")
    return message.as_bytes()


@pytest.mark.parametrize("write", [mails.message, _by_email_message])
def test_a_mail_is_right_whoever_composed_it(write: object) -> None:
    evidence = Evidence()

    assert evidence.problem(NUMBER, write(NUMBER)) == ""  # type: ignore[operator]
    assert evidence.problem(NUMBER + 1, write(NUMBER + 1)) == ""  # type: ignore[operator]


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("sender's name", {"name": "Somebody"}),
        ("recipient", {"to": mails.address(NUMBER + 1)}),
        ("subject", {"subject": mails.subject(NUMBER + 1)}),
        ("text", {"text": mails.text(NUMBER) + "more"}),
        ("page", {"html": mails.html(NUMBER).replace("Hangzhou", "Suzhou", 1)}),
    ],
)
def test_what_was_changed_is_told(what: str, changed: dict[str, str]) -> None:
    evidence = Evidence()
    assert evidence.problem(NUMBER + 9, _by_email_message(NUMBER + 9)) == ""

    assert evidence.problem(NUMBER, _by_email_message(NUMBER, **changed)).startswith(f"{what} of {NUMBER}")


def test_a_form_that_was_right_does_not_excuse_another_number_in_the_body() -> None:
    evidence = Evidence()
    assert evidence.problem(NUMBER, mails.message(NUMBER)) == ""
    mixed_up = mails.message(NUMBER + 1).replace(b"1234568 ends", b"1234569 ends")

    assert evidence.problem(NUMBER + 1, mixed_up).startswith("text of 1234568")


def test_a_template_mail_is_the_custom_mail() -> None:
    variant, values = mails.template_variant(), mails.params(NUMBER)
    filled = {"subject": variant.subject, "html": variant.html, "text": variant.text}
    for name, value in values.items():
        filled = {part: text.replace(f"%{name}%", value) for part, text in filled.items()}

    assert filled == {
        "subject": mails.subject(NUMBER), "html": mails.html(NUMBER), "text": mails.text(NUMBER)
    }  # fmt: skip


def test_a_pattern_filled_in_is_the_mail() -> None:
    filled = {part: text.replace("{number}", str(NUMBER)) for part, text in mails.pattern().items()}

    assert filled["html"] == mails.html(NUMBER)
    assert filled["text"] == mails.text(NUMBER)
    assert filled["to"] == mails.address(NUMBER)
