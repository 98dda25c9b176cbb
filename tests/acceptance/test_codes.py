"""Codes from the call to the inbox and back: sent by SMTP, typed in, told (security.md D1-D6)."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections import Counter
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest
from google.protobuf.json_format import MessageToDict

from code_calls import ANN, BOB, FROM, Codes, add_template, code_in, parsed, part, templated, to
from postroom.v1 import email_pb2
from postroom_server.mail.caller import Scope
from serving import ACME, OTHER, serving


@pytest.fixture
async def codes(database: str) -> AsyncIterator[Codes]:
    async with serving(database, limit_code_interval_seconds=0) as served:
        await served.add_server(ACME, from_address=FROM)
        application = await served.token("application", scopes=(Scope.SEND, Scope.CODE))
        yield Codes(served, application, await served.token("reader"))


@pytest.mark.every_database
async def test_a_code_that_was_sent_is_right_once(codes: Codes) -> None:
    sent = (await codes.send()).message
    (mail,) = await codes.served.until_caught()
    code = code_in(mail)
    message = parsed(mail)
    assert message["Subject"] == f"{code} is your code"
    assert part(message, "html") == f"<p>Hi <b>{code}</b></p>"
    assert (await codes.settled(sent.id)).state == email_pb2.EMAIL_STATE_SUCCESS
    assert await codes.check(f"{(int(code) + 1) % 10**6:06d}") == "WRONG"
    assert await codes.check(code, "Ann@EXAMPLE.com") == "VALID"
    assert await codes.check(code) == "EXPIRED"


@pytest.mark.every_database
async def test_d3_fifty_parallel_calls_with_the_right_code_succeed_once(codes: Codes) -> None:
    sent = (await codes.send()).message
    (mail,) = await codes.served.until_caught()
    await codes.settled(sent.id)
    told = Counter(await asyncio.gather(*(codes.check(code_in(mail)) for _ in range(50))))
    assert told == {"VALID": 1, "EXPIRED": 49}


async def test_d1_five_wrong_guesses_lock_and_a_resend_does_not_help(codes: Codes) -> None:
    sent = (await codes.send()).message
    (mail,) = await codes.served.until_caught()
    await codes.settled(sent.id)
    code = code_in(mail)
    told = [await codes.check(f"{(int(code) + n) % 10**6:06d}") for n in range(1, 7)]
    assert told == ["WRONG"] * 4 + ["LOCKED"] * 2
    assert await codes.check(code) == "LOCKED"
    await codes.settled((await codes.send()).message.id)
    mails = await codes.served.until_caught(2)
    assert await codes.check(code_in(mails[1])) == "LOCKED"


async def test_d2_a_limit_is_told_with_the_address_and_when_to_come_back(database: str) -> None:
    async with serving(database) as served:
        await served.add_server(ACME, from_address=FROM)
        codes = Codes(served, await served.token("application"), "")
        await codes.send(BOB)
        told = await codes.send(ANN, BOB)
        assert (told.code, told.reason) == ("RESOURCE_EXHAUSTED", "CODE_RATE_LIMITED")
        assert ("address", BOB) in told.metadata
        assert told.retry_after is not None
        assert 50 < told.retry_after <= 60
        # Nothing was sent to the other one, who may be asked for again at once.
        assert (await codes.send(ANN)).code == "OK"


async def test_d2_limits_of_settings_reach_the_service(database: str) -> None:
    async with serving(
        database, limit_code_interval_seconds=0, limit_codes_per_hour=2, limit_code_guesses=1
    ) as served:
        await served.add_server(ACME, from_address=FROM)
        codes = Codes(served, await served.token("application"), await served.token("reader"))
        await codes.settled((await codes.send()).message.id)
        (mail,) = await served.until_caught()
        assert await codes.check(f"{(int(code_in(mail)) + 1) % 10**6:06d}") == "LOCKED"
        assert (await codes.send()).code == "OK"
        told = await codes.send()
        assert told.reason == "CODE_RATE_LIMITED"
        assert told.retry_after is not None
        assert 3500 < told.retry_after <= 3600


async def test_d5_another_tenant_cannot_check_a_code(codes: Codes) -> None:
    sent = (await codes.send()).message
    (mail,) = await codes.served.until_caught()
    await codes.settled(sent.id)
    stranger = Codes(codes.served, await codes.served.token("stranger", OTHER), "")
    assert await stranger.check(code_in(mail)) == "EXPIRED"
    asked = {"biz_key": "SIGNIN", "address": ANN, "code": code_in(mail), "tenant_id": ACME}
    told = await codes.served.call("EmailService.CheckVerificationCode", stranger.secret, **asked)
    assert (told.code, told.reason) == ("PERMISSION_DENIED", "TENANT_FORBIDDEN")
    platform = Codes(codes.served, await codes.served.token("platform", 0, scopes=tuple(Scope)), "")
    assert await platform.check(code_in(mail), tenant_id=ACME) == "VALID"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"biz_key": "signin\0"}, ["biz_key"]),
        ({"address": "Ann <ann@example.com>"}, ["address"]),
        ({"code": ""}, ["code"]),
        ({"code": "1" * 161}, ["code"]),
        ({"biz_key": "", "address": "", "code": ""}, ["biz_key", "address", "code"]),
    ],
    ids=str,
)
async def test_d5_fields_of_a_guess_are_refused_by_name(
    codes: Codes, fields: dict[str, str], wrong: list[str]
) -> None:
    asked = {"biz_key": "SIGNIN", "address": ANN, "code": "123456", **fields}
    told = await codes.served.call("EmailService.CheckVerificationCode", codes.secret, **asked)
    assert (told.code, told.fields) == ("INVALID_ARGUMENT", wrong)


@pytest.mark.parametrize("copy_mode", [email_pb2.COPY_MODE_SHARED, email_pb2.COPY_MODE_SEPARATE])
async def test_d4_everybody_gets_a_code_of_their_own_and_copies_show_asterisks(
    codes: Codes, copy_mode: int
) -> None:
    sent = (await codes.send(ANN, BOB, cc=["cc@x.test"], bcc=["bcc@x.test"], copy_mode=copy_mode)).message
    mails = await codes.served.until_caught(3)
    assert sorted(mail.recipients for mail in mails) == [(ANN,), (BOB,), ("cc@x.test", "bcc@x.test")]
    masked = parsed(to(mails, "cc@x.test"))
    assert masked["Subject"] == "****** is your code"
    assert part(masked, "plain") == "It is ******."
    assert part(masked, "html") == "<p>Hi <b>******</b></p>"
    assert (masked["Cc"], masked["Bcc"]) == ("cc@x.test", None)
    assert not any(b"bcc@x.test" in mail.message or b"bob" in to(mails, ANN).message for mail in mails)
    record = await codes.settled(sent.id)
    assert record.copy_mode == email_pb2.COPY_MODE_SEPARATE
    for address in (ANN, BOB):
        assert await codes.check(code_in(to(mails, address)), address) == "VALID"


@pytest.mark.parametrize(
    ("custom", "language", "html", "plain"),
    [
        ({"text": "Hi"}, "en", None, "Hi\n\nVerification code: {code}"),
        ({"text": "你好"}, "zh_CN", None, "你好\n\n验证码：{code}"),
        ({"html": "<p>%verificationCode%</p>"}, "", "<p>{code}</p>", None),
        (
            {"html": "<body><p>你好</p></body>"},
            "zh",
            "<body><p>你好</p><p>验证码：<strong>{code}</strong></p></body>",
            None,
        ),
        (
            {"html": "<p>Hi</p>", "text": "%verificationCode%"},
            "fr",
            "<p>Hi</p><p>Verification code: <strong>{code}</strong></p>",
            "{code}",
        ),
    ],
)
async def test_a_custom_body_always_holds_the_code(
    codes: Codes, custom: dict[str, str], language: str, html: str | None, plain: str | None
) -> None:
    sent = (await codes.send(custom=custom, language=language)).message
    (mail,) = await codes.served.until_caught()
    await codes.settled(sent.id)
    message = parsed(mail)
    code = str(message["Subject"]).split(" ")[0]
    for kind, wanted in (("html", html), ("plain", plain)):
        if wanted is not None:
            assert part(message, kind) == wanted.format(code=code)
    assert await codes.check(code) == "VALID"


async def test_d4_what_is_told_of_a_code_mail_shows_neither_content_nor_code(codes: Codes) -> None:
    await add_template(codes.served, codes.reader)
    params = {"name": "Ann", "verificationCode": "999999"}
    by_template = await codes.send(ANN, BOB, template=templated(params, {BOB: params}))
    custom = await codes.send("cy@example.com")
    mails = await codes.served.until_caught(3)
    assert "999999" not in part(parsed(to(mails, BOB)), "html")
    for sent in (by_template, custom):
        await codes.settled(sent.message.id)
    listed = await codes.served.call(
        "EmailService.ListEmails", codes.reader, view=email_pb2.EMAIL_VIEW_DETAIL, order_by="id"
    )
    got = [
        (await codes.served.call("EmailService.GetEmail", codes.reader, id=sent.message.id)).message.email
        for sent in (by_template, custom)
    ]
    for emails in (listed.message.emails, got):
        first, second = emails
        assert MessageToDict(first.content) == {
            "params": {"name": "Ann", "verificationCode": "******"},
            "recipientParams": {BOB: {"name": "Ann", "verificationCode": "******"}},
        }
        assert MessageToDict(second.content) == {"params": {"verificationCode": "******"}}
        assert (first.verification, first.validity.seconds) == (True, 300)
        assert second.subject == "%verificationCode% is your code"


async def test_d6_the_masked_copy_is_what_the_first_to_would_read(codes: Codes) -> None:
    await add_template(codes.served, codes.reader)
    asked = {
        "cc": ["cc@x.test"],
        "template": templated({"name": "everybody"}, {BOB: {"name": "Bob"}}),
    }
    shown = (await codes.send(ANN, BOB, validate_only=True, **asked)).message.preview
    await codes.send(ANN, BOB, **asked)
    mails = await codes.served.until_caught(3)
    masked = parsed(to(mails, "cc@x.test"))
    assert part(masked, "html") == "<p>everybody: ******</p>"
    previewed = email.message_from_bytes(shown.copies[2].message, policy=email.policy.default)
    assert isinstance(previewed, EmailMessage)
    assert part(previewed, "html") == part(masked, "html")
    assert part(parsed(to(mails, BOB)), "html").startswith("<p>Bob: ")


async def test_events_of_codes_are_told_like_any_other(codes: Codes) -> None:
    sent = (await codes.send(ANN, BOB)).message
    mails = await codes.served.until_caught(2)
    await codes.settled(sent.id)
    assert await codes.check(code_in(to(mails, ANN))) == "VALID"
    code = code_in(to(mails, BOB))
    for n in range(1, 6):
        await codes.check(f"{(int(code) + n) % 10**6:06d}", BOB)
    told = (await codes.served.call("EmailService.ListEvents", codes.reader)).message
    kinds = [event.kind for event in told.events]
    assert kinds.count(15) == 2  # CODE_SETTLED
    assert all(event.email_id == sent.id for event in told.events)


async def test_a_test_token_sends_nothing_and_ends_no_code(codes: Codes) -> None:
    await codes.settled((await codes.send()).message.id)
    (mail,) = await codes.served.until_caught()
    tester = Codes(codes.served, await codes.served.token("tester", test=True), codes.reader)
    tried = await codes.settled((await tester.send()).message.id)
    assert (tried.test, tried.state) == (True, email_pb2.EMAIL_STATE_SUCCESS)
    assert list(codes.served.catcher.mails) == [mail]
    # What nobody was sent cannot make the code that somebody has a dead one.
    assert await codes.check(code_in(mail)) == "VALID"
