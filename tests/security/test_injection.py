"""Rows A1 to A7, B3 to B6: attacks through SendEmail, and what arrives where mail is read."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct

from postroom.v1 import attachment_pb2, email_pb2, email_service_pb2, template_pb2
from postroom_server.catcher import CaughtMail
from postroom_server.mail.caller import Scope
from postroom_server.store.models import ALL
from serving import ACME, Served, Told, served

__all__ = ["served"]

CUSTOM = email_service_pb2.CustomBody(html="<p>Hello</p>", text="Hello")
CONTROL = ["\r\nBcc: v@evil.example", "\nBcc: v@evil.example", "\r", "\0", "\x1b", "\x85", "\u2028", "\u2029"]


class Attack:
    """A token of ACME, a server that catches, and a template that greets by name."""

    def __init__(self, served: Served, secret: str) -> None:
        self.served, self.secret = served, secret
        self.arrived = 0

    async def send(self, **fields: Any) -> Told:
        if "template" not in fields:
            fields = {"subject": "Hi", "custom": CUSTOM, **fields}
        return await self.served.call(
            "EmailService.SendEmail", self.secret, **{"to": ["ann@example.com"], **fields}
        )

    async def received(self, **fields: Any) -> list[tuple[CaughtMail, EmailMessage]]:
        """Sends, and waits until it has arrived: all that has arrived so far."""
        told = await self.send(**fields)
        listed = await self.served.call("EmailService.ListRecipients", self.secret, email_id=told.message.id)
        self.arrived += len(listed.message.recipients)
        mails = self.served.catcher.mails
        await self.served.until(lambda: sum(len(mail.recipients) for mail in mails) >= self.arrived)
        return [(mail, _parsed(mail.message)) for mail in mails]

    async def define(self, subject: str, html: str, name: str = "greet") -> None:
        variant = template_pb2.Variant(language="en", subject=subject, html=html)
        made = template_pb2.Template(
            invoke_name=name,
            name=name,
            kind=template_pb2.TEMPLATE_KIND_TRIGGER,
            content=template_pb2.TemplateContent(default_language="en", variants=[variant]),
        )
        told = await self.served.call("TemplateService.CreateTemplate", self.secret, template=made)
        assert told.code == "OK", told

    async def greet(self, **params: Any) -> Told:
        values = Struct()
        values.update(params)
        return await self.send(template=email_service_pb2.TemplateBody(invoke_name="greet", params=values))

    async def emails(self) -> int:
        return (await self.served.store.read(_counts))["email"]


def _counts() -> dict[str, int]:
    return {model._meta.table_name: model.select().count() for model in ALL}


def _parsed(message: bytes) -> EmailMessage:
    read = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    return read


@pytest.fixture
async def attack(served: Served) -> Attack:
    await served.add_server(ACME, from_address="noreply@acme.example")
    return Attack(served, await served.token("attacker", ACME, set(Scope) - {Scope.PLATFORM}))


PLACES: list[tuple[Callable[[str], dict[str, Any]], str]] = [
    (lambda t: {"subject": f"Hi{t}"}, "subject"),
    (lambda t: {"from_name": f"Me{t}"}, "from_name"),
    (lambda t: {"from_address": f"me@acme.example{t}"}, "from_address"),
    (lambda t: {"to": [f"ann@example.com{t}"]}, "to[0]"),
    (lambda t: {"cc": [f"ann{t}@example.com"]}, "cc[0]"),
    (lambda t: {"bcc": [f"{t}ann@example.com"]}, "bcc[0]"),
    (lambda t: {"reply_to": [f"ann@example.com{t}"]}, "reply_to[0]"),
    (lambda t: {"headers": {"X-A": f"v{t}"}}, "headers['X-A']"),
    (
        lambda t: {"attachments": [attachment_pb2.Attachment(name=f"a{t}", content=b"")]},
        "attachments[0].name",
    ),
    (lambda t: {"labels": {"a": f"v{t}"}}, "labels['a']"),
    (lambda t: {"out_id": f"o{t}"}, "out_id"),
    (lambda t: {"request_id": f"r{t}"}, "request_id"),
]


@pytest.mark.parametrize("text", CONTROL)
async def test_a1_control_characters_are_refused_naming_the_field(attack: Attack, text: str) -> None:
    for fields, path in PLACES:
        told = await attack.send(**fields(text))
        assert (told.code, told.fields) == ("INVALID_ARGUMENT", [path])
    together: dict[str, Any] = {}
    for fields, _ in PLACES:
        together |= fields(text)
    assert sorted((await attack.send(**together)).fields) == sorted(path for _, path in PLACES)
    assert await attack.emails() == 0


HIDDEN = "=?utf-8?q?x=0D=0ABcc:_v@evil.example?="


async def test_a2_encoded_words_of_callers_are_read_as_they_were_written(attack: Attack) -> None:
    ((caught, read),) = await attack.received(
        subject=f"S {HIDDEN}",
        from_name=f"N {HIDDEN}",
        headers={"X-A": f"H {HIDDEN}"},
        attachments=[attachment_pb2.Attachment(name=f"F {HIDDEN}".replace("/", ""), content=b"x")],
    )
    assert (caught.sender, caught.recipients) == ("noreply@acme.example", ("ann@example.com",))
    assert read["Subject"] == f"S {HIDDEN}"
    assert read["From"].addresses[0].display_name == f"N {HIDDEN}"
    assert read["X-A"] == f"H {HIDDEN}"
    assert [part.get_filename() for part in read.iter_attachments()] == [f"F {HIDDEN}"]
    assert sorted(read.keys()) == [
        "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To", "X-A",
    ]  # fmt: skip


async def test_a2_encoded_words_in_addresses_and_strict_headers_are_refused(attack: Attack) -> None:
    told = await attack.send(to=[f"{HIDDEN}@example.com"], headers={"In-Reply-To": HIDDEN})
    assert told.fields == ["to[0]", "headers['In-Reply-To']"]


@pytest.mark.parametrize("text", ["a\r\nBcc: v@evil.example", "a\nb", "a\0b", "a\u2028b"])
async def test_a3_parameters_do_not_break_out_of_the_subject(attack: Attack, text: str) -> None:
    await attack.define("Hi %name%", "<p>%name%</p>")
    told = await attack.greet(name=text)
    assert (told.code, told.reason, told.fields) == (
        "INVALID_ARGUMENT", "UNSAFE_CONTENT", ["template.params"],
    )  # fmt: skip
    assert await attack.emails() == 0


async def test_a3_an_encoded_word_in_a_parameter_is_read_as_it_was_written(attack: Attack) -> None:
    await attack.define("Hi %name%", "<p>%name%</p>")
    values = Struct()
    values.update({"name": HIDDEN})
    template = email_service_pb2.TemplateBody(invoke_name="greet", params=values)
    ((_, read),) = await attack.received(template=template)
    assert (read["Subject"], read["Bcc"]) == (f"Hi {HIDDEN}", None)


@pytest.mark.parametrize(
    "name",
    ["Bcc", "Sender", "Return-Path", "Received", "Content-Type", "DKIM-Signature", "X-Postroom-Id", "a b"],
)
async def test_a4_callers_set_headers_of_the_list_only(attack: Attack, name: str) -> None:
    told = await attack.send(headers={name: "v", "X-Fine": "v"})
    assert told.fields == [f"headers[{name!r}]"]


@pytest.mark.parametrize("mode", [email_pb2.COPY_MODE_SEPARATE, email_pb2.COPY_MODE_SHARED])
async def test_a5_bcc_is_in_no_message(attack: Attack, mode: Any) -> None:
    mails = await attack.received(
        to=["ann@example.com", "bob@example.com"],
        cc=["cc@example.com"],
        bcc=["hidden@example.com"],
        copy_mode=mode,
    )
    assert sum("hidden@example.com" in caught.recipients for caught, _ in mails) == 1
    assert all(b"hidden@" not in caught.message for caught, _ in mails)
    assert all(read["Bcc"] is None for _, read in mails)


async def test_a5_separate_copies_name_their_own_reader_only(attack: Attack) -> None:
    people = [f"user{n}@example.com" for n in range(5)]
    mails = await attack.received(to=people)
    assert sorted(caught.recipients for caught, _ in mails) == [(address,) for address in people]
    for caught, read in mails:
        assert read["To"] == caught.recipients[0]
        others = set(people) - set(caught.recipients)
        assert not [other for other in others if other.encode() in caught.message]


SMUGGLED = "MAIL FROM:<a@evil.example>\r\nRCPT TO:<v@evil.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx"


def smuggling(end: str) -> email_service_pb2.CustomBody:
    text = f"before{end}{SMUGGLED}{end}after\r\n.\r\n..\r\n."
    return email_service_pb2.CustomBody(text=text, html=f"<pre>{text}</pre>")


@pytest.mark.parametrize("end", ["\r\n.\r\n", "\n.\n", "\r.\r", "\r\n.\r", "\n.\r\n", "\r\n.\n"])
async def test_a6_a_text_is_one_message_whatever_it_says(attack: Attack, end: str) -> None:
    await attack.received(custom=smuggling(end))
    # Whatever came with it would have come before the next one.
    mails = await attack.received(subject="last", to=["ann@example.com"])
    assert [read["Subject"] for _, read in mails] == ["Hi", "last"]
    assert [caught.recipients for caught, _ in mails] == [("ann@example.com",)] * 2
    body = mails[0][1].get_body(("plain",))
    assert body is not None
    assert "Subject: smuggled" in body.get_content()
    assert body.get_content().splitlines()[-3:] == [".", "..", "."]


async def test_a6_nul_is_refused(attack: Attack) -> None:
    told = await attack.send(custom=smuggling("\r\n\0.\r\n"))
    assert (told.reason, told.fields) == ("UNSAFE_CONTENT", ["custom.html", "custom.text"])


BESIDE_ADDRESSES = """
"a> ORCPT=x"@example.com|a@example.com> NOTIFY=NEVER|<a@example.com>|a@example.com SIZE=1|A <a@example.com>
a@example.com, b@example.com|a@example.com;b@example.com|a(x)@example.com|a@[127.0.0.1]|a@b@example.com|a%b@
@relay.example:a@example.com
"""


@pytest.mark.parametrize("text", BESIDE_ADDRESSES.strip().replace("\n", "|").split("|"))
async def test_a7_an_address_is_an_address_and_nothing_beside(attack: Attack, text: str) -> None:
    for field in ("to", "cc", "bcc", "reply_to"):
        told = await attack.send(**{field: [text]})
        assert told.fields == [f"{field}[0]"]
    assert (await attack.send(from_address=text)).fields == ["from_address"]
    assert await attack.emails() == 0


async def test_a7_the_envelope_carries_exactly_the_checked_address(attack: Attack) -> None:
    ((caught, _),) = await attack.received(to=["Ann.O'Hara+x=y@EXAMPLE.com"])
    assert caught.recipients == ("Ann.O'Hara+x=y@example.com",)


async def test_b3_values_do_not_change_the_markup(attack: Attack) -> None:
    await attack.define("Hi", '<p title="%name%">%name%</p>')
    values = Struct()
    values.update({"name": "\"><script>alert('x')</script>&amp;"})
    template = email_service_pb2.TemplateBody(invoke_name="greet", params=values)
    ((_, read),) = await attack.received(template=template)
    html = read.get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()
    assert html.get_content().count("&lt;script&gt;") == 2


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "\tjava\nscript:x", "data:text/html,x", "vbscript:x"]
)
async def test_b3_links_do_not_lead_astray(attack: Attack, link: str) -> None:
    await attack.define("Hi", '<a href="%url%">x</a>')
    told = await attack.greet(url=link)
    assert (told.reason, told.fields) == ("UNSAFE_CONTENT", ["template.params"])


async def test_b4_values_are_not_read_again(attack: Attack) -> None:
    await attack.define("%a% %b%", "<p>%a%</p>")
    values = Struct()
    values.update({"a": "%b%", "b": "secret"})
    template = email_service_pb2.TemplateBody(invoke_name="greet", params=values)
    ((_, read),) = await attack.received(template=template)
    assert read["Subject"] == "%b% secret"


async def test_b5_missing_and_unknown_values_are_all_named(attack: Attack) -> None:
    await attack.define("%a% %b%", "<p>%c%</p>")
    told = await attack.greet(b=None, d="unused")
    assert (told.reason, sorted(told.fields)) == (
        "TEMPLATE_VARIABLE_INVALID", [f"template.params.{name}" for name in "abcd"],
    )  # fmt: skip


async def test_b6_the_version_at_accept_is_the_one_that_leaves(attack: Attack) -> None:
    await attack.define("First %n%", "<p>x</p>")
    assert (await attack.greet(n="1")).code == "OK"
    variant = template_pb2.Variant(language="en", subject="Second %n%", html="<p>x</p>")
    changed = template_pb2.Template(
        invoke_name="greet",
        content=template_pb2.TemplateContent(default_language="en", variants=[variant]),
    )
    told = await attack.served.call(
        "TemplateService.UpdateTemplate", attack.secret, template=changed, update_mask={"paths": ["content"]}
    )
    assert told.code == "OK", told
    assert (await attack.greet(n="2")).code == "OK"
    caught = await attack.served.until_caught(2)
    assert sorted(_parsed(mail.message)["Subject"] for mail in caught) == ["First 1", "Second 2"]
