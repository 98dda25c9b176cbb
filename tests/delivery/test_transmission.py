"""Carrying: over which line, after which failure, and who is let go; over real SMTP conversations."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from delivery.carrying import BY_ITSELF, World, at
from delivery.values import job, server
from fakes import NOON
from peers.smtp_peer import DEFAULTS, Script, Session, SmtpPeer, silence
from postroom_server.clock import MINUTE, SECOND
from postroom_server.delivery.breaker import BreakerState
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.verdict import Next, Outcome
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.facts import ServerFacts
from postroom_server.store.models import RecipientState


@pytest.fixture
def nobody() -> ServerFacts:
    """A port at which nobody listens."""
    return server(66, port=1)


async def test_a_mail_is_delivered(world: World) -> None:
    async with SmtpPeer() as peer:
        world.begin(job(at(peer)))
        assert await world.outcomes(1) == [Outcome.DELIVERED]
    (one,) = world.reported
    assert (one.server_id, one.earlier, len(peer.messages)) == (1, (), 1)


async def test_the_next_server_is_asked_after_a_connection_failure(world: World, nobody: ServerFacts) -> None:
    async with SmtpPeer() as peer:
        world.begin(job(nobody, at(peer, 2, priority=2)))
        assert await world.outcomes(1) == [Outcome.DELIVERED]
    (one,) = world.reported
    assert one.server_id == 2
    assert [(earlier.server_id, earlier.verdict.outcome) for earlier in one.earlier] == [
        (66, Outcome.CONNECTION)
    ]


@pytest.mark.parametrize(
    "answers", [{"MAIL": "451 4.3.0 later"}, {"RCPT": "450 4.2.1 later"}, {"DOT": "451 later"}]
)
async def test_the_next_server_is_asked_after_a_not_now_to_everybody(
    world: World, answers: dict[str, Any]
) -> None:
    async with SmtpPeer(Script(answers=answers)) as first, SmtpPeer() as second:
        world.begin(job(at(first), at(second, 2, priority=2)))
        assert await world.outcomes(1) == [Outcome.DELIVERED]
    assert [one.verdict.outcome for one in world.reported[0].earlier] == [Outcome.TRANSIENT]


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ({"MAIL": "550 no"}, Outcome.PERMANENT),
        ({"RCPT": "550 5.1.1 who?"}, Outcome.PERMANENT),
        ({"DOT": "554 no"}, Outcome.PERMANENT),
        ({"DOT": silence}, Outcome.AMBIGUOUS),
    ],
)
async def test_no_other_server_is_asked_after_a_verdict_or_a_lost_one(
    world: World, answers: dict[str, Any], outcome: Outcome
) -> None:
    async with SmtpPeer(Script(answers=answers)) as first, SmtpPeer() as second:
        world.begin(job(at(first), at(second, 2, priority=2)))
        if outcome is Outcome.AMBIGUOUS:
            await first.until(lambda: bool(first.messages))
            first.sessions[0].writer.transport.abort()
        assert await world.outcomes(1) == [outcome]
        assert second.sessions == []


async def test_a_not_now_is_remembered_although_the_other_server_is_dead(
    world: World, nobody: ServerFacts
) -> None:
    async with SmtpPeer(Script(answers={"DOT": "451 4.7.1 later"})) as peer:
        world.begin(job(at(peer), dataclasses.replace(nobody, priority=2)))
        assert await world.outcomes(1) == [Outcome.TRANSIENT]
    (one,) = world.reported
    assert (one.verdict.run_at, one.verdict.counts_as_try) == (NOON + MINUTE, True)
    assert [earlier.server_id for earlier in one.earlier] == [66]


async def test_a_dead_server_s_mail_waits_longer_each_time_and_then_for_the_breaker(
    world: World, nobody: ServerFacts
) -> None:
    for n in range(1, 5):
        world.begin(job(nobody, transactions=n))
        await world.outcomes(n)
    assert [one.verdict.run_at - NOON for one in world.reported] == [s * SECOND for s in (5, 10, 20, 40)]
    world.begin(job(nobody))
    await world.outcomes(5)
    assert world.breaker(66) is BreakerState.OPEN
    assert world.reported[4].verdict.run_at == NOON + 30 * SECOND
    world.begin(job(nobody))
    last = world.reported[5]
    assert (last.verdict.outcome, last.verdict.run_at) == (Outcome.ABANDONED, NOON + 30 * SECOND)
    assert last.transaction is None


async def test_a_421_to_one_mail_is_not_asked_for_again_at_once(world: World) -> None:
    async with SmtpPeer(Script(answers={"RCPT": ["421 4.7.0 slow down", "250 ok"]})) as peer:
        world.begin(job(at(peer)))
        assert await world.outcomes(1) == [Outcome.CONNECTION]
        assert world.reported[0].verdict.run_at == NOON + 5 * SECOND
        world.begin(job(at(peer)))
        assert await world.outcomes(2) == [Outcome.CONNECTION, Outcome.DELIVERED]


async def test_mail_returns_to_the_first_server_once_it_is_back(world: World, nobody: ServerFacts) -> None:
    async with SmtpPeer() as backup:
        second = at(backup, 2, priority=2)
        for n in range(1, 6):
            world.begin(job(nobody, second))
            await world.outcomes(n)
        assert world.breaker(66) is BreakerState.OPEN
        world.begin(job(nobody, second))
        await world.outcomes(6)
        assert world.reported[5].earlier == ()
        world.clock.advance(30 * SECOND)
        world.begin(job(nobody, second), job(nobody, second))
        await world.outcomes(8)
        # One of them tried the first server, and was carried by the second all the same.
        assert sorted(len(one.earlier) for one in world.reported[6:]) == [0, 1]
        assert {one.server_id for one in world.reported} == {2}


@BY_ITSELF
async def test_what_waits_at_a_silent_server_is_let_go_for_others(world: World) -> None:
    async with SmtpPeer(Script(answers={"BANNER": silence})) as mute, SmtpPeer() as well:
        stuck = [job(at(mute, max_connections=2)) for _ in range(5)]
        world.begin(*stuck)
        await mute.until(lambda: len(mute.sessions) == 1)
        world.transmission.look(0)
        assert world.reported == []
        world.clock.advance(10 * SECOND)
        world.transmission.look(0)
        assert await world.outcomes(4) == [Outcome.ABANDONED] * 4
        assert {one.verdict.run_at for one in world.reported} == {NOON + 25 * SECOND}
        world.begin(job(at(well, 2)))
        assert (await world.outcomes(5))[4] is Outcome.DELIVERED


async def test_a_rate_is_kept_with_one_alarm_however_many_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, alarms = asyncio.get_running_loop(), list[float]()
    call_later = loop.call_later

    def counted(delay: float, callback: Any, *arguments: Any) -> Any:
        if "_ring" in repr(callback):
            alarms.append(delay)
        return call_later(delay, callback, *arguments)

    async with SmtpPeer() as peer:
        monkeypatch.setattr(loop, "call_later", counted)
        world.begin(*(job(at(peer, messages_per_second=0.5)) for _ in range(50)))
        await world.outcomes(1)
        assert alarms == [2.0]


async def test_expired_and_settled_and_test_mail_asks_no_server(world: World, nobody: ServerFacts) -> None:
    expired = job(nobody, expire_time=NOON)
    settled = job(nobody, recipients=())
    test = job(nobody)
    test.leased = dataclasses.replace(test.leased, email=dataclasses.replace(test.leased.email, test=True))
    world.begin(expired, settled, test)
    assert [one.verdict.next for one in world.reported] == [Next.DONE] * 3
    states = [[end.state for end in one.verdict.settled] for one in world.reported]
    assert states == [[RecipientState.EXPIRED], [], [RecipientState.DELIVERED]]


async def test_mail_that_expires_while_it_waits_for_a_slot_is_not_sent(world: World) -> None:
    async with SmtpPeer(Script(answers={"DOT": ["250 ok"]})) as peer:
        one, code = (
            job(at(peer, max_connections=1)),
            job(at(peer, max_connections=1), expire_time=NOON + SECOND),
        )
        world.begin(one, code)
        world.clock.advance(SECOND)
        await world.outcomes(2)
        assert len(peer.messages) == 1
    assert {one.leased.expire_time: one.verdict.settled[0].state for one in world.reported} == {
        one.leased.expire_time: RecipientState.DELIVERED, NOON + SECOND: RecipientState.EXPIRED
    }  # fmt: skip


async def test_a_cancel_takes_out_what_waits_and_stops_what_has_not_written_its_dot(world: World) -> None:
    async with SmtpPeer(Script(answers={"DATA": silence})) as peer:
        running, waiting = job(at(peer, max_connections=1)), job(at(peer, max_connections=1))
        world.begin(running, waiting)
        await peer.until(lambda: "DATA" in peer.commands)
        world.transmission.cancel(waiting)
        assert await world.outcomes(1) == [Outcome.ABANDONED]
        # Not only when the silence is over: it may last for minutes.
        world.transmission.cancel(running)
        assert await world.outcomes(2) == [Outcome.ABANDONED] * 2
        await peer.until_ended()
    assert peer.messages == []


@pytest.mark.parametrize("occasion", ["BANNER", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_cancel_is_noticed_in_every_phase_before_the_dot(world: World, occasion: str) -> None:
    async with SmtpPeer(Script(answers={occasion: [silence, DEFAULTS.get(occasion, "250 ok")]})) as peer:
        cancelled, other = job(at(peer, max_connections=1)), job(at(peer, max_connections=1))
        world.begin(cancelled, other)
        await peer.until(lambda: occasion in ["BANNER", *(c.split(" ")[0] for c in peer.commands)])
        await peer.until(lambda: len(peer.sessions) == 1)
        world.transmission.cancel(cancelled)
        assert await world.outcomes(2) == [Outcome.ABANDONED, Outcome.DELIVERED]
        assert world.breaker(1) is BreakerState.CLOSED
    assert len(peer.messages) == 1


async def test_a_cancel_behind_the_dot_comes_too_late(world: World) -> None:
    go_on = asyncio.Event()

    async def wait(session: Session) -> None:
        await go_on.wait()
        await session.say("250 ok")

    async with SmtpPeer(Script(answers={"DOT": wait})) as peer:
        one = job(at(peer))
        world.begin(one)
        await peer.until(lambda: len(peer.messages) == 1)
        world.transmission.cancel(one)
        go_on.set()
        assert await world.outcomes(1) == [Outcome.DELIVERED]


async def test_a_halt_stops_everything_before_its_dot_and_begins_nothing(world: World) -> None:
    async with SmtpPeer(Script(answers={"DATA": [silence, "354 go"]})) as peer:
        facts = at(peer, max_connections=1)
        world.begin(job(facts), job(facts))
        await peer.until(lambda: "DATA" in peer.commands)
        world.transmission.halt()
        assert await world.outcomes(2) == [Outcome.ABANDONED] * 2
        world.begin(job(facts))
        assert await world.outcomes(3) == [Outcome.ABANDONED] * 3
        world.transmission.go_on()
        world.begin(job(facts))
        assert (await world.outcomes(4))[3] is Outcome.DELIVERED
    assert len(peer.messages) == 1


@pytest.mark.parametrize("granted", [False, None])
async def test_a_mail_that_must_not_repeat_leaves_only_with_its_dot_marked(
    world: World, granted: bool | None
) -> None:
    world.marks.granted = granted
    async with SmtpPeer() as peer:
        world.begin(job(at(peer), at_most_once=True))
        assert await world.outcomes(1) == [Outcome.ABANDONED]
        world.marks.granted = True
        world.begin(job(at(peer), at_most_once=True))
        assert (await world.outcomes(2))[1] is Outcome.DELIVERED
    assert len(peer.messages) == 1


@BY_ITSELF
async def test_our_own_mistake_is_not_the_recipient_s(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Letters, "envelope", broken)
    async with SmtpPeer() as peer:
        world.begin(job(at(peer)))
        assert await world.outcomes(1) == [Outcome.LOCAL]
    (one,) = world.reported
    assert (one.verdict.counts_as_crash, one.verdict.settled) == (True, ())


@BY_ITSELF
async def test_a_database_that_is_away_is_no_mistake_in_the_mail(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> Any:
        raise Refusal(Reason.STORE_UNAVAILABLE, "away")

    monkeypatch.setattr(Letters, "envelope", away)
    async with SmtpPeer() as peer:
        world.begin(job(at(peer), crash_count=2))
        assert await world.outcomes(1) == [Outcome.ABANDONED]
    (one,) = world.reported
    assert (one.verdict.next, one.verdict.counts_as_crash) == (Next.READY, False)
