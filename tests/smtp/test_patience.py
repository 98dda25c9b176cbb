"""Each phase has a patience of its own, and it is that one which ends a silence."""

from __future__ import annotations

from typing import Any

import pytest

from peers.smtp_letters import send
from peers.smtp_peer import OFFERS, Script, SmtpPeer, silence, then
from postroom_server.delivery.handover import URGENT_TIMEOUTS
from postroom_server.smtp import Level, Phase, TlsMode

SHORT = 0.1
LOCKSTEP = tuple(offer for offer in OFFERS if offer != "PIPELINING")


@pytest.mark.parametrize("offers", [OFFERS, LOCKSTEP], ids=["pipelined", "lockstep"])
@pytest.mark.parametrize(
    ("occasion", "patience", "phase", "level"),
    [
        ("BANNER", "banner", Phase.BANNER, Level.CONNECTION),
        ("EHLO", "ehlo", Phase.EHLO, Level.CONNECTION),
        ("AUTH", "ehlo", Phase.AUTH, Level.CONNECTION),
        ("MAIL", "mail", Phase.MAIL, Level.CONNECTION),
        ("RCPT", "rcpt", Phase.RCPT, Level.CONNECTION),
        ("DATA", "data", Phase.DATA, Level.CONNECTION),
        ("DOT", "dot", Phase.DOT, Level.AMBIGUOUS),
    ],
)
async def test_a_silence_lasts_as_long_as_its_phase_allows(
    occasion: str, patience: str, phase: Phase, level: Level, offers: tuple[str, ...]
) -> None:
    user: dict[str, Any] = {"username": "me", "password": "secret"} if occasion == "AUTH" else {}
    async with SmtpPeer(Script({occasion: silence}, offers=(*offers, "AUTH PLAIN"))) as peer:
        transaction = await send(peer, patience={patience: SHORT}, **user)
    assert (transaction.phase, transaction.level) == (phase, level)
    assert transaction.error == f"no reply within {SHORT:g} s"


async def test_a_handshake_has_the_patience_of_a_connection() -> None:
    async with SmtpPeer(Script({"STARTTLS": then("220 go", silence)}, ("STARTTLS",))) as peer:
        transaction = await send(peer, tls=TlsMode.REQUIRED, patience={"connect": SHORT})
    assert (transaction.phase, transaction.level) == (Phase.TLS, Level.CONNECTION)


async def test_all_phases_together_have_a_limit_that_ends_with_the_dot() -> None:
    async with SmtpPeer(Script({"RCPT": silence})) as peer:
        transaction = await send(peer, patience={"total": SHORT})
    assert (transaction.phase, transaction.level) == (Phase.RCPT, Level.CONNECTION)
    assert transaction.error == f"the transaction was not over within {SHORT:g} s"


def test_urgent_mail_is_less_patient() -> None:
    limits = URGENT_TIMEOUTS
    assert (limits.connect, limits.banner, limits.ehlo, limits.mail, limits.rcpt) == (5, 15, 15, 30, 30)
    assert (limits.data, limits.chunk, limits.dot, limits.total) == (30, 60, 120, 300)
