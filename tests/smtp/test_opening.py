"""From a host name to a line: names, addresses, greetings, and logging in."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from base64 import b64encode
from typing import Any

import pytest

from peers.smtp_letters import PATIENCE, endpoint_of, envelope, send
from peers.smtp_peer import OFFERS, Script, SmtpPeer, silence
from postroom_server.smtp import (
    AuthMechanism,
    Connection,
    Endpoint,
    Level,
    NotOpened,
    Phase,
    TlsMode,
    Transaction,
    probe,
)
from postroom_server.smtp.opening import Line, Opening

BOTH_WAYS = (*OFFERS, "AUTH PLAIN LOGIN")
USER, PASSWORD = "mailer@peer.test", "pässwörd"
PLAIN = b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()


def answer_names_with(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def getaddrinfo(host: str, port: int, **how: Any) -> list[Any]:
        kinds = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(kinds[":" in address], socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)


@pytest.mark.asyncio(loop_factories=["asyncio"])  # uvloop's attributes cannot be replaced
async def test_a_name_that_cannot_be_resolved_is_a_matter_of_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def getaddrinfo(host: str, port: int, **how: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    transaction = await probe(Endpoint("mx.test", 25), envelope())
    assert (transaction.phase, transaction.level) == (Phase.RESOLVE, Level.CONNECTION)
    assert "Name or service not known" in transaction.error
    assert transaction.replies == (None,)


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_name_server_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(host: str, port: int, **how: Any) -> list[Any]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    endpoint = Endpoint("mx.test", 25, timeouts=dataclasses.replace(PATIENCE, connect=0.1))
    transaction = await probe(endpoint, envelope())
    assert (transaction.phase, transaction.error) == (Phase.RESOLVE, "the name was not resolved in time")


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_the_next_address_is_tried_when_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with SmtpPeer() as peer:
        answer_names_with(monkeypatch, "127.0.0.2", "127.0.0.1")  # nobody listens on the first
        transaction = await probe(Endpoint("mx.test", peer.port, tls=TlsMode.OFF), envelope())
    assert transaction.level is Level.NONE


async def test_a_refused_connection_is_a_matter_of_the_connection() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: refused
        transaction = await probe(Endpoint("127.0.0.1", nobody.getsockname()[1]), envelope())
    assert (transaction.phase, transaction.level) == (Phase.CONNECT, Level.CONNECTION)
    assert "127.0.0.1: " in transaction.error


async def test_a_silent_banner_is_given_up() -> None:
    async with SmtpPeer(Script({"BANNER": silence})) as peer:
        transaction = await send(peer, patience={"banner": 0.1})
    assert (transaction.phase, transaction.error) == (Phase.BANNER, "no reply within 0.1 s")


async def test_open_raises_what_send_would_tell() -> None:
    async with SmtpPeer(Script({"BANNER": "554 no"})) as peer:
        with pytest.raises(NotOpened, match="BANNER: the server refuses connections") as failure:
            await Connection(endpoint_of(peer)).open()
        assert failure.value.reply is not None
        assert failure.value.reply.code == 554
        await peer.until_ended()


@pytest.mark.parametrize(
    ("auth", "offers", "said"),
    [
        (AuthMechanism.AUTO, "AUTH PLAIN LOGIN", f"AUTH PLAIN {PLAIN}"),
        (AuthMechanism.AUTO, "AUTH CRAM-MD5 LOGIN", f"AUTH LOGIN {b64encode(USER.encode()).decode()}"),
        (AuthMechanism.AUTO, "AUTH=LOGIN", f"AUTH LOGIN {b64encode(USER.encode()).decode()}"),
        (AuthMechanism.PLAIN, "AUTH LOGIN PLAIN", f"AUTH PLAIN {PLAIN}"),
        (AuthMechanism.LOGIN, "AUTH LOGIN PLAIN", f"AUTH LOGIN {b64encode(USER.encode()).decode()}"),
    ],
)
async def test_the_mechanism_is_chosen_from_what_is_offered(
    auth: AuthMechanism, offers: str, said: str
) -> None:
    password = b64encode(PASSWORD.encode()).decode()
    answers: dict[str, Any] = {password.upper(): "235 ok"}
    answers["AUTH"] = "334 UGFzc3dvcmQ6" if "LOGIN" in said else "235 ok"
    async with SmtpPeer(Script(answers, (offers,))) as peer:
        transaction = await send(peer, auth=auth, username=USER, password=PASSWORD)
    assert transaction.level is Level.NONE
    assert peer.commands[1] == said
    assert (password in peer.commands) == ("LOGIN" in said)


@pytest.mark.parametrize("code", [421, 432, 454, 500, 504, 530, 534, 535, 538])
async def test_refused_credentials_are_a_matter_of_the_connection(code: int) -> None:
    async with SmtpPeer(Script({"AUTH": f"{code} no"}, BOTH_WAYS)) as peer:
        transaction = await send(peer, username=USER, password=PASSWORD)
    assert (transaction.phase, transaction.level) == (Phase.AUTH, Level.CONNECTION)
    assert transaction.final is not None
    assert transaction.final.code == code
    assert transaction.error == "the credentials were refused"
    assert not any(command.startswith("MAIL") for command in peer.commands)


async def test_a_server_that_asks_for_more_than_credentials_is_refused() -> None:
    async with SmtpPeer(Script({"AUTH": "334 more"}, BOTH_WAYS)) as peer:
        transaction = await send(peer, username=USER, password=PASSWORD)
    assert (transaction.phase, transaction.level) == (Phase.AUTH, Level.CONNECTION)


@pytest.mark.parametrize("auth", [AuthMechanism.AUTO, AuthMechanism.LOGIN])
async def test_without_a_mechanism_that_fits_nothing_is_said(auth: AuthMechanism) -> None:
    async with SmtpPeer(Script(offers=("AUTH CRAM-MD5 XOAUTH2",))) as peer:
        transaction = await send(peer, auth=auth, username=USER, password=PASSWORD)
    assert (transaction.phase, transaction.level) == (Phase.AUTH, Level.CONNECTION)
    assert peer.commands == ["EHLO postroom.test"]


@pytest.mark.parametrize(
    "changes", [{}, {"auth": AuthMechanism.NONE, "username": USER, "password": PASSWORD}]
)
async def test_nobody_logs_in_without_being_asked_to(changes: dict[str, Any]) -> None:
    async with SmtpPeer(Script(offers=BOTH_WAYS)) as peer:
        assert (await send(peer, **changes)).level is Level.NONE
    assert not any(command.startswith("AUTH") for command in peer.commands)


@pytest.mark.parametrize(
    "echo",
    [
        f"500 unrecognised: AUTH PLAIN {PLAIN}",
        f"535 {PASSWORD} is wrong",
        f"535 {b64encode(PASSWORD.encode()).decode()}",
    ],
)
async def test_a_server_that_quotes_credentials_does_not_get_them_into_our_records(echo: str) -> None:
    async with SmtpPeer(Script({"AUTH": echo}, BOTH_WAYS)) as peer:
        transaction = await send(peer, username=USER, password=PASSWORD)
    told = repr(transaction)
    assert "***" in told
    assert not any(secret in told for secret in (PLAIN, PASSWORD, b64encode(PASSWORD.encode()).decode()))


async def test_nothing_stays_open_when_opening_fails() -> None:
    async with SmtpPeer(Script({"AUTH": "535 no"}, BOTH_WAYS)) as peer:
        connection = Connection(endpoint_of(peer, username=USER, password=PASSWORD))
        transaction: Transaction = await connection.send(envelope())
        assert transaction.level is Level.CONNECTION
        assert not connection.is_open
        await peer.until_ended()


async def test_a_caller_that_is_cancelled_while_the_line_is_aborted_is_cancelled() -> None:
    async with SmtpPeer(Script({"BANNER": silence})) as peer:
        connection = Connection(endpoint_of(peer))
        task = asyncio.create_task(connection.send(envelope()))
        await peer.until(lambda: len(peer.sessions) == 1)
        connection.abort()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await peer.until_ended()


async def test_a_line_that_opens_in_the_moment_of_cancellation_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class JustInTime(Opening):
        async def run(self) -> Line:
            line = await super().run()
            asyncio.get_running_loop().call_soon(task.cancel)
            return line

    monkeypatch.setattr("postroom_server.smtp.connection.Opening", JustInTime)
    async with SmtpPeer() as peer:
        task = asyncio.create_task(Connection(endpoint_of(peer)).send(envelope()))
        with pytest.raises(asyncio.CancelledError):
            await task
        await peer.until_ended()
    assert peer.commands == ["EHLO postroom.test"]


async def test_an_aborted_connection_stays_closed() -> None:
    async with SmtpPeer() as peer:
        connection = Connection(endpoint_of(peer))
        connection.abort()
        transaction = await connection.send(envelope())
    assert (transaction.phase, transaction.level) == (Phase.CONNECT, Level.LOCAL)
    assert peer.sessions == []
