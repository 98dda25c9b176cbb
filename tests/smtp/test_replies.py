"""The §6 table of delivery.md: every phase and reply, what level it speaks about, and what the server saw.

Each case is told with pipelining and without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from peers.smtp_letters import envelope, send
from peers.smtp_peer import OFFERS, Script, SmtpPeer, hang_up, silence, then
from postroom_server.smtp import Level, Phase, Transaction

LOCKSTEP = tuple(offer for offer in OFFERS if offer != "PIPELINING")
TWO = ("one@peer.test", "two@peer.test")
SHORT = {"mail": 0.2, "rcpt": 0.2, "data": 0.2, "dot": 0.2}


@dataclasses.dataclass(frozen=True)
class Case:
    """A server's answers and the outcome: phase, level, the deciding code, and whom the server took."""

    name: str
    answers: Mapping[str, Any]
    phase: Phase
    level: Level
    final: int | None
    accepted: tuple[bool, ...] = (False, False)
    codes: tuple[int | None, ...] = (None, None)
    dots: int = 0  # messages that the server saw end
    started: bool = False


TAKEN = (250, 250)
CASES = [
    Case("banner 421", {"BANNER": "421 busy"}, Phase.BANNER, Level.CONNECTION, 421),
    Case("banner 450", {"BANNER": "450 later"}, Phase.BANNER, Level.CONNECTION, 450),
    Case("banner 554", {"BANNER": "554 no service"}, Phase.BANNER, Level.CONNECTION, 554),
    Case("banner 3xx", {"BANNER": "354 what"}, Phase.BANNER, Level.CONNECTION, 354),
    Case("banner garbage", {"BANNER": "SSH-2.0-x"}, Phase.BANNER, Level.CONNECTION, None),
    Case("banner lost", {"BANNER": hang_up}, Phase.BANNER, Level.CONNECTION, None),
    Case("ehlo 421", {"EHLO": "421 closing"}, Phase.EHLO, Level.CONNECTION, 421),
    Case("ehlo 450", {"EHLO": "450 later"}, Phase.EHLO, Level.CONNECTION, 450),
    Case("ehlo and helo 5xx", {"EHLO": "502 no", "HELO": "550 no"}, Phase.EHLO, Level.CONNECTION, 550),
    Case("ehlo lost", {"EHLO": hang_up}, Phase.EHLO, Level.CONNECTION, None),
    Case("mail 421", {"MAIL": "421 4.3.2 closing"}, Phase.MAIL, Level.CONNECTION, 421),
    Case("mail 450", {"MAIL": "450 4.7.1 greylisted"}, Phase.MAIL, Level.MESSAGE, 450),
    Case("mail 452", {"MAIL": "452 4.3.1 no space"}, Phase.MAIL, Level.MESSAGE, 452),
    Case("mail 499", {"MAIL": "499 later"}, Phase.MAIL, Level.MESSAGE, 499),
    Case("mail 550", {"MAIL": "550 5.7.1 not you"}, Phase.MAIL, Level.MESSAGE, 550),
    Case("mail 552", {"MAIL": "552 5.3.4 too big"}, Phase.MAIL, Level.MESSAGE, 552),
    Case("mail 354", {"MAIL": then("354 what", hang_up)}, Phase.MAIL, Level.CONNECTION, None),
    Case("mail garbage", {"MAIL": "hello?"}, Phase.MAIL, Level.CONNECTION, None),
    Case("mail silence", {"MAIL": silence}, Phase.MAIL, Level.CONNECTION, None),
    Case("mail lost", {"MAIL": hang_up}, Phase.MAIL, Level.CONNECTION, None),
    Case("mail 251", {"MAIL": "251 fine"}, Phase.DOT, Level.NONE, 250, (True, True), TAKEN, 1, True),
    *(
        Case(
            f"rcpt {code}",
            {"RCPT": [f"{code} yes", "250 yes"]},
            Phase.DOT, Level.NONE, 250, (True, True), (code, 250), 1, True,
        )
        for code in (250, 251, 252, 299)
    ),
    *(
        Case(
            f"second rcpt {code} {enhanced}",
            {"RCPT": ["250 yes", f"{code} {enhanced} no"]},
            Phase.DOT, Level.RECIPIENT, 250, (True, False), (250, code), 1, True,
        )
        for code, enhanced in (
            (450, "4.2.1"), (451, "4.7.1"), (452, "4.5.3"), (550, "5.1.1"), (551, "5.1.6"), (553, "5.1.3"),
            (552, "5.2.2"), (554, "5.7.1"),
        )
    ),
    Case("first rcpt 550", {"RCPT": ["550 5.1.1 no", "250 yes"]},
         Phase.DOT, Level.RECIPIENT, 250, (False, True), (550, 250), 1, True),
    Case("rcpt 421", {"RCPT": ["250 yes", "421 closing"]},
         Phase.RCPT, Level.CONNECTION, 421, codes=(250, 421)),
    Case("rcpt 421 first", {"RCPT": ["421 closing", "250 yes"]},
         Phase.RCPT, Level.CONNECTION, 421, codes=(421, None)),
    Case("rcpt 354", {"RCPT": ["250 yes", then("354 what", hang_up)]},
         Phase.RCPT, Level.CONNECTION, None, codes=(250, None)),
    Case("rcpt garbage", {"RCPT": ["250 yes", "2x0 yes"]},
         Phase.RCPT, Level.CONNECTION, None, codes=(250, None)),
    Case("rcpt silence", {"RCPT": ["250 yes", silence]},
         Phase.RCPT, Level.CONNECTION, None, codes=(250, None)),
    Case("rcpt lost", {"RCPT": ["550 no", hang_up]},
         Phase.RCPT, Level.CONNECTION, None, codes=(550, None)),
    Case("every rcpt refused", {"RCPT": ["550 5.1.1 no", "450 4.2.1 later"], "DATA": "503 5.5.1 nobody"},
         Phase.RCPT, Level.RECIPIENT, None, codes=(550, 450)),
    Case("every rcpt refused, data 554", {"RCPT": "550 no", "DATA": "554 nobody"},
         Phase.RCPT, Level.RECIPIENT, None, codes=(550, 550)),
    Case("data 421", {"DATA": "421 closing"}, Phase.DATA, Level.MESSAGE, 421, codes=TAKEN),
    Case("data 451", {"DATA": "451 later"}, Phase.DATA, Level.MESSAGE, 451, codes=TAKEN),
    Case("data 554", {"DATA": "554 never"}, Phase.DATA, Level.MESSAGE, 554, codes=TAKEN),
    Case("data 451, one refused", {"RCPT": ["250 yes", "550 no"], "DATA": "451 later"},
         Phase.DATA, Level.MESSAGE, 451, codes=(250, 550)),
    Case("data 250", {"DATA": "250 already?"}, Phase.DATA, Level.CONNECTION, None, codes=TAKEN),
    Case("data garbage", {"DATA": "go"}, Phase.DATA, Level.CONNECTION, None, codes=TAKEN),
    Case("data silence", {"DATA": silence}, Phase.DATA, Level.CONNECTION, None, codes=TAKEN),
    Case("data lost", {"DATA": hang_up}, Phase.DATA, Level.CONNECTION, None, codes=TAKEN),
    *(
        Case(f"dot {code}", {"DOT": f"{code} ok"},
             Phase.DOT, Level.NONE, code, (True, True), TAKEN, 1, True)
        for code in (200, 250, 251, 299)
    ),
    *(
        Case(f"dot {code}", {"DOT": f"{code} no"},
             Phase.DOT, Level.MESSAGE, code, codes=TAKEN, dots=1, started=True)
        for code in (421, 450, 452, 499, 500, 550, 552, 554, 599)
    ),
    *(
        Case(f"dot {name}", {"DOT": move},
             Phase.DOT, Level.AMBIGUOUS, None, codes=TAKEN, dots=1, started=True)
        for name, move in {
            "lost": hang_up,
            "silence": silence,
            "garbage": "thanks",
            "code without a digit": "25O ok",
            "1xx": "150 hm",
            "6xx": "650 hm",
            "354": "354 again",
            "half a reply": then(b"250-taken\r\n", hang_up),
            "half a line": then(b"250 tak", hang_up),
            "two codes in one reply": b"250-taken\r\n550 or not\r\n",
        }.items()
    ),
    Case("quit refused", {"QUIT": "500 stay"}, Phase.DOT, Level.NONE, 250, (True, True), TAKEN, 1, True),
    Case("quit garbage", {"QUIT": "\x00"}, Phase.DOT, Level.NONE, 250, (True, True), TAKEN, 1, True),
    Case("quit lost", {"QUIT": hang_up}, Phase.DOT, Level.NONE, 250, (True, True), TAKEN, 1, True),
]  # fmt: skip


@pytest.mark.parametrize("offers", [OFFERS, LOCKSTEP], ids=["pipelined", "lockstep"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_reply_speaks_about_its_level(case: Case, offers: tuple[str, ...]) -> None:
    async with SmtpPeer(Script(case.answers, offers)) as peer:
        transaction = await send(peer, envelope(*TWO), patience=SHORT)

    assert _told(transaction) == (case.phase, case.level, case.final, case.accepted, case.codes, case.started)
    assert transaction.ambiguous == (case.level is Level.AMBIGUOUS)
    assert len(peer.messages) == case.dots
    assert len(peer.sessions) == 1


def _told(transaction: Transaction) -> tuple[object, ...]:
    return (
        transaction.phase,
        transaction.level,
        transaction.final.code if transaction.final else None,
        transaction.accepted,
        tuple(reply.code if reply else None for reply in transaction.replies),
        transaction.started,
    )
