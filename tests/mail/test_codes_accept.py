"""A code mail as it is accepted: its rows, its validity, its copies, its preview, and what is refused."""

from __future__ import annotations

import dataclasses
import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest

from accepting import templated
from fakes import NOON
from peers.configuration import ACME, AUTHOR, content, template
from postroom_server.clock import DAY, HOUR, MINUTE, SECOND
from postroom_server.mail.audience import Audience, AudienceType
from postroom_server.mail.draft import CopyMode, CustomBody, Draft, TemplateBody
from postroom_server.mail.limits import Limits
from postroom_server.mail.preview import preview
from postroom_server.mail.template_form import ContentForm, VariantForm
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Code, CodeGuess, Delivery, Email, Lane, Recipient
from postroom_server.store.opening import OpenDatabase
from sent_codes import ANN, SentCodes, code_mail

BOB = "bob@example.com"
CODED = content("%verificationCode% for %name%", "<p>%name%: %verificationCode%</p>")


@pytest.fixture
async def world(opened: OpenDatabase) -> SentCodes:
    return await SentCodes(opened).prepare()


async def refusal_of(world: SentCodes, made: Draft) -> Refusal:
    before = await world.counts()
    with pytest.raises(Refusal) as caught:
        await world.accept(made)
    assert await world.counts() == before
    return caught.value


async def shown(world: SentCodes, made: Draft) -> list[EmailMessage]:
    made = dataclasses.replace(made, validate_only=True, fingerprint=b"f" * 32)
    checked = world.acceptance.check(AUTHOR, made)
    result = await world.store.read(preview, world.acceptance, world.memory, AUTHOR, checked)
    parsed = [email.message_from_bytes(copy.message, policy=email.policy.default) for copy in result.copies]
    assert all(isinstance(message, EmailMessage) for message in parsed)
    return parsed  # type: ignore[return-value]


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


async def test_d4_a_code_row_holds_what_the_code_is_made_of_and_not_the_code(world: SentCodes) -> None:
    email_id = await world.send("Ann@Example.COM", BOB, cc=("cc@x.test",))
    first, second = await world.rows(Code)
    (to_ann, to_bob, _) = await world.rows(Delivery)
    row = dict(first.__data__)
    assert len(row.pop("nonce")) == 16
    assert row.pop("id") > email_id
    assert row == {
        "tenant_id": ACME,
        "biz_key": "SIGNIN",
        "address_key": "ann@example.com",
        "email_id": email_id,
        "delivery_id": to_ann.id,
        "key_id": world.maker.key_id,
        "validity": 300 * SECOND,
        "create_time": NOON,
        "hand_over_time": None,
        "consume_time": None,
    }
    assert (second.address_key, second.delivery_id) == (BOB, to_bob.id)
    assert first.nonce != second.nonce
    assert await world.rows(CodeGuess) == []


@pytest.mark.parametrize("mode", list(CopyMode))
async def test_d4_everybody_gets_a_copy_of_their_own_even_where_one_was_asked_for(
    world: SentCodes, mode: CopyMode
) -> None:
    await world.send(ANN, BOB, cc=("cc@x.test",), bcc=("bcc@x.test",), copy_mode=mode)
    deliveries = await world.rows(Delivery)
    recipients = await world.rows(Recipient)
    by_delivery = [
        [(each.role, each.address) for each in recipients if each.delivery_id == delivery.id]
        for delivery in deliveries
    ]
    assert by_delivery == [[("TO", ANN)], [("TO", BOB)], [("CC", "cc@x.test"), ("BCC", "bcc@x.test")]]
    assert [delivery.lane for delivery in deliveries] == [Lane.URGENT] * 3
    # Whatever comes in between, nobody gets a second copy of a code.
    assert [delivery.at_most_once for delivery in deliveries] == [True] * 3
    assert [code.delivery_id for code in await world.rows(Code)] == [each.id for each in deliveries[:2]]
    (row,) = await world.rows(Email)
    assert (row.separate, row.verification) == (True, True)


@pytest.mark.parametrize(
    ("by_request", "by_template", "validity"),
    [
        (None, None, 200 * SECOND),
        (None, MINUTE, MINUTE),
        (SECOND, MINUTE, SECOND),
        (DAY, MINUTE, DAY),
        (DAY, None, DAY),
    ],
)
async def test_d6_validity_is_the_requests_else_the_templates_else_the_settings(
    opened: OpenDatabase, by_request: int | None, by_template: int | None, validity: int
) -> None:
    world = await SentCodes(opened, Limits(code_validity=200 * SECOND)).prepare()
    await world.new_template(template(body=dataclasses.replace(CODED, validity=by_template)))
    email_id = await world.send(
        body=TemplateBody("welcome", {"name": "Ann"}),
        subject="",
        validity=by_request,
        schedule_time=NOON + HOUR,
    )
    (code,) = await world.rows(Code)
    (row,) = await world.rows(Email)
    assert (code.validity, row.validity) == (validity, validity)
    # A code that comes too late is of no use: the mail is not tried for longer than its code would be valid.
    assert (row.id, row.expire_time) == (email_id, NOON + HOUR + validity)
    assert {each.expire_time for each in await world.rows(Delivery)} == {row.expire_time}


@pytest.mark.parametrize("validity", [SECOND, 300 * SECOND, DAY])
async def test_d6_validity_is_a_second_to_a_day(world: SentCodes, validity: int) -> None:
    await world.send(validity=validity)


@pytest.mark.parametrize("validity", [-SECOND, 0, 1, 999, 1500, DAY - 1, DAY + 1, DAY + SECOND, 10**18])
async def test_d6_validity_is_no_less_no_more_and_in_whole_seconds(world: SentCodes, validity: int) -> None:
    refusal = await refusal_of(world, code_mail(validity=validity))
    assert [(each.field, each.reason) for each in refusal.violations] == [
        ("verification.validity", Reason.INVALID_FIELD)
    ]


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"biz_key": ""}, "biz_key", Reason.BIZ_KEY_REQUIRED),
        ({"biz_key": "signin"}, "biz_key", Reason.INVALID_FIELD),
        ({"to": (), "cc": (ANN,)}, "to", Reason.NO_RECIPIENTS),
        ({"to": (), "bcc": (ANN,)}, "to", Reason.NO_RECIPIENTS),
        ({"to": ()}, "to", Reason.NO_RECIPIENTS),
        ({"to": (), "audience": Audience(AudienceType.ALL)}, "audience", Reason.INVALID_FIELD),
        ({"biz_key": "", "subject": "", "body": TemplateBody("x")}, "biz_key", Reason.BIZ_KEY_REQUIRED),
        ({"biz_key": "", "subject": "", "body": TemplateBody()}, "biz_key", Reason.BIZ_KEY_REQUIRED),
    ],
    ids=str,
)
async def test_d5_a_code_needs_a_purpose_and_an_address(
    world: SentCodes, changes: dict[str, Any], field: str, reason: Reason
) -> None:
    refusal = await refusal_of(world, dataclasses.replace(code_mail(), **changes))
    assert (field, reason) in [(each.field, each.reason) for each in refusal.violations]


async def test_d4_a_preview_shows_zeros_and_asterisks_in_the_place_of_the_code(world: SentCodes) -> None:
    body = CustomBody(html="<p>%verificationCode%</p>", text="It is %verificationCode%.")
    made = code_mail(ANN, BOB, cc=("cc@x.test",), body=body, subject="%verificationCode% is yours")
    first, second, masked = await shown(world, made)
    assert [message["Subject"] for message in (first, second, masked)] == [
        "000000 is yours", "000000 is yours", "****** is yours",
    ]  # fmt: skip
    assert part(first, "plain").strip() == "It is 000000."
    assert part(second, "html").strip() == "<p>000000</p>"
    assert part(masked, "plain").strip() == "It is ******."
    assert part(masked, "html").strip() == "<p>******</p>"
    assert (masked["To"], masked["Cc"]) == ("undisclosed-recipients:;", "cc@x.test")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "Verification code: 000000"),
        ({"language": "en-GB"}, "Verification code: 000000"),
        ({"language": "zh_CN"}, "验证码：000000"),
        ({"language": "zh"}, "验证码：000000"),
    ],
    ids=str,
)
async def test_a_body_without_a_place_gets_a_line_in_the_mails_language(
    world: SentCodes, changes: dict[str, Any], line: str
) -> None:
    (message,) = await shown(world, code_mail(body=CustomBody(text="Hello"), **changes))
    assert part(message, "plain").split("\n") == ["Hello", "", line, ""]
    await world.change_tenant(default_language="zh-CN")
    (message,) = await shown(
        world, code_mail(body=CustomBody(text="你好"), language=changes.get("language", ""))
    )
    spoken = line if changes else "验证码：000000"
    assert part(message, "plain").split("\n")[-2] == spoken


async def test_a_template_needs_no_parameter_for_the_code(world: SentCodes) -> None:
    await world.new_template(template(body=CODED))
    (message,) = await shown(world, templated(to=(ANN,), biz_key="SIGNIN", has_verification=True))
    assert message["Subject"] == "000000 for Ann"
    assert part(message, "html").strip() == "<p>Ann: 000000</p>"
    # Without a code it is a variable as any other.
    refusal = await refusal_of(world, templated())
    assert [each.field for each in refusal.violations] == ["template.params.verificationCode"]


@pytest.mark.parametrize(
    "given", ["999999", None, {"a": 1}, ["x"], "\r\nBcc: x@y.test", "<script>", ""], ids=repr
)
async def test_d4_a_caller_cannot_put_another_code_in_its_place(world: SentCodes, given: Any) -> None:
    await world.new_template(template(body=CODED))
    own = {"name": "Ann", "verificationCode": given}
    made = templated(
        to=(ANN, BOB), cc=("cc@x.test",), biz_key="SIGNIN", has_verification=True, params=own,
        recipient_params={BOB: {"verificationCode": given}}, copy_mode=CopyMode.SHARED,
    )  # fmt: skip
    first, second, masked = await shown(world, made)
    assert [part(each, "html").strip() for each in (first, second, masked)] == [
        "<p>Ann: 000000</p>", "<p>Ann: 000000</p>", "<p>Ann: ******</p>",
    ]  # fmt: skip


async def test_b4_a_place_that_comes_in_a_parameter_is_not_filled(world: SentCodes) -> None:
    await world.new_template(template(body=content("Hi %name%", "<p>%name% %verificationCode%</p>")))
    made = templated(
        to=(ANN,), biz_key="SIGNIN", has_verification=True, params={"name": "%verificationCode%"}
    )
    (message,) = await shown(world, made)
    assert message["Subject"] == "Hi %verificationCode%"
    assert part(message, "html").strip() == "<p>%verificationCode% 000000</p>"


async def test_a_subject_of_the_callers_own_beside_a_template_is_filled(world: SentCodes) -> None:
    await world.new_template(template(body=CODED))
    made = templated(to=(ANN,), cc=("cc@x.test",), biz_key="SIGNIN", has_verification=True)
    made = dataclasses.replace(made, subject="Your code: %verificationCode%")
    mine, masked = await shown(world, made)
    assert (mine["Subject"], masked["Subject"]) == ("Your code: 000000", "Your code: ******")


async def test_a_long_body_takes_the_line_too(world: SentCodes) -> None:
    longest = "x" * (200_000 - 1) + "\n"
    (message,) = await shown(world, code_mail(body=CustomBody(text=longest)))
    assert part(message, "plain").endswith("x\n\nVerification code: 000000\n")


SHOWN = "%verificationCode%"


@pytest.mark.parametrize(
    ("subject", "html", "text"),
    [
        ("Your code", "<p>No code.</p>", ""),
        ("Your code", f"<p>{SHOWN}</p>", "No code."),
        ("Your code", "<p>No code.</p>", SHOWN),
        ("Your code", f"<p>{SHOWN.lower()}</p>", ""),
        ("Your code", f"<p hidden>{SHOWN}</p>", ""),  # the text that is derived has none
    ],
)
async def test_a_template_that_does_not_show_the_code_is_not_sent_for_one(
    world: SentCodes, subject: str, html: str, text: str
) -> None:
    variants = (VariantForm("en", subject, html, text), VariantForm("zh-CN", "您的验证码", f"<p>{SHOWN}</p>"))
    await world.new_template(template(body=ContentForm(variants=variants)))
    body = TemplateBody("welcome", {SHOWN.lower().strip("%"): "x"}, ignores_unknown=True)
    refusal = await refusal_of(world, code_mail(body=body, subject=""))
    assert refusal.reason is Reason.TEMPLATE_VARIABLE_INVALID
    assert [violation.field for violation in refusal.violations] == ["verification"]
    await world.accept(code_mail(body=body, subject="", language="zh"))


async def test_a_subject_without_the_code_takes_the_templates_with_it_away(world: SentCodes) -> None:
    variants = (VariantForm("en", f"{SHOWN} is your code", "<p>See above.</p>"),)
    await world.new_template(template(body=ContentForm(variants=variants)))
    refusal = await refusal_of(world, code_mail(body=TemplateBody("welcome"), subject="Mine"))
    assert [violation.field for violation in refusal.violations] == ["verification"]


@pytest.mark.parametrize(
    ("subject", "html", "text", "own_subject"),
    [
        (f"{SHOWN} is your code", "<p>See above.</p>", "", ""),
        ("Your code", f"<p>{SHOWN}</p>", "", ""),
        ("Your code", f"<p>{SHOWN}</p>", f"It is {SHOWN}", ""),
        ("Your code", "", SHOWN, ""),
        ("Your code", "<p>See above.</p>", "", f"{SHOWN} is your code"),
    ],
)
async def test_a_code_may_stand_in_the_subject_or_in_every_body(
    world: SentCodes, subject: str, html: str, text: str, own_subject: str
) -> None:
    await world.new_template(template(body=ContentForm(variants=(VariantForm("en", subject, html, text),))))
    await world.accept(code_mail(body=TemplateBody("welcome"), subject=own_subject))
