"""The engine at work over a real store and real conversations: what comes back, and who waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from acceptance.world import World, mail, parsed, serving
from peers.smtp_peer import Script, SmtpPeer, silence
from postroom.v1 import event_pb2
from postroom_server.clock import HOUR, SECOND
from postroom_server.delivery.lease import ALONE
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Attempt, Delivery


@pytest.fixture
async def world(database: str) -> AsyncIterator[World]:
    async with serving(database, drain_seconds=0) as world:
        await world.furnish()
        yield world


def rows(*columns: Any) -> list[tuple[Any, ...]]:
    return list(Delivery.select(*columns).order_by(Delivery.id).tuples())


async def send_alone(world: World, *subjects: str) -> None:
    """Mail whose process has crashed, due now."""
    for subject in subjects:
        await world.call("SendEmail", mail(subject=subject, schedule_time=world.at(HOUR)))

    def crash() -> None:
        Delivery.update(lane=1 + ALONE, crash_count=1, run_at=0).execute()

    await world.running.store.write(crash)


def subjects(peer: SmtpPeer) -> list[str]:
    return [str(parsed(message)["Subject"]) for message in peer.messages]


@pytest.mark.every_database
async def test_a_lease_whose_commit_went_unanswered_is_taken_back_and_sent_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = world.running.store
    write, lost = store.write, list[Any]()

    async def lossy(unit: Callable[..., Any], *args: Any) -> Any:
        result = await write(unit, *args)
        if unit.__name__ == "_lease_unit" and result[0] and not lost:
            lost.append(result)
            raise Refusal(Reason.STORE_UNAVAILABLE, "the line was cut")
        return result

    monkeypatch.setattr(store, "write", lossy)
    async with SmtpPeer() as peer:
        await world.add_server(peer.port)
        email = await world.settled(await world.send())
        assert (len(lost), len(peer.messages), email.ambiguous_count) == (1, 1, 0)
    # The lease of which nobody heard has left no trace.
    assert await store.read(rows, Delivery.transactions, Delivery.crash_count) == [(1, 0)]


@pytest.mark.every_database
async def test_a_settle_whose_commit_went_unanswered_is_told_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = world.running.store
    write, lost = store.write, list[Any]()

    async def lossy(unit: Callable[..., Any], *args: Any) -> Any:
        result = await write(unit, *args)
        if unit.__name__ == "settle_once" and not lost:
            lost.append(result)
            raise Refusal(Reason.STORE_UNAVAILABLE, "the line was cut")
        return result

    monkeypatch.setattr(store, "write", lossy)
    async with SmtpPeer() as peer:
        await world.add_server(peer.port)
        await world.settled(await world.send())
        async with asyncio.timeout(10):
            while world.running.engine.in_hand:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
    assert len(lost) == 1
    assert await store.read(lambda: Attempt.select().count()) == 1
    assert event_pb2.EVENT_KIND_ATTEMPT_LATE not in {event.kind for event in await world.events()}


@pytest.mark.every_database
async def test_who_is_leased_alone_and_waits_for_a_tarpit_holds_up_nobody_else(world: World) -> None:
    async with SmtpPeer(Script(answers={"DOT": silence})) as tarpit, SmtpPeer() as peer:
        for server in (tarpit, peer):
            await world.add_server(server.port)
        await send_alone(world, "first", "second", "third")
        await peer.until(lambda: len(peer.messages) == 2)
        assert (subjects(tarpit), sorted(subjects(peer))) == (["first"], ["second", "third"])
        state = await world.running.store.read(rows, Delivery.state, Delivery.phase)
        assert state[0] == ("LEASED", "WAITING")


async def test_only_who_has_begun_to_wait_makes_room_for_the_next(world: World) -> None:
    async with SmtpPeer(Script(answers={"DOT": silence})) as tarpit:
        await world.add_server(tarpit.port)
        await send_alone(world, "first", "second")
        await tarpit.until(lambda: len(tarpit.messages) == 1)
        leased = [row for row in await world.running.store.read(rows, Delivery.state) if row == ("LEASED",)]
        assert len(leased) == 1


async def test_a_clock_that_is_set_back_does_not_make_mail_wait_longer(sqlite_database: str) -> None:
    greylisting = Script(answers={"DOT": ["451 4.7.1 later", "250 ok"]})
    async with serving(sqlite_database) as world, SmtpPeer(greylisting) as peer:
        await world.furnish()
        await world.add_server(peer.port)
        await world.send(subject="scheduled", schedule_time=world.at(HOUR))
        due = await world.send(subject="due")
        await world.once(due, lambda email: len(email.attempts) == 1)
        world.clock.leap(-10 * HOUR)
        # A minute later, and not ten hours and a minute.
        await asyncio.sleep(0.3)
        world.clock.leap(75 * SECOND)
        await peer.until(lambda: len(peer.messages) == 2)
        assert subjects(peer) == ["due", "due"]
        world.clock.leap(11 * HOUR)
        await peer.until(lambda: len(peer.messages) == 3)


async def test_who_is_no_longer_believed_in_writes_no_dot(world: World) -> None:
    handover = world.running.engine._transmission._handover
    handover._is_believed = lambda: False
    async with SmtpPeer() as peer:
        await world.add_server(peer.port)
        email_id = await world.send()
        await peer.until(lambda: "DATA" in peer.commands)
        await peer.until_ended()
        assert peer.messages == []
        handover._is_believed = lambda: True
        email = await world.settled(email_id)
        assert (len(peer.messages), email.ambiguous_count) == (1, 0)
