"""A10: endless replies, a byte a second, a line of 10 MB. Caps and total deadlines hold in every phase."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from peers.smtp_letters import envelope, send
from peers.smtp_peer import Script, SmtpPeer, drip, flood, then
from postroom_server.smtp import Level, Phase

QUICK = {"banner": 0.3, "ehlo": 0.3, "mail": 0.3, "rcpt": 0.3, "data": 0.3, "dot": 0.3}
PHASES = ["BANNER", "EHLO", "MAIL", "RCPT", "DATA", "DOT"]

ATTACKS: dict[str, Any] = {
    "a line of 10 MB": b"250 " + b"x" * 10_000_000 + b"\r\n",
    "a line that never ends": flood(b"x" * 65536),
    "a reply that never ends": flood(b"250-more\r\n" * 1000),
    "a byte now and then": drip(b"250-more\r\n", 0.02),
    "NUL for ever": flood(b"\0" * 1000),
    "empty lines for ever": flood(b"\r\n" * 1000),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("phase", PHASES)
async def test_a10_a_hostile_reply_ends_the_line(phase: str, attack: str) -> None:
    async with SmtpPeer(Script({phase: ATTACKS[attack]})) as peer:
        async with asyncio.timeout(5):
            transaction = await send(peer, patience=QUICK)
    assert transaction.phase == phase
    assert transaction.level is (Level.AMBIGUOUS if phase == "DOT" else Level.CONNECTION)
    assert transaction.error
    assert len(transaction.error) < 100


@pytest.mark.parametrize("phase", PHASES)
async def test_a10_replies_without_end_do_not_pass_for_answers(phase: str) -> None:
    script = Script({phase: flood(b"250 2.0.0 yes\r\n" * 1000)})
    async with SmtpPeer(script) as peer:
        async with asyncio.timeout(5):
            transaction = await send(peer, patience=QUICK)
    # The first of them answers the command that was asked; those behind it are nobody's answer.
    assert transaction.level in (Level.CONNECTION, Level.NONE)
    assert (transaction.level is Level.NONE) == (phase == "DOT")
    assert len(peer.messages) == (phase == "DOT")


async def test_a10_a_long_reply_is_kept_short() -> None:
    lines = b"".join(b"554-5.7.1 " + b"y" * 4000 + b"\r\n" for _ in range(99)) + b"554 5.7.1 end\r\n"
    async with SmtpPeer(Script({"DOT": lines})) as peer:
        transaction = await send(peer)
    assert transaction.level is Level.MESSAGE
    assert transaction.final is not None
    assert (transaction.final.enhanced, len(transaction.final.text)) == ("5.7.1", 512)


async def test_a10_a_drip_that_ends_in_time_is_an_answer() -> None:
    slowly = then(*(bytes([byte]) for byte in b"250 2.0.0 at last\r\n"))
    async with SmtpPeer(Script({"DOT": slowly})) as peer:
        assert (await send(peer)).level is Level.NONE


async def test_a10_an_offer_of_a_hundred_lines_is_read() -> None:
    offers = (*(f"X-NOISE-{number}" for number in range(97)), "PIPELINING", "SIZE 5")
    async with SmtpPeer(Script(offers=offers)) as peer:
        transaction = await send(peer, envelope(message=b"too long\r\n"))
    assert (transaction.phase, transaction.level) == (Phase.MAIL, Level.MESSAGE)
    assert transaction.final is not None
    assert transaction.final.enhanced == "5.3.4"
