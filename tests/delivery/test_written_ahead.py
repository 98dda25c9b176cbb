"""Letters written ahead of their turn: for whom, how many, and that nothing else changes by it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest

from delivery.carrying import BY_ITSELF, World, at
from delivery.values import MAILING, email, job
from fakes import ManualClock
from peers.smtp_peer import Script, Session, SmtpPeer
from postroom_server.clock import Millis
from postroom_server.delivery import handover
from postroom_server.delivery.handover import Handover
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.line import Job
from postroom_server.delivery.verdict import Outcome
from postroom_server.smtp import Envelope
from postroom_server.store.known import Memory


class Desk(Letters):
    """Notes whose letters are written."""

    def __init__(self) -> None:
        super().__init__(None, Memory(), None)  # type: ignore[arg-type]
        self.written: list[int] = []
        self.clock = ManualClock()
        self.takes: Millis = 0  # for each letter

    def write(self, leased: Leased) -> Envelope:
        self.clock.advance(self.takes)
        self.written.append(leased.id)
        return super().write(leased)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def hands(desk: Desk) -> Handover:
    return Handover(None, desk, None, desk.clock, owner=1, is_believed=lambda: True)  # type: ignore[arg-type]


def jobs(count: int, **changes: Any) -> list[Job]:
    return [job(id=number, message_id=f"{number}@x.test", **changes) for number in range(count)]


def written_ahead(all_: Iterable[Job]) -> list[int]:
    return [one.leased.id for one in all_ if one.envelope is not None]


def test_those_that_come_next_are_written_with_the_one_whose_turn_it_is(hands: Handover, desk: Desk) -> None:
    first, *others = jobs(4)
    envelope = hands.write(first, others)
    assert b"Message-ID: <0@x.test>" in envelope.message
    assert (first.envelope, written_ahead(others), desk.written) == (None, [1, 2, 3], [0, 1, 2, 3])


def test_what_is_there_already_is_not_written_again(hands: Handover, desk: Desk) -> None:
    first, second, third = jobs(3)
    hands.write(first, [second])
    envelope = hands.write(second, [third])
    assert b"Message-ID: <1@x.test>" in envelope.message
    # Nor is the next one yet: it will be, with those behind it.
    assert (written_ahead([first, second, third]), desk.written) == ([], [0, 1])


def test_so_many_are_written_ahead_and_no_more(hands: Handover) -> None:
    first, *others = jobs(handover.AHEAD + 2)
    hands.write(first, others)
    assert written_ahead(others) == list(range(1, handover.AHEAD + 1))


def test_letters_are_written_ahead_until_there_are_so_many_octets(
    hands: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = jobs(6)
    one = len(hands.write(first, []).message)
    for limit, ahead in ((3 * one, 2), (3 * one + 1, 3), (one, 0)):
        monkeypatch.setattr(handover, "AHEAD_OCTETS", limit)
        for each in others:
            each.envelope = None
        hands.write(first, others)
        assert len(written_ahead(others)) == ahead


def test_who_is_leased_alone_or_not_at_hand_is_passed_over(hands: Handover, desk: Desk) -> None:
    first, alone, files, long, last = jobs(5)
    alone.leased = dataclasses.replace(alone.leased, alone=True)
    files.leased = dataclasses.replace(files.leased, email=email(has_files=True))
    mailing = dataclasses.replace(MAILING, text="t" * 65_537)
    long.leased = dataclasses.replace(long.leased, email=email(id=2, mailing=mailing))
    hands.write(first, [alone, files, long, last])
    assert desk.written == [0, 4]


@pytest.mark.parametrize(("takes", "ahead"), [(3, [1, 2]), (5, [1]), (100, [1])])
def test_letters_are_written_ahead_for_as_long_as_the_loop_can_wait(
    hands: Handover, desk: Desk, takes: Millis, ahead: list[int]
) -> None:
    desk.takes = takes
    first, *others = jobs(8)
    hands.write(first, others)
    assert written_ahead(others) == ahead


@pytest.mark.parametrize(("step", "ahead"), [("write", [1]), ("is_at_hand", [1, 3])])
def test_what_goes_wrong_with_a_letter_is_not_blamed_on_the_one_before_it(
    hands: Handover, desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str, ahead: list[int]
) -> None:
    work = getattr(desk, step)

    def broken(one: Any) -> Any:
        if one.id == 2:
            raise ZeroDivisionError
        return work(one)

    monkeypatch.setattr(desk, step, broken)
    all_ = [job(id=number, email=email(id=number)) for number in range(4)]
    hands.write(all_[0], all_[1:])
    assert written_ahead(all_) == ahead


@BY_ITSELF
async def test_a_queue_is_written_in_one_go_behind_its_first_dot(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = Letters.write
    monkeypatch.setattr(Letters, "write", lambda self, one: (written.append(one.id), write(self, one))[1])
    seen: list[int] = []

    async def look(session: Session) -> None:
        seen.append(len(written))
        await session.say("250 taken")

    async with SmtpPeer(Script({"DOT": look})) as peer:
        facts = at(peer, max_connections=1)
        world.begin(*(job(facts, id=number, message_id=f"{number}@x.test") for number in range(5)))
        assert await world.outcomes(5) == [Outcome.DELIVERED] * 5
        (session,) = peer.sessions
    # The first goes by itself; with the second, which rides behind its dot, the others are written.
    assert (seen, sorted(written)) == ([4] * 5, [1, 2, 3, 4])
    numbers = [int(message.partition(b"Message-ID: <")[2].partition(b"@")[0]) for message in session.messages]
    assert numbers == [0, 1, 2, 3, 4]
