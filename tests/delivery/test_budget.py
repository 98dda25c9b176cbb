"""A budget: first come, first served, never more than there is, and nothing is lost by those who leave."""

from __future__ import annotations

import asyncio

import pytest

from postroom_server.delivery.budget import Budget


class Desk:
    """Who holds a part of the budget; `leave` lets one go."""

    def __init__(self, total: int) -> None:
        self.budget = Budget(total)
        self.inside: dict[str, int] = {}
        self._leaving: dict[str, asyncio.Event] = {}

    async def hold(self, name: str, amount: int) -> None:
        leaving = self._leaving[name] = asyncio.Event()
        async with self.budget.hold(amount):
            self.inside[name] = amount
            await leaving.wait()
        del self.inside[name]

    async def come(self, name: str, amount: int) -> asyncio.Task[None]:
        task = asyncio.create_task(self.hold(name, amount))
        await turns()
        return task

    async def leave(self, name: str) -> None:
        self._leaving[name].set()
        await turns()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_fits_goes_in_and_the_rest_waits_in_order() -> None:
    desk = Desk(10)
    tasks = [await desk.come(name, amount) for name, amount in (("a", 6), ("b", 4), ("c", 5), ("d", 1))]
    assert set(desk.inside) == {"a", "b"}
    await desk.leave("b")
    assert set(desk.inside) == {"a"}  # d would fit, but c came first
    await desk.leave("a")
    assert set(desk.inside) == {"c", "d"}
    await desk.leave("c")
    await desk.leave("d")
    await asyncio.gather(*tasks)


async def test_more_than_all_of_it_goes_alone() -> None:
    desk = Desk(10)
    tasks = [await desk.come("giant", 99), await desk.come("small", 1)]
    assert set(desk.inside) == {"giant"}
    await desk.leave("giant")
    assert set(desk.inside) == {"small"}
    await desk.leave("small")
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("has_its_turn", [False, True])
async def test_who_leaves_the_line_takes_nothing_along(has_its_turn: bool) -> None:
    desk = Desk(10)
    first, gone, last = [await desk.come(name, 10) for name in ("first", "gone", "last")]
    if has_its_turn:
        desk._leaving["first"].set()
        await asyncio.sleep(0)  # it has its turn, and has not been told yet
        assert desk.budget._left == 0
        assert "first" not in desk.inside
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    if not has_its_turn:
        await desk.leave("first")
    await turns()
    assert set(desk.inside) == {"last"}
    await desk.leave("last")
    await asyncio.gather(first, last)
    async with desk.budget.hold(10):
        assert desk.budget._left == 0
    assert desk.budget._left == 10
