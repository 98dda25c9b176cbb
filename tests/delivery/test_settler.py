"""The settler: outcomes reach the database together, late or not at all, and never hold each other up."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from delivery.values import DELIVERED, leased, middle
from fakes import NOON, ManualClock
from postroom_server.delivery import settler
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.rescue import Rescued
from postroom_server.delivery.settler import Settler
from postroom_server.delivery.verdict import judge, judge_crashed
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.ids import IdMint


def settlement(id_: int) -> Settlement:
    one = leased(id=id_)
    return Settlement(one, judge(one, DELIVERED, now=NOON, uniform=middle), DELIVERED, 1, NOON, NOON)


class Table:
    """In place of a store: keeps what settles, and fails as told."""

    def __init__(self) -> None:
        self.written: list[list[int]] = []
        self.given_back: list[int] = []
        self.attempt_ids: list[list[int]] = []
        self.away = False
        self.poison: set[int] = set()
        self.tries = 0

    async def write(self, unit: Callable[..., Any], owner: int, batch: Any, *rest: Any) -> Any:
        self.tries += 1
        await asyncio.sleep(0)
        if unit is settler._rescue_unit:
            if self.away:
                raise Refusal(Reason.STORE_UNAVAILABLE, "away")
            self.given_back.append(batch.leased.id)
            return Rescued(ready=1)
        ids = [one.leased.id for one in batch]
        self.attempt_ids.append(rest[0])
        if self.away:
            raise Refusal(Reason.STORE_UNAVAILABLE, "away")
        if self.poison & set(ids):
            raise ValueError("a bad row")
        self.written.append(ids)
        return []


class World:
    def __init__(self) -> None:
        self.table = Table()
        self.settled: list[int] = []
        self.rescued: list[Rescued] = []
        self.news = asyncio.Event()
        clock = ManualClock()
        self.settler = Settler(
            self.table, IdMint(clock), clock,  # type: ignore[arg-type]
            owner=1, on_settled=self._heard, on_rescued=self.rescued.append,
            gather_seconds=0.001, retry_seconds=0.001,
        )  # fmt: skip

    def _heard(self, batch: Sequence[Settlement]) -> None:
        self.settled += [one.leased.id for one in batch]
        self.news.set()

    async def until(self, truth: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not truth():
                self.news.clear()
                await self.news.wait()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    running = asyncio.create_task(world.settler.run())
    yield world
    world.settler.close()
    async with asyncio.timeout(10):
        await running


async def test_what_comes_together_is_written_together(world: World) -> None:
    for id_ in range(300):
        world.settler.report(settlement(id_))
    await world.until(lambda: len(world.settled) == 300)
    assert [len(batch) for batch in world.table.written] == [256, 44]
    assert world.settled == list(range(300))


async def test_an_outcome_waits_for_a_database_that_is_away(world: World) -> None:
    world.table.away = True
    world.settler.report(settlement(1))
    async with asyncio.timeout(10):
        while world.table.tries < 10:  # noqa: ASYNC110 - a table has nobody to tell
            await asyncio.sleep(0.001)
    assert world.settled == []
    world.settler.report(settlement(2))
    world.table.away = False
    await world.until(lambda: len(world.settled) == 2)
    assert world.table.written == [[1], [2]]
    # Nobody knows whether one of the tries was committed all the same.
    assert all(ids == world.table.attempt_ids[0] for ids in world.table.attempt_ids[:-1])
    assert world.table.attempt_ids[-1] != world.table.attempt_ids[0]


async def test_one_bad_row_holds_nobody_up(world: World) -> None:
    world.table.poison = {2}
    for id_ in (1, 2, 3):
        world.settler.report(settlement(id_))
    await world.until(lambda: {1, 2, 3} <= set(world.settled))
    assert (world.table.written, world.table.given_back) == ([[1], [3]], [2])
    world.settler.report(settlement(4))
    await world.until(lambda: 4 in world.settled)


async def test_what_a_crash_has_left_is_rescued_and_the_others_are_settled(world: World) -> None:
    crashed = dataclasses.replace(settlement(2), verdict=judge_crashed(leased(), NOON))
    for one in (settlement(1), crashed, settlement(3)):
        world.settler.report(one)
    await world.until(lambda: {1, 2, 3} <= set(world.settled))
    assert (world.table.written, world.table.given_back) == ([[1, 3]], [2])
    assert world.rescued == [Rescued(ready=1)]


async def test_what_cannot_be_settled_waits_for_the_database_to_be_given_back(world: World) -> None:
    world.table.poison = {2}
    world.table.away = True
    world.settler.report(settlement(2))
    async with asyncio.timeout(10):
        while world.table.tries < 3:  # noqa: ASYNC110 - a table has nobody to tell
            await asyncio.sleep(0.001)
    world.table.away = False
    await world.until(lambda: 2 in world.settled)
    assert world.table.given_back == [2]


async def test_closing_writes_what_was_reported() -> None:
    world = World()
    world.settler.report(settlement(1))
    world.settler.close()
    async with asyncio.timeout(10):
        await world.settler.run()
    assert world.table.written == [[1]]


async def test_closing_ends_what_has_waited_long(world: World) -> None:
    world.table.away = True
    world.settler.report(settlement(1))
    async with asyncio.timeout(10):
        while world.table.tries < 10:  # noqa: ASYNC110 - a table has nobody to tell
            await asyncio.sleep(0.001)


async def test_closing_does_not_wait_for_ever_for_a_database_that_is_away() -> None:
    world = World()
    world.table.away = True
    world.settler.report(settlement(1))
    world.settler.close()
    async with asyncio.timeout(10):
        await world.settler.run()
    assert (world.table.written, world.table.tries, world.settled) == ([], 3, [1])
