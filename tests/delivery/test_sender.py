"""A transmission with a sender beside it: nothing is lost, doubled in silence, or held up."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal

import pytest

from delivery.carrying import World, at
from delivery.values import email, job
from fakes import NOON
from peers.smtp_peer import Script, Slow, SmtpPeer, hang_up, silence
from postroom_server.clock import SECOND
from postroom_server.delivery.breaker import BreakerState
from postroom_server.delivery.endpoints import Endpoints
from postroom_server.delivery.line import Job, Line
from postroom_server.delivery.verdict import Next, Outcome
from postroom_server.refusals import Reason, Refusal
from postroom_server.sender.loan import AHEAD
from postroom_server.sender.remote import Sender
from postroom_server.store.models import Lane, RecipientState
from waiting import until

pytestmark = pytest.mark.parametrize("sender", ["beside"])


def jobs(peer: SmtpPeer, count: int, slots: int = 1, **changes: object) -> list[Job]:
    facts = at(peer, max_connections=slots)
    return [job(facts, id=100 + number, message_id=f"{number}@x.test", **changes) for number in range(count)]


def outcomes(world: World) -> dict[int, Outcome]:
    return {one.leased.id: one.verdict.outcome for one in world.reported}


def numbers(peer: SmtpPeer) -> list[int]:
    return [
        int(message.partition(b"Message-ID: <")[2].partition(b"@")[0])
        for session in peer.sessions
        for message in session.messages
    ]


def load(world: World) -> list[float]:
    return [line.load for line in world.transmission._lines._lines.values()]


async def kill(world: World) -> None:
    sender: Sender | None = world.ways.sender
    assert sender is not None
    assert sender.pid is not None
    os.kill(sender.pid, signal.SIGKILL)


async def test_what_a_dead_sender_had_is_in_doubt_and_ends_as_after_a_crash(world: World) -> None:
    gate = Slow("250 taken")
    async with SmtpPeer(Script({"DOT": gate})) as peer:
        *many, last = jobs(peer, AHEAD + 3)
        world.begin(*many)
        await peer.until(lambda: len(peer.messages) == 1)
        await kill(world)
        await world.outcomes(AHEAD + 1)
        doubtful = world.reported[: AHEAD + 1]
        # As if this process had crashed: its rescue says what that means for each.
        assert {one.verdict.outcome for one in doubtful} == {Outcome.CRASHED}
        assert all(one.verdict.counts_as_crash and not one.verdict.counts_as_try for one in doubtful)
        gate.go_on.set()
        # Who was not with it goes on without it.
        world.begin(last)
        await world.outcomes(AHEAD + 3)
    assert outcomes(world)[100 + AHEAD + 1] is outcomes(world)[100 + AHEAD + 2] is Outcome.DELIVERED
    assert load(world) == [1.0]


async def test_a_cancel_takes_what_has_not_begun_and_stops_what_has(world: World) -> None:
    first, data = Slow("250 taken"), Slow("354 go on")
    async with SmtpPeer(
        Script({"DOT": [first, "250 taken"], "DATA": ["354 go on", data, "354 go on"]})
    ) as peer:
        dotted, begun, waiting, _ = all_ = jobs(peer, 4)
        world.begin(*all_)
        await peer.until(lambda: len(peer.messages) == 1)
        world.transmission.cancel(waiting)
        assert await world.outcomes(1) == [Outcome.ABANDONED]
        world.transmission.cancel(dotted)
        first.go_on.set()
        await world.outcomes(2)
        world.transmission.cancel(begun)
        await world.outcomes(4)
    assert outcomes(world) == {
        100: Outcome.DELIVERED, 101: Outcome.ABANDONED, 102: Outcome.ABANDONED, 103: Outcome.DELIVERED
    }  # fmt: skip
    assert numbers(peer) == [0, 3]
    assert load(world) == [1.0]


async def test_a_halt_gives_back_all_that_has_no_dot_and_a_drain_waits_for_the_rest(world: World) -> None:
    gate = Slow("250 taken")
    async with SmtpPeer(Script({"DOT": gate})) as peer:
        world.begin(*jobs(peer, AHEAD + 3))
        await peer.until(lambda: len(peer.messages) == 1)
        drained = asyncio.create_task(world.transmission.close(10))
        await world.outcomes(AHEAD + 2)
        assert set(outcomes(world).values()) == {Outcome.ABANDONED}
        gate.go_on.set()
        async with asyncio.timeout(10):
            await drained
    assert outcomes(world)[100] is Outcome.DELIVERED
    assert (len(world.reported), numbers(peer)) == (AHEAD + 3, [0])


async def test_after_a_halt_that_is_over_mail_goes_on(world: World) -> None:
    gate = Slow("354 go on")
    async with SmtpPeer(Script({"DATA": [gate, "354 go on"]})) as peer:
        world.begin(*jobs(peer, 3))
        await peer.until(lambda: peer.commands.count("DATA") == 1)
        world.transmission.halt()
        assert await world.outcomes(3) == [Outcome.ABANDONED] * 3
        world.transmission.go_on()
        world.begin(*jobs(peer, 3))
        assert (await world.outcomes(6))[3:] == [Outcome.DELIVERED] * 3
    assert numbers(peer) == [0, 1, 2]


async def test_what_waits_behind_a_silent_server_is_put_off_when_its_patience_ends(world: World) -> None:
    async with SmtpPeer(Script({"DOT": silence})) as mute:
        world.begin(*jobs(mute, 4))
        await mute.until(lambda: len(mute.messages) == 1)
        assert load(world) == [5.0]
        world.clock.advance(9 * SECOND)
        world.transmission.look(4)
        assert world.reported == []
        world.clock.advance(SECOND)
        await until(lambda: len(world.reported) == 3, lambda: world.transmission.look(4))
    assert outcomes(world) == dict.fromkeys((101, 102, 103), Outcome.ABANDONED)


async def test_what_waits_behind_a_slow_dot_takes_a_slot_that_is_free(world: World) -> None:
    slow, fast = Slow("250 taken"), Slow("250 taken")
    async with SmtpPeer(Script({"DOT": [slow, fast, "250 taken"]})) as peer:
        # Of three slots two are for mail that is not urgent, and each has some of the others ahead.
        world.begin(*jobs(peer, 6, slots=3))
        await peer.until(lambda: len(peer.messages) == 2)
        fast.go_on.set()

        def look_later() -> None:
            world.clock.advance(SECOND // 20)
            world.transmission.look(6)

        await until(lambda: len(world.reported) == 5, look_later)
        slow.go_on.set()
        await world.outcomes(6)
    assert set(outcomes(world).values()) == {Outcome.DELIVERED}
    assert sorted(numbers(peer)) == [0, 1, 2, 3, 4, 5]


async def test_what_waits_ahead_is_not_sent_when_its_time_is_over(world: World) -> None:
    gate = Slow("250 taken")
    async with SmtpPeer(Script({"DOT": [gate, "250 taken"]})) as peer:
        first, expiring, last = jobs(peer, 3)
        expiring.leased = dataclasses.replace(expiring.leased, expire_time=NOON + SECOND)
        world.begin(first, expiring, last)
        await peer.until(lambda: len(peer.messages) == 1)
        world.clock.advance(SECOND)
        world.transmission.look(3)
        # It is back when it waits in line; its slot is another's for now.
        (line,) = world.transmission._lines._lines.values()
        await until(lambda: bool(line.waiting(Lane.NORMAL)))
        gate.go_on.set()
        await world.outcomes(3)
    assert outcomes(world) == {100: Outcome.DELIVERED, 101: Outcome.ABANDONED, 102: Outcome.DELIVERED}
    settled = {one.leased.id: one.verdict.settled[0].state for one in world.reported}
    assert (settled[101], numbers(peer)) == (RecipientState.EXPIRED, [0, 2])


async def test_letters_that_only_this_process_can_write_go_the_same_way(world: World) -> None:
    async with SmtpPeer() as peer:
        plain, long, alone = jobs(peer, 3)
        text = dataclasses.replace(plain.leased.email.mailing, text="x" * 70 + "\r\n" * 70_000)
        long.leased = dataclasses.replace(long.leased, email=email(id=2, mailing=text))
        alone.leased = dataclasses.replace(alone.leased, alone=True)
        world.begin(plain, long, alone)
        assert set(await world.outcomes(3)) == {Outcome.DELIVERED}
        assert world.ways.sender is not None
    assert len(peer.sessions) == 1


async def test_a_copy_that_cannot_be_written_is_told_so_as_ever(world: World) -> None:
    async with SmtpPeer() as peer:
        first, bad, last = jobs(peer, 3)
        unsafe = dataclasses.replace(bad.leased.email.mailing, subject="a\r\nBcc: x@y.test")
        bad.leased = dataclasses.replace(bad.leased, email=email(id=2, mailing=unsafe, member="{}"))
        world.begin(first, bad, last)
        await world.outcomes(3)
    assert outcomes(world) == {100: Outcome.DELIVERED, 101: Outcome.LOCAL, 102: Outcome.DELIVERED}
    told = next(one.verdict for one in world.reported if one.leased.id == 101)
    assert told.settled[0].state is RecipientState.REFUSED
    assert numbers(peer) == [0, 2]


async def test_what_is_under_way_is_heard_of_though_its_server_cannot_be_signed_in_to_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Slow("250 taken")
    async with SmtpPeer(Script({"DOT": gate})) as peer:
        world.begin(*jobs(peer, 4))
        await peer.until(lambda: len(peer.messages) == 1)

        def broken(*_: object) -> None:
            raise Refusal(Reason.DATA_KEY_MISMATCH, "the password cannot be opened")

        monkeypatch.setattr(Endpoints, "of", broken)
        gate.go_on.set()
        assert await world.outcomes(4) == [Outcome.DELIVERED] * 4
    assert numbers(peer) == [0, 1, 2, 3]


async def test_a_fault_while_others_are_looked_for_loses_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Line, "take_behind", broken)
    async with SmtpPeer() as peer:
        world.begin(*jobs(peer, 3))
        assert await world.outcomes(3) == [Outcome.DELIVERED] * 3
    assert numbers(peer) == [0, 1, 2]


async def test_a_halt_while_a_recall_is_on_its_way_gives_everything_back(world: World) -> None:
    gate = Slow("250 taken")
    async with SmtpPeer(Script({"DOT": gate})) as peer:
        world.begin(*jobs(peer, 4))
        await peer.until(lambda: len(peer.messages) == 1)
        world.clock.advance(10 * SECOND)
        world.transmission.look(4)
        world.transmission.halt()
        await world.outcomes(3)
        assert outcomes(world) == dict.fromkeys((101, 102, 103), Outcome.ABANDONED)
        gate.go_on.set()
        assert (await world.outcomes(4))[3] is Outcome.DELIVERED


async def test_a_mark_that_fails_for_our_own_reasons_holds_the_mail_at_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(world.marks, "write", broken)
    async with SmtpPeer() as peer:
        world.begin(*jobs(peer, 1, at_most_once=True, crash_count=2))
        assert await world.outcomes(1) == [Outcome.LOCAL]
    (one,) = world.reported
    assert (one.verdict.next, one.verdict.counts_as_crash, peer.messages) == (Next.HELD, True, [])


async def test_urgent_mail_goes_before_what_was_taken_ahead(world: World) -> None:
    gate = Slow("250 taken")
    async with SmtpPeer(Script({"DOT": [gate, "250 taken"]})) as peer:
        world.begin(*jobs(peer, AHEAD + 3, lane=Lane.BULK))
        await peer.until(lambda: len(peer.messages) == 1)
        (urgent,) = jobs(peer, 1, lane=Lane.URGENT)
        urgent.leased = dataclasses.replace(urgent.leased, id=999, message_id="999@x.test")
        world.begin(urgent)
        (line,) = world.transmission._lines._lines.values()
        await until(lambda: not world.transmission._riders(line))
        gate.go_on.set()
        await world.outcomes(AHEAD + 4)
    assert numbers(peer) == [0, 999, *range(1, AHEAD + 3)]


async def test_an_open_breaker_takes_back_what_other_slots_have_ahead(world: World) -> None:
    slow = Slow("250 taken")
    async with (
        SmtpPeer(Script({"DOT": [slow, hang_up]})) as peer,
        SmtpPeer() as second,
    ):
        facts, backup = at(peer, max_connections=3), at(second, 2, priority=2)
        first, *others = [job(facts, backup, id=100 + n, message_id=f"{n}@x.test") for n in range(13)]
        world.begin(first)
        await peer.until(lambda: len(peer.messages) == 1)
        world.begin(*others)
        await world.outcomes(12)
        assert world.breaker(1) is BreakerState.OPEN
        slow.go_on.set()
        await world.outcomes(13)
    told = outcomes(world)
    assert told[100] is Outcome.DELIVERED
    assert list(told.values()).count(Outcome.AMBIGUOUS) == 5
    assert (len(peer.messages), len(second.messages)) == (6, 7)


async def test_what_began_before_its_turn_was_seen_is_noted_when_it_began(world: World) -> None:
    gate = Slow("250 taken")
    async with SmtpPeer(Script({"DOT": ["250 taken", gate]})) as peer:
        world.begin(*jobs(peer, 2))
        await peer.until(lambda: len(peer.messages) == 2)
        await asyncio.sleep(0.05)
        gate.go_on.set()
        await world.outcomes(2)
    first, second = world.reported
    assert first.end_time == second.end_time == NOON
    assert second.start_time <= NOON - 45
