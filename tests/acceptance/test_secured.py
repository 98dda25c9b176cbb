"""Through a server that requires STARTTLS and AUTH; and what happens when its certificate is wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from aiosmtpd.smtp import Envelope as Received
from google.protobuf.field_mask_pb2 import FieldMask

from acceptance.world import LeapingClock, World, reading, serving
from postroom.v1 import attempt_pb2, email_pb2, mail_server_pb2, mail_server_service_pb2

USER, PASSWORD = "mailer", "pässwörd"
REQUIRED = {"tls_mode": mail_server_pb2.TLS_MODE_REQUIRED, "username": USER, "password": PASSWORD}


class Inbox:
    def __init__(self) -> None:
        self.received: list[Received] = []

    async def handle_DATA(self, server: SMTP, session: Any, received: Received) -> str:  # noqa: N802
        assert session.ssl is not None
        assert session.authenticated
        self.received.append(received)
        return "250 2.0.0 taken"


def authenticate(server: SMTP, session: Any, received: Any, mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=False)


@asynccontextmanager
async def strict_server(inbox: Inbox, tls: ssl.SSLContext) -> AsyncIterator[int]:
    def protocol() -> SMTP:
        return SMTP(
            inbox, hostname="strict.test", tls_context=tls, require_starttls=True, auth_required=True,
            authenticator=authenticate, loop=asyncio.get_running_loop(),
        )  # fmt: skip

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return authority, tmp_path / "ca.pem"


def certified(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
async def trusting(
    database: str, transport: str, clock: LeapingClock, authority: tuple[trustme.CA, Path]
) -> AsyncIterator[World]:
    """A server that trusts the authority for SMTP."""
    async with serving(database, transport, clock=clock, smtp_ca_file=authority[1]) as world:
        await world.furnish()
        yield world


async def test_mail_goes_through_starttls_and_auth(
    trusting: World, authority: tuple[trustme.CA, Path]
) -> None:
    inbox = Inbox()
    async with strict_server(inbox, certified(authority[0])) as port:
        await trusting.add_server(port, **REQUIRED)
        email = await trusting.settled(await trusting.send(subject="您好"))
    assert email.state == email_pb2.EMAIL_STATE_SUCCESS
    assert email.attempts[0].tls_version in ("TLSv1.2", "TLSv1.3")
    (received,) = inbox.received
    assert received.rcpt_tos == ["ann@example.com"]
    assert isinstance(received.content, bytes)
    assert reading(received.content)["Subject"] == "您好"


@pytest.mark.parametrize("wrong", ["of a stranger", "for another host"])
async def test_with_a_wrong_certificate_nothing_is_sent_and_the_mail_waits(
    trusting: World, authority: tuple[trustme.CA, Path], wrong: str
) -> None:
    inbox = Inbox()
    stranger = certified(trustme.CA())
    contexts = {"of a stranger": stranger, "for another host": certified(authority[0], "else.test")}
    async with strict_server(inbox, contexts[wrong]) as port:
        server = await trusting.add_server(port, **REQUIRED)
        email_id = await trusting.send()
        email = await trusting.once(email_id, lambda email: len(email.attempts) >= 1)
        for tries in range(2, 6):
            trusting.clock.leap(60_000)
            email = await trusting.once(email_id, lambda email, n=tries: len(email.attempts) >= n)
        assert {attempt.phase for attempt in email.attempts} == {attempt_pb2.SMTP_PHASE_TLS}
        assert "certificate" in email.attempts[0].reply
        breaker = (await trusting.server(server)).breaker
        assert (breaker.failure_count, breaker.phase) == (5, attempt_pb2.SMTP_PHASE_TLS)
        assert breaker.reopen_time.ToMilliseconds() > 0
        assert email.recipients[0].tries == 0
    assert (inbox.received, email.state) == ([], email_pb2.EMAIL_STATE_PENDING)


async def test_wrong_credentials_open_the_breaker_at_once_and_are_tried_anew_when_mended(
    trusting: World, authority: tuple[trustme.CA, Path]
) -> None:
    inbox = Inbox()
    async with strict_server(inbox, certified(authority[0])) as port:
        server = await trusting.add_server(port, **{**REQUIRED, "password": "wrong"})
        email_id = await trusting.send()
        email = await trusting.once(email_id, lambda email: bool(email.attempts))
        breaker = (await trusting.server(server)).breaker
        assert (breaker.state, breaker.failure_count) == (mail_server_pb2.BREAKER_STATE_OPEN, 1)
        assert (email.attempts[0].phase, email.attempts[0].code) == (attempt_pb2.SMTP_PHASE_AUTH, 535)
        update = mail_server_service_pb2.UpdateMailServerRequest(
            mail_server=mail_server_pb2.MailServer(id=server, password=PASSWORD),
            update_mask=FieldMask(paths=["password"]),
        )
        await trusting.call("UpdateMailServer", update)
        # New mail does not wait for the breaker of the old password.
        assert (await trusting.settled(await trusting.send())).state == email_pb2.EMAIL_STATE_SUCCESS
    assert len(inbox.received) == 1
