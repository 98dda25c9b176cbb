"""A process among others: numbers, beats, fences, and the rescue of the dead. PostgreSQL only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from delivery import ledgers
from delivery.ledgers import delivery, put_and_take
from fakes import ManualClock
from postroom_server.clock import MINUTE, SECOND
from postroom_server.delivery.worker import FencedError, Presence, Rhythm
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Delivery, Worker
from postroom_server.store.opening import Address, OpenDatabase, open_database
from postroom_server.store.unit import Store

pytestmark = pytest.mark.every_database
DATA_KEY = "5a" * 32


@pytest.fixture
def store(postgresql_database: str) -> Iterator[Store]:
    opened: OpenDatabase = open_database(
        Address(postgresql_database), key_text=DATA_KEY, key_file=None, auto_migrate=False
    )
    yield opened.store
    opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def one(store: Store, clock: ManualClock) -> Presence:
    return await claimed(store, clock)


@pytest.fixture
async def other(one: Presence, store: Store, clock: ManualClock) -> Presence:
    return await claimed(store, clock)


async def claimed(store: Store, clock: ManualClock) -> Presence:
    presence = Presence(store, clock)
    await presence.claim()
    return presence


def mint(presence: Presence, clock: ManualClock) -> IdMint:
    return IdMint(clock, node=presence.number, may_mint=presence.is_alive)


async def beat(presence: Presence, clock: ManualClock) -> list[int]:
    return await presence.beat(mint(presence, clock))


def workers() -> list[tuple[int, int]]:
    return [(row.id, row.beat) for row in Worker.select().order_by(Worker.id)]


async def test_each_process_takes_the_smallest_free_number(store: Store, clock: ManualClock) -> None:
    present = [await claimed(store, clock) for _ in range(3)]
    assert [presence.number for presence in present] == [1, 2, 3]
    await present[1].leave(mint(present[1], clock))
    assert (await claimed(store, clock)).number == 2


async def test_processes_that_start_together_take_different_numbers(store: Store, clock: ManualClock) -> None:
    present = await asyncio.gather(*(claimed(store, clock) for _ in range(6)))
    assert sorted(presence.number for presence in present) == [1, 2, 3, 4, 5, 6]


async def test_a_beat_raises_the_own_counter_and_tells_of_cancels(
    one: Presence, other: Presence, store: Store, clock: ManualClock
) -> None:
    mine, _ = await store.write(put_and_take, 1), await store.write(put_and_take, 2)
    assert await beat(one, clock) == []
    await store.write(lambda: Delivery.update(cancel_requested=True).execute())
    assert await beat(one, clock) == [mine.id]
    assert await store.read(workers) == [(1, 2), (2, 0)]


async def test_who_stands_still_for_a_minute_is_dead_and_is_rescued(
    one: Presence, other: Presence, store: Store, clock: ManualClock
) -> None:
    taken = await store.write(put_and_take, 1)
    await beat(other, clock)
    for _ in range(3):
        clock.advance(15 * SECOND)
        await beat(other, clock)
    assert (await store.read(delivery, taken.id))["state"] == "LEASED"
    clock.advance(15 * SECOND)
    await beat(other, clock)
    row = await store.read(delivery, taken.id)
    assert (row["state"], row["crash_count"]) == ("READY", 1)
    assert await store.read(workers) == [(2, 5)]


async def test_who_beats_is_left_alone(
    one: Presence, other: Presence, store: Store, clock: ManualClock
) -> None:
    for _ in range(20):
        await beat(one, clock)
        await beat(other, clock)
        clock.advance(14 * SECOND)
    assert [number for number, _ in await store.read(workers)] == [1, 2]


async def test_the_wall_clock_condemns_nobody(
    one: Presence, other: Presence, store: Store, clock: ManualClock
) -> None:
    await beat(other, clock)
    clock.set_back(-60 * MINUTE)
    await beat(other, clock)
    assert [number for number, _ in await store.read(workers)] == [1, 2]


async def test_who_was_declared_dead_learns_it_at_the_next_beat_and_leases_nothing(
    one: Presence, other: Presence, store: Store, clock: ManualClock
) -> None:
    await bury(one, other, clock)
    with pytest.raises(FencedError):
        await beat(one, clock)

    def lease() -> Any:
        taken = put_and_take(1)
        one.check_ours()
        return taken

    with pytest.raises(FencedError):
        await store.write(lease)
    assert await store.read(lambda: Delivery.select().count()) == 0
    await store.write(other.check_ours)


async def bury(dead: Presence, living: Presence, clock: ManualClock) -> None:
    await beat(living, clock)
    for _ in range(4):
        clock.advance(15 * SECOND)
        await beat(living, clock)


async def test_a_number_is_not_given_away_while_its_mail_is_being_rescued(
    one: Presence, other: Presence, store: Store, clock: ManualClock
) -> None:
    await store.write(put_and_take, 1)
    reached, go_on = asyncio.Event(), asyncio.Event()

    class Slow(type(store)):  # type: ignore[misc]
        async def write(self, unit: Any, *args: Any, **kwargs: Any) -> Any:
            if unit.__name__ == "rescue":
                reached.set()
                await go_on.wait()
            return await super().write(unit, *args, **kwargs)

    await beat(other, clock)
    for _ in range(3):
        clock.advance(15 * SECOND)
        await beat(other, clock)
    clock.advance(15 * SECOND)
    store.__class__ = Slow
    rescuing = asyncio.create_task(beat(other, clock))
    await reached.wait()
    newcomer = await claimed(store, clock)
    assert newcomer.number == 3
    go_on.set()
    await rescuing
    assert [number for number, _ in await store.read(workers)] == [2, 3]
    assert (await claimed(store, clock)).number == 1


async def test_who_could_not_see_the_database_condemns_nobody_afterwards(
    one: Presence, other: Presence, store: Store, clock: ManualClock
) -> None:
    await beat(one, clock)
    await beat(other, clock)
    clock.advance(10 * MINUTE)  # the database was away, and everybody stood still
    await beat(other, clock)
    await beat(one, clock)
    assert [number for number, _ in await store.read(workers)] == [1, 2]
    for _ in range(5):
        clock.advance(15 * SECOND)
        await beat(other, clock)
    assert [number for number, _ in await store.read(workers)] == [2]


async def test_ids_are_made_only_while_others_surely_believe_in_the_process(
    one: Presence, clock: ManualClock
) -> None:
    own = mint(one, clock)
    clock.advance(45 * SECOND - 1)
    assert own.one()
    clock.advance(1)
    with pytest.raises(Refusal) as caught:
        own.one()
    assert caught.value.reason is Reason.STORE_UNAVAILABLE


async def test_leaving_rescues_what_is_left_and_frees_the_number(
    one: Presence, store: Store, clock: ManualClock
) -> None:
    taken = await store.write(put_and_take, 1)
    await one.leave(mint(one, clock))
    assert (await store.read(delivery, taken.id))["state"] == "READY"
    assert await store.read(workers) == []


async def test_leaving_touches_nothing_of_whoever_has_the_number_now(
    one: Presence, other: Presence, store: Store, clock: ManualClock
) -> None:
    await bury(one, other, clock)
    newcomer = await claimed(store, clock)
    assert newcomer.number == 1
    taken = await store.write(put_and_take, 1)
    await one.leave(mint(newcomer, clock))
    assert (await store.read(delivery, taken.id))["state"] == "LEASED"
    assert [number for number, _ in await store.read(workers)] == [1, 2]
    assert ledgers.IDLE


class Broken:
    """A store that answers, refuses or hangs as told."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.way = "well"

    async def write(self, *args: Any) -> Any:
        if self.way == "refuses":
            raise Refusal(Reason.STORE_UNAVAILABLE, "away")
        if self.way == "hangs":
            await asyncio.Event().wait()
        return await self._store.write(*args)

    async def read(self, *args: Any) -> Any:
        return await self._store.read(*args)


@pytest.mark.parametrize("way", ["refuses", "hangs"])
async def test_a_process_that_cannot_beat_falls_silent_in_time_and_comes_back(store: Store, way: str) -> None:
    broken, told = Broken(store), asyncio.Queue[str]()
    presence = Presence(broken, clock := RealTime(), Rhythm(0.02, 0.4))  # type: ignore[arg-type]
    await presence.claim()
    own = IdMint(clock, node=presence.number, may_mint=presence.is_alive)
    beating = asyncio.create_task(
        presence.beat_forever(
            own,
            on_cancels=lambda _: None,
            on_silent=lambda: told.put_nowait("silent"),
            on_heard=lambda: told.put_nowait("heard"),
            on_fenced=lambda: told.put_nowait("fenced"),
        )
    )
    broken.way = way
    begun = clock.monotonic()
    async with asyncio.timeout(10):
        assert await told.get() == "silent"
        assert clock.monotonic() - begun >= 0.25
        assert not presence.is_alive()
        broken.way = "well"
        assert await told.get() == "heard"
        assert presence.is_alive()
        await store.write(lambda: Worker.update(incarnation="rescued by somebody").execute())
        assert await told.get() == "fenced"
        await beating


class RealTime(ManualClock):
    """The machine's monotonic clock: `beat_forever` sleeps by it."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()
