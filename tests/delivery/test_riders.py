"""Mail that rides behind the dot of another: sooner when all is well, and never worse off when it is not."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from delivery.carrying import BY_ITSELF, World, at
from delivery.values import email, job
from fakes import NOON
from peers.smtp_peer import Script, Session, Slow, SmtpPeer, hang_up, in_words
from postroom_server.clock import SECOND
from postroom_server.delivery.breaker import BreakerState
from postroom_server.delivery.handover import Handover
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.line import Job
from postroom_server.delivery.verdict import Outcome
from postroom_server.store.models import Lane, RecipientState

QUARTER = SECOND // 4


def jobs(peer: SmtpPeer, count: int, slots: int = 1, **changes: Any) -> list[Job]:
    """Jobs whose ids tell them apart, for so many slots."""
    facts = at(peer, max_connections=slots)
    return [job(facts, id=100 + number, message_id=f"{number}@x.test", **changes) for number in range(count)]


async def until_riding(peer: SmtpPeer, session: int = 0) -> None:
    """Waits until a dot has come with the next mail's commands behind it."""
    await peer.until(lambda: len(peer.sessions) > session and b"DATA" in peer.sessions[session].inbox)


def outcomes(world: World) -> dict[int, Outcome]:
    return {one.leased.id: one.verdict.outcome for one in world.reported}


def ids(peer: SmtpPeer) -> list[list[int]]:
    """Which mails came whole over which connection, by the number in their Message-ID."""
    return [
        [int(message.partition(b"Message-ID: <")[2].partition(b"@")[0]) for message in session.messages]
        for session in peer.sessions
    ]


async def test_a_queue_goes_over_one_connection_each_mail_behind_the_dot_of_the_last(world: World) -> None:
    behind = list[bytes]()

    async def look(session: Session) -> None:
        behind.append(session.inbox.partition(b"\r\n")[0][:10])
        await session.say("250 taken")

    async with SmtpPeer(Script({"DOT": look})) as peer:
        world.begin(*jobs(peer, 5))
        assert await world.outcomes(5) == [Outcome.DELIVERED] * 5
    assert ids(peer) == [[0, 1, 2, 3, 4]]
    # What the peer reads first of those commands is up to the kernel: MAIL, or what is behind it.
    assert len([piece for piece in behind if piece]) == 4


@BY_ITSELF
async def test_a_rider_takes_a_free_slot_when_the_dot_before_it_stays_unanswered(world: World) -> None:
    go, go_too, slow = Slow("354 go"), Slow("354 go"), Slow()
    # Of three slots two are for mail that is not urgent: both are busy when the third mail comes.
    async with SmtpPeer(Script({"DATA": [go, go_too, "354 go"], "DOT": [slow, "250 taken"]})) as peer:
        first, second, rider = jobs(peer, 3, slots=3)
        world.begin(first)
        await peer.until(lambda: peer.commands.count("DATA") == 1)
        world.begin(second)
        await peer.until(lambda: peer.commands.count("DATA") == 2)
        world.begin(rider)
        go.go_on.set()
        await until_riding(peer)
        go_too.go_on.set()
        assert await world.outcomes(1) == [Outcome.DELIVERED]
        world.clock.advance(QUARTER - 1)
        world.transmission.look(0)
        assert [len(session.commands) for session in peer.sessions] == [4, 4]
        world.clock.advance(1)
        world.transmission.look(0)
        assert await world.outcomes(2) == [Outcome.DELIVERED] * 2
        slow.go_on.set()
        await world.outcomes(3)
        await peer.until(lambda: peer.sessions[0].has_ended)
    assert outcomes(world) == dict.fromkeys((100, 101, 102), Outcome.DELIVERED)
    assert ids(peer) == [[0], [1, 2]]


async def test_a_rider_keeps_its_place_for_a_moment_and_while_no_slot_is_free(world: World) -> None:
    slow = Slow()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        world.begin(*jobs(peer, 2))
        await until_riding(peer)
        world.clock.advance(5 * SECOND)
        world.transmission.look(0)
        slow.go_on.set()
        assert await world.outcomes(2) == [Outcome.DELIVERED] * 2
    assert ids(peer) == [[0, 1]]


@BY_ITSELF
async def test_riders_of_a_silent_server_are_put_off_like_others_that_wait(world: World) -> None:
    slow = Slow()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        world.begin(*jobs(peer, 3))
        await until_riding(peer)
        world.clock.advance(9 * SECOND)
        world.transmission.look(0)
        assert world.reported == []
        world.clock.advance(SECOND)
        world.transmission.look(0)
        assert outcomes(world) == {101: Outcome.ABANDONED, 102: Outcome.ABANDONED}
        slow.go_on.set()
        assert (await world.outcomes(3))[2] is Outcome.DELIVERED
        await peer.until_ended()
    assert ids(peer) == [[0]]


@BY_ITSELF
async def test_a_cancel_takes_a_rider_off_at_once_and_the_others_go_on(world: World) -> None:
    slow = Slow()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        _, rider, _ = all_ = jobs(peer, 3)
        world.begin(*all_)
        await until_riding(peer)
        world.transmission.cancel(rider)
        assert outcomes(world) == {101: Outcome.ABANDONED}
        slow.go_on.set()
        await world.outcomes(3)
    assert outcomes(world) == {100: Outcome.DELIVERED, 101: Outcome.ABANDONED, 102: Outcome.DELIVERED}
    assert ids(peer) == [[0], [2]]
    assert not {"RSET", "QUIT"} & set(peer.sessions[0].commands)


async def test_a_cancelled_mail_s_own_cancel_comes_too_late_behind_its_dot(world: World) -> None:
    slow = Slow()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        first, second = jobs(peer, 2)
        world.begin(first, second)
        await until_riding(peer)
        world.transmission.cancel(first)
        slow.go_on.set()
        await world.outcomes(2)
    assert outcomes(world) == {100: Outcome.DELIVERED, 101: Outcome.DELIVERED}


@BY_ITSELF
async def test_a_halt_gives_the_rider_back_and_lets_the_dot_have_its_answer(world: World) -> None:
    slow = Slow()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        *three, later = jobs(peer, 4)
        world.begin(*three)
        await until_riding(peer)
        world.transmission.halt()
        assert outcomes(world) == {101: Outcome.ABANDONED, 102: Outcome.ABANDONED}
        # Even when the halt is over before the answer comes, the rider has been given back for good.
        world.transmission.go_on()
        slow.go_on.set()
        await world.outcomes(3)
        world.begin(later)
        await world.outcomes(4)
    assert [one.leased.id for one in world.reported[2:]] == [100, 103]
    assert ids(peer) == [[0], [3]]


async def test_a_drain_waits_for_the_dot_and_not_for_the_rider(world: World) -> None:
    slow = Slow()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        world.begin(*jobs(peer, 3))
        await until_riding(peer)
        drained = asyncio.create_task(world.transmission.close(5))
        await world.outcomes(2)
        assert outcomes(world) == {101: Outcome.ABANDONED, 102: Outcome.ABANDONED}
        slow.go_on.set()
        await drained
        await peer.until_ended()
    assert [one.leased.id for one in world.reported[2:]] == [100]
    assert ids(peer) == [[0]]


@pytest.mark.parametrize("move", [hang_up, "354 what?", "what?"], ids=in_words)
async def test_a_line_lost_behind_the_dot_is_one_ambiguous_mail_and_one_that_goes_elsewhere(
    world: World, move: Any
) -> None:
    async with SmtpPeer(Script({"DOT": [move, "250 taken"]})) as peer:
        world.begin(*jobs(peer, 2))
        await world.outcomes(2)
    assert outcomes(world) == {100: Outcome.AMBIGUOUS, 101: Outcome.DELIVERED}
    assert ids(peer) == [[0], [1]]
    assert all(one.earlier == () for one in world.reported)


@BY_ITSELF
async def test_a_breaker_that_opens_takes_the_rider_s_server_from_it(world: World) -> None:
    async with SmtpPeer(Script({"DOT": hang_up})) as peer, SmtpPeer() as second:
        facts, backup = at(peer, max_connections=1), at(second, 2, priority=2)
        world.begin(*(job(facts, backup, id=100 + n, message_id=f"{n}@x.test") for n in range(6)))
        await world.outcomes(6)
    assert world.breaker(1) is BreakerState.OPEN
    assert [outcome for _, outcome in sorted(outcomes(world).items())] == [
        *[Outcome.AMBIGUOUS] * 5, Outcome.DELIVERED
    ]  # fmt: skip
    assert ids(second) == [[5]]


@BY_ITSELF
async def test_a_letter_that_cannot_be_written_does_not_harm_the_one_before_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Letters.write

    def broken(letters: Letters, leased: Any) -> Any:
        if leased.id == 101:
            raise ZeroDivisionError
        return write(letters, leased)

    monkeypatch.setattr(Letters, "write", broken)
    async with SmtpPeer() as peer:
        world.begin(*jobs(peer, 3))
        await world.outcomes(3)
    assert outcomes(world) == {100: Outcome.DELIVERED, 101: Outcome.LOCAL, 102: Outcome.DELIVERED}
    assert ids(peer) == [[0, 2]]


async def test_an_email_that_cannot_be_judged_is_its_own_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_at_hand = Letters.is_at_hand

    def broken(letters: Letters, one: Any) -> Any:
        if one.id == 2:
            raise ZeroDivisionError
        return is_at_hand(letters, one)

    async def unwritten(letters: Letters, one: Any) -> Any:
        if one.email.id == 2:
            raise ZeroDivisionError
        return letters.write(one)

    monkeypatch.setattr(Letters, "is_at_hand", broken)
    monkeypatch.setattr(Letters, "envelope", unwritten)
    async with SmtpPeer() as peer:
        first, bad, last = jobs(peer, 3)
        bad.leased = dataclasses.replace(bad.leased, email=email(id=2))
        world.begin(first, bad, last)
        await world.outcomes(3)
    assert outcomes(world) == {100: Outcome.DELIVERED, 101: Outcome.LOCAL, 102: Outcome.DELIVERED}


async def test_a_letter_that_needs_the_database_waits_for_its_turn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handover, "is_at_hand", lambda *_: False)
    slow = Slow()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        world.begin(*jobs(peer, 2))
        await peer.until(lambda: len(peer.messages) == 1)
        assert peer.sessions[0].inbox == b""
        slow.go_on.set()
        await world.outcomes(2)
    assert ids(peer) == [[0, 1]]


async def test_urgent_mail_does_not_ride_and_nobody_rides_while_it_waits(world: World) -> None:
    slow = Slow()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        (first, then_), (urgent,) = jobs(peer, 2), jobs(peer, 1, lane=Lane.URGENT)
        urgent.leased = dataclasses.replace(urgent.leased, id=200, message_id="7@x.test")
        world.begin(first, then_, urgent)
        await peer.until(lambda: len(peer.messages) == 1)
        assert peer.sessions[0].inbox == b""
        slow.go_on.set()
        await world.outcomes(3)
    assert ids(peer) == [[0, 7, 1]]


async def test_nothing_rides_behind_mail_that_must_not_repeat(world: World) -> None:
    slow = Slow()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        world.begin(*jobs(peer, 2, at_most_once=True))
        await peer.until(lambda: len(peer.messages) == 1)
        assert peer.sessions[0].inbox == b""
        slow.go_on.set()
        assert await world.outcomes(2) == [Outcome.DELIVERED] * 2


async def test_nothing_rides_behind_mail_that_is_leased_alone_nor_does_such_mail_ride(world: World) -> None:
    slow, slow_too = Slow(), Slow()
    async with SmtpPeer(Script({"DOT": [slow, slow_too, "250 taken"]})) as peer:
        first, alone, last = jobs(peer, 3)
        alone.leased = dataclasses.replace(alone.leased, alone=True)
        world.begin(first, alone)
        await peer.until(lambda: len(peer.messages) == 1)
        assert peer.sessions[0].inbox == b""
        world.begin(last)
        slow.go_on.set()
        await peer.until(lambda: len(peer.messages) == 2)
        assert peer.sessions[0].inbox == b""
        slow_too.go_on.set()
        await world.outcomes(3)
    assert ids(peer) == [[0, 1, 2]]


@pytest.mark.parametrize("granted", [True, False])
async def test_a_rider_that_must_not_repeat_is_marked_in_its_own_turn(world: World, granted: bool) -> None:
    slow = Slow()
    world.marks.granted = granted
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        (first,), (rider,) = jobs(peer, 1), jobs(peer, 1, at_most_once=True)
        rider.leased = dataclasses.replace(rider.leased, id=200, message_id="7@x.test")
        world.begin(first, rider)
        await until_riding(peer)
        slow.go_on.set()
        await world.outcomes(2)
    assert outcomes(world) == {
        100: Outcome.DELIVERED,
        200: Outcome.DELIVERED if granted else Outcome.ABANDONED,
    }
    assert ids(peer) == [[0, 7] if granted else [0]]


@BY_ITSELF
async def test_a_rider_whose_time_is_over_is_not_sent(world: World) -> None:
    slow = Slow()
    async with SmtpPeer(Script({"DOT": [slow, "250 taken"]})) as peer:
        first, rider = jobs(peer, 2)
        rider.leased = dataclasses.replace(rider.leased, expire_time=NOON + SECOND)
        world.begin(first, rider)
        await until_riding(peer)
        world.clock.advance(SECOND)
        slow.go_on.set()
        await world.outcomes(2)
        await peer.until_ended()
    assert outcomes(world) == {100: Outcome.DELIVERED, 101: Outcome.ABANDONED}
    assert world.reported[1].verdict.settled[0].state is RecipientState.EXPIRED
    assert ids(peer) == [[0]]


async def test_test_mail_in_the_queue_ends_on_the_way(world: World) -> None:
    async with SmtpPeer() as peer:
        first, test, last = jobs(peer, 3)
        world.begin(first, test, last)
        test.leased = dataclasses.replace(test.leased, email=email(test=True))
        await world.outcomes(3)
    assert outcomes(world) == dict.fromkeys((100, 101, 102), Outcome.DELIVERED)
    assert ids(peer) == [[0, 2]]
