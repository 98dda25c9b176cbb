"""The line's own rules: what is kept of an unasked-for flood, and which of several limits ends a wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from peers.smtp_letters import envelope, send
from peers.smtp_peer import Script, Session, SmtpPeer
from postroom_server.smtp import Level
from postroom_server.smtp.wire import Lost, Wire


class Loopback(asyncio.Transport):
    """A transport that goes nowhere."""

    aborted = False

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def write(self, data: Any) -> None:
        assert not self.aborted


def greeted() -> tuple[Wire, Loopback]:
    """A wire on which the banner has been read, and nothing is owed."""
    wire, transport = Wire(), Loopback()
    wire.connection_made(transport)
    wire.owed = 0
    return wire, transport


async def test_a_flood_of_replies_ends_the_line_and_is_not_kept() -> None:
    wire, transport = greeted()
    wire.write(b"MAIL\r\n", replies=1)
    wire.data_received(b"250 ok\r\n" * 10_000)
    assert transport.aborted
    assert await wire.frame(1) == (250, [b"ok"])
    kept = 0
    while wire.unasked() is not None:
        kept += 1
    assert kept == 2


async def test_after_a_fault_nothing_more_is_heard() -> None:
    wire, _ = greeted()
    wire.write(b"MAIL\r\n", replies=1)
    wire.data_received(b"what?\r\n")
    wire.data_received(b"250 ok\r\n")
    with pytest.raises(Lost, match="not an SMTP reply"):
        await wire.frame(1)


async def test_what_came_before_the_end_of_the_line_is_still_heard() -> None:
    wire, _ = greeted()
    wire.write(b"MAIL\r\n", replies=1)
    wire.data_received(b"421 bye\r\n")
    wire.eof_received()
    wire.connection_lost(None)
    assert await wire.frame(1) == (421, [b"bye"])
    with pytest.raises(Lost, match="closed by the server"):
        wire.write(b"RCPT\r\n", replies=1)


async def test_nothing_is_written_to_a_line_that_has_spoken_unasked() -> None:
    wire, _ = greeted()
    wire.data_received(b"42")
    assert not wire.is_alive
    with pytest.raises(Lost, match="out of turn"):
        wire.write(b"MAIL\r\n", replies=1)


def slowly(reply: str, pause: float) -> Any:
    async def act(session: Session) -> None:
        await asyncio.sleep(pause)
        await session.say(reply)

    return act


async def test_a_short_limit_does_not_end_a_later_longer_one() -> None:
    async with SmtpPeer(Script({"DOT": slowly("250 ok", 0.4)})) as peer:
        assert (await send(peer, patience={"mail": 0.2, "data": 0.2})).level is Level.NONE


async def test_the_limit_of_the_whole_does_not_cut_the_wait_for_the_verdict() -> None:
    async with SmtpPeer(Script({"DOT": slowly("250 ok", 0.4)})) as peer:
        assert (await send(peer, envelope(), patience={"total": 0.2})).level is Level.NONE
