"""Another's server, aiosmtpd, understands us as we mean it: STARTTLS, implicit TLS, AUTH, and the bytes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from aiosmtpd.smtp import Envelope as Received
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peers.smtp_letters import PATIENCE, envelope
from postroom_server.smtp import AuthMechanism, Connection, Endpoint, Envelope, Level, Phase, Reply, TlsMode

# aiosmtpd upgrades lines in a way that only Python's own loop allows.
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])

USER, PASSWORD = "mailer", "pässwörd"
LOGIN = {"username": USER, "password": PASSWORD}


class Inbox:
    """Keeps what aiosmtpd understood."""

    def __init__(self) -> None:
        self.received: list[Received] = []

    async def handle_DATA(self, server: SMTP, session: Any, received: Received) -> str:  # noqa: N802
        self.received.append(received)
        return "250 2.0.0 taken"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, received: Received, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody"):
            return "550 5.1.1 no such mailbox"
        received.rcpt_tos.append(address)
        return "250 2.1.5 ok"


def authenticate(server: SMTP, session: Any, received: Any, mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=False)


@asynccontextmanager
async def aiosmtpd(
    inbox: Inbox, *, tls: ssl.SSLContext | None = None, implicit: bool = False, **settings: Any
) -> AsyncIterator[int]:
    def protocol() -> SMTP:
        return SMTP(
            inbox,
            hostname="oracle.test",
            enable_SMTPUTF8=True,
            tls_context=None if implicit else tls,
            authenticator=authenticate,
            loop=asyncio.get_running_loop(),
            **settings,
        )

    server = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", 0, ssl=tls if implicit else None
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def sent(port: int, what: Envelope, **settings: Any) -> Any:
    connection = Connection(Endpoint("127.0.0.1", port, timeouts=PATIENCE, **settings))
    try:
        return await connection.send(what)
    finally:
        await connection.close()
        await asyncio.sleep(0)


@pytest.mark.parametrize("mechanism", [AuthMechanism.AUTO, AuthMechanism.PLAIN, AuthMechanism.LOGIN])
async def test_a_mail_through_starttls_and_auth(certificates: Any, mechanism: AuthMechanism) -> None:
    inbox = Inbox()
    async with aiosmtpd(inbox, tls=certificates.server, require_starttls=True, auth_required=True) as port:
        transaction = await sent(
            port, envelope(), tls=TlsMode.REQUIRED, ca_file=certificates.ca_file, auth=mechanism, **LOGIN
        )
    assert transaction.level is Level.NONE
    assert transaction.tls_version == "TLSv1.3"
    assert [received.content for received in inbox.received] == [envelope().message]


async def test_a_mail_through_implicit_tls_and_auth(certificates: Any) -> None:
    inbox = Inbox()
    # aiosmtpd does not count TLS that was there from the start, so it is told to offer AUTH nevertheless.
    async with aiosmtpd(inbox, tls=certificates.server, implicit=True, auth_require_tls=False) as port:
        transaction = await sent(
            port, envelope(), tls=TlsMode.IMPLICIT, ca_file=certificates.ca_file, **LOGIN
        )
    assert transaction.level is Level.NONE
    assert len(inbox.received) == 1


async def test_wrong_credentials(certificates: Any) -> None:
    inbox = Inbox()
    async with aiosmtpd(inbox, tls=certificates.server, auth_required=True) as port:
        wrong = {**LOGIN, "password": "guess"}
        transaction = await sent(
            port, envelope(), tls=TlsMode.REQUIRED, ca_file=certificates.ca_file, **wrong
        )
    assert (transaction.phase, transaction.level) == (Phase.AUTH, Level.CONNECTION)
    assert transaction.final is not None
    assert (transaction.final.code, transaction.final.enhanced) == (535, "5.7.8")


async def test_credentials_that_are_needed_and_not_given(certificates: Any) -> None:
    async with aiosmtpd(Inbox(), tls=certificates.server, auth_required=True) as port:
        transaction = await sent(port, envelope(), tls=TlsMode.REQUIRED, ca_file=certificates.ca_file)
    assert (transaction.phase, transaction.level) == (Phase.MAIL, Level.MESSAGE)
    assert transaction.final is not None
    assert transaction.final.code == 530


async def test_the_envelope_and_every_recipients_answer() -> None:
    inbox = Inbox()
    what = Envelope(
        "me@postroom.test", ("one@peer.test", "nobody@peer.test", "two@peer.test"), "x: é\r\n".encode(),
        eight_bit=True,
    )  # fmt: skip
    async with aiosmtpd(inbox) as port:
        transaction = await sent(port, what, tls=TlsMode.OFF)
    (received,) = inbox.received
    assert (received.mail_from, received.rcpt_tos) == ("me@postroom.test", ["one@peer.test", "two@peer.test"])
    assert received.mail_options == ["SIZE=7", "BODY=8BITMIME"]
    assert transaction.level is Level.RECIPIENT
    assert transaction.replies[1] == Reply(550, "5.1.1", "no such mailbox")
    assert transaction.accepted == (True, False, True)


async def test_an_international_address() -> None:
    inbox = Inbox()
    what = envelope("用户@例子.test", smtputf8=True)
    async with aiosmtpd(inbox) as port:
        assert (await sent(port, what, tls=TlsMode.OFF)).level is Level.NONE
    assert inbox.received[0].rcpt_tos == ["用户@例子.test"]


async def test_a_message_over_the_servers_limit_is_not_begun() -> None:
    inbox = Inbox()
    async with aiosmtpd(inbox, data_size_limit=100) as port:
        transaction = await sent(port, envelope(message=b"x" * 50 + b"\r\n" + b"y" * 50), tls=TlsMode.OFF)
    assert transaction.level is Level.MESSAGE
    assert transaction.final is not None
    assert transaction.final.enhanced == "5.3.4"
    assert inbox.received == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60).map(lambda line: line.translate(None, b"\r\n\0")), max_size=20))
async def test_a6_the_bytes_arrive_as_they_were_and_once(lines: list[bytes]) -> None:
    inbox = Inbox()
    message = b"".join(line + b"\r\n" for line in lines)
    async with aiosmtpd(inbox) as port:
        transaction = await sent(port, envelope(message=message, eight_bit=True), tls=TlsMode.OFF)
    assert transaction.level is Level.NONE
    assert [received.content for received in inbox.received] == [message]
