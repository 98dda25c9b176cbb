"""A8: STARTTLS stripped, bytes injected before the handshake, the wrong certificate; and what works."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from peers.smtp_letters import endpoint_of, envelope, send
from peers.smtp_peer import OFFERS, Script, SmtpPeer, hang_up, silence, then
from postroom_server.smtp import Connection, Level, Phase, TlsMode, Transaction
from postroom_server.smtp.certificates import context_for

WITH_AUTH = (*OFFERS, "AUTH PLAIN")
USER = {"username": "mailer", "password": "hunter2"}


def stopped_at_tls(transaction: Transaction, peer: SmtpPeer, phase: Phase = Phase.TLS) -> None:
    assert (transaction.phase, transaction.level) == (phase, Level.CONNECTION)
    assert transaction.tls_version == ""
    assert not any(command.startswith(("MAIL", "AUTH")) for command in peer.commands)
    assert peer.messages == []


@pytest.mark.parametrize(
    ("mode", "from_the_start"),
    [(TlsMode.REQUIRED, False), (TlsMode.OPPORTUNISTIC, False), (TlsMode.IMPLICIT, True)],
)
async def test_a_verified_line_carries_credentials_and_mail(
    certificates: Any, mode: TlsMode, from_the_start: bool
) -> None:
    script = Script(offers=WITH_AUTH, tls=certificates.server, tls_from_the_start=from_the_start)
    async with SmtpPeer(script) as peer:
        transaction = await send(peer, tls=mode, ca_file=certificates.ca_file, **USER)
    assert transaction.level is Level.NONE
    assert transaction.tls_version in ("TLSv1.2", "TLSv1.3")
    assert len(peer.messages) == 1
    assert any(command.startswith("AUTH PLAIN") for command in peer.commands)
    assert peer.commands.count("EHLO postroom.test") == (1 if from_the_start else 2)


async def test_a_big_message_goes_through_tls(certificates: Any) -> None:
    message = (b"x" * 70 + b"\r\n") * 60_000
    async with SmtpPeer(Script(tls=certificates.server)) as peer:
        transaction = await send(
            peer, envelope(message=message), tls=TlsMode.REQUIRED, ca_file=certificates.ca_file
        )
    assert transaction.level is Level.NONE
    assert peer.messages == [message + b".\r\n"]


async def test_a8_a_stripped_starttls_stops_everything() -> None:
    async with SmtpPeer(Script(offers=WITH_AUTH)) as peer:
        transaction = await send(peer, tls=TlsMode.REQUIRED, **USER)
    stopped_at_tls(transaction, peer, Phase.STARTTLS)
    assert transaction.error == "TLS is required and the server does not offer STARTTLS"


@pytest.mark.parametrize("code", [421, 454, 500, 501])
@pytest.mark.parametrize("mode", [TlsMode.REQUIRED, TlsMode.OPPORTUNISTIC])
async def test_a8_a_refused_starttls_stops_everything(certificates: Any, code: int, mode: TlsMode) -> None:
    async with SmtpPeer(Script({"STARTTLS": f"{code} no"}, tls=certificates.server)) as peer:
        transaction = await send(peer, tls=mode, ca_file=certificates.ca_file)
    stopped_at_tls(transaction, peer, Phase.STARTTLS)
    assert transaction.final is not None
    assert transaction.final.code == code


@pytest.mark.parametrize(
    "injection",
    [
        b"220 go\r\n250 injected\r\n",
        b"220 go\r\n2",
        b"220 go\r\n250-a\r\n250 AUTH PLAIN\r\n220 x\r\n221 y\r\n",
    ],
)
@pytest.mark.parametrize("mode", [TlsMode.REQUIRED, TlsMode.OPPORTUNISTIC])
async def test_a8_bytes_before_the_handshake_stop_everything(
    certificates: Any, injection: bytes, mode: TlsMode
) -> None:
    async with SmtpPeer(Script({"STARTTLS": injection}, tls=certificates.server)) as peer:
        transaction = await send(peer, tls=mode, ca_file=certificates.ca_file)
    stopped_at_tls(transaction, peer)


async def test_a8_a_greeting_before_implicit_tls_stops_everything() -> None:
    async with SmtpPeer() as peer:  # speaks plaintext where TLS is expected
        transaction = await send(peer, tls=TlsMode.IMPLICIT)
    stopped_at_tls(transaction, peer)


@pytest.mark.parametrize("which", ["stranger", "other_host"])
@pytest.mark.parametrize(
    ("mode", "from_the_start", "user"),
    [
        (TlsMode.REQUIRED, False, {}),
        (TlsMode.IMPLICIT, True, {}),
        (TlsMode.OPPORTUNISTIC, False, USER),
    ],
)
async def test_a8_a_wrong_certificate_stops_everything(
    certificates: Any, which: str, mode: TlsMode, from_the_start: bool, user: dict[str, str]
) -> None:
    script = Script(offers=WITH_AUTH, tls=getattr(certificates, which), tls_from_the_start=from_the_start)
    async with SmtpPeer(script) as peer:
        transaction = await send(peer, tls=mode, ca_file=certificates.ca_file, **user)
    stopped_at_tls(transaction, peer)
    assert transaction.error.startswith("TLS: certificate refused: ")


async def test_a_certificate_of_the_systems_own_authorities_is_asked_for_without_a_ca_file(
    certificates: Any,
) -> None:
    async with SmtpPeer(Script(tls=certificates.server)) as peer:
        transaction = await send(peer, tls=TlsMode.REQUIRED)
    stopped_at_tls(transaction, peer)


@pytest.mark.parametrize("verified", [True, False])
def test_tls_older_than_1_2_is_not_spoken(certificates: Any, verified: bool) -> None:
    context = context_for(certificates.ca_file, verified=verified)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.check_hostname is verified
    assert context.verify_mode is (ssl.CERT_REQUIRED if verified else ssl.CERT_NONE)


def test_a_renewed_ca_file_is_read_again(certificates: Any, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(Path(certificates.ca_file).read_bytes())
    first = context_for(str(ca_file), verified=True)
    assert context_for(str(ca_file), verified=True) is first
    trustme.CA().cert_pem.write_to_path(str(ca_file))
    os.utime(ca_file, ns=(1, 1))
    renewed = context_for(str(ca_file), verified=True)
    assert renewed.get_ca_certs() != first.get_ca_certs()


async def test_a_handshake_that_never_ends_is_given_up() -> None:
    async with SmtpPeer(Script({"STARTTLS": then("220 go", silence)}, ("STARTTLS",))) as peer:
        transaction = await send(peer, tls=TlsMode.REQUIRED, patience={"connect": 0.3})
    stopped_at_tls(transaction, peer)
    assert "handshake" in transaction.error


@pytest.mark.parametrize("mode", [TlsMode.REQUIRED, TlsMode.OPPORTUNISTIC])
async def test_a_line_lost_instead_of_a_handshake_is_a_matter_of_the_connection(mode: TlsMode) -> None:
    async with SmtpPeer(Script({"STARTTLS": then("220 go", hang_up)}, ("STARTTLS",))) as peer:
        transaction = await send(peer, tls=mode)
        stopped_at_tls(transaction, peer)
        await peer.until_ended()


async def test_what_was_offered_before_the_handshake_is_forgotten(certificates: Any) -> None:
    inside = ("SIZE 1000",)
    async with SmtpPeer(Script(offers=WITH_AUTH, offers_inside_tls=inside, tls=certificates.server)) as peer:
        transaction = await send(peer, tls=TlsMode.REQUIRED, ca_file=certificates.ca_file, **USER)
    assert (transaction.phase, transaction.level) == (Phase.AUTH, Level.CONNECTION)
    assert not any(command.startswith("AUTH") for command in peer.commands)


async def test_opportunistic_without_credentials_takes_any_certificate(certificates: Any) -> None:
    async with SmtpPeer(Script(tls=certificates.stranger)) as peer:
        transaction = await send(peer, tls=TlsMode.OPPORTUNISTIC)
    assert transaction.level is Level.NONE
    assert transaction.tls_version


async def test_opportunistic_goes_on_in_plaintext_where_nothing_is_offered() -> None:
    async with SmtpPeer() as peer:
        transaction = await send(peer, tls=TlsMode.OPPORTUNISTIC)
    assert transaction.level is Level.NONE
    assert transaction.tls_version == ""


async def test_opportunistic_does_not_send_credentials_in_plaintext() -> None:
    async with SmtpPeer(Script(offers=WITH_AUTH)) as peer:
        transaction = await send(peer, tls=TlsMode.OPPORTUNISTIC, **USER)
    assert (transaction.phase, transaction.level) == (Phase.AUTH, Level.CONNECTION)
    assert transaction.error == "credentials are not sent without TLS"
    assert peer.commands == ["EHLO postroom.test"]


async def test_off_stays_in_plaintext_whatever_is_offered(certificates: Any) -> None:
    async with SmtpPeer(Script(offers=WITH_AUTH, tls=certificates.server)) as peer:
        transaction = await send(peer, tls=TlsMode.OFF, **USER)
    assert transaction.level is Level.NONE
    assert "STARTTLS" not in peer.commands
    assert any(command.startswith("AUTH") for command in peer.commands)


@pytest.mark.parametrize("content", [None, "not a certificate"])
async def test_a_ca_file_that_cannot_be_used_is_told_and_stops_everything(
    certificates: Any, tmp_path: Path, content: str | None
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    async with SmtpPeer(Script(tls=certificates.server)) as peer:
        transaction = await send(peer, tls=TlsMode.REQUIRED, ca_file=str(ca_file))
    stopped_at_tls(transaction, peer)
    assert transaction.error.startswith("ca_file cannot be used: ")


async def test_a_tls_line_is_used_again(certificates: Any) -> None:
    async with SmtpPeer(Script(tls=certificates.server)) as peer:
        connection = Connection(endpoint_of(peer, tls=TlsMode.REQUIRED, ca_file=certificates.ca_file))
        outcomes = [(await connection.send(envelope())).level for _ in range(3)]
        await connection.close()
    assert outcomes == [Level.NONE] * 3
    assert len(peer.sessions) == 1
