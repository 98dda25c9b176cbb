"""Lists as the document's example shows one: 42 templates, and a page of two."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fakes import ManualClock
from gateway.sendcloud.face import Face, info_of, let_in, listening
from serving import serving


@pytest.fixture
async def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def timed(database: str, clock: ManualClock) -> AsyncIterator[Face]:
    async with serving(database, clock=clock) as served, listening(served.local) as port:
        yield await let_in(served, port)


async def test_the_total_counts_what_matches_and_the_count_what_is_shown(timed: Face) -> None:
    for n in range(42):
        await timed.add(invokeName=f"t{n}")
    await timed.add(invokeName="aside", isSubmitAudit="0")
    info = info_of(await timed.call("list", start="40", limit="3", templateStat="1"))
    assert (info["total"], info["count"]) == (42, 2)
    # All made in the same millisecond: then it is the order of their ids.
    assert [item["invokeName"] for item in info["dataList"]] == ["t40", "t41"]
    assert info_of(await timed.call("list"))["count"] == 43


async def test_times_are_those_of_beijing(timed: Face, clock: ManualClock) -> None:
    await timed.add()
    clock.advance(31_500)
    info_of(await timed.call("update", invokeName="testtemplate", name="later"))
    data = await timed.data()
    # Noon of UTC, and a little later; parts of a second are cut off.
    assert (data["gmtCreated"], data["gmtUpdated"]) == ("2026-06-01 20:00:00", "2026-06-01 20:00:31")


async def test_templates_come_in_the_order_of_their_creation(timed: Face, clock: ManualClock) -> None:
    for name in ("c", "a", "b"):
        await timed.add(invokeName=name)
        clock.advance(1000)
    info_of(await timed.call("update", invokeName="c", name="changed"))
    info = info_of(await timed.call("list"))
    assert [item["invokeName"] for item in info["dataList"]] == ["c", "a", "b"]


async def test_a_page_holds_a_hundred_unless_it_says_less(timed: Face) -> None:
    for n in range(101):
        await timed.add(invokeName=f"t{n}")
    info = info_of(await timed.call("list"))
    assert (info["count"], info["total"], len(info["dataList"])) == (100, 101, 100)
    assert info_of(await timed.call("list", limit="100", start="100"))["count"] == 1
