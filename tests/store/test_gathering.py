"""Gathering: one unit for many callers, and each caller's own outcome."""

import asyncio
import collections
import contextlib
import contextvars
import gc
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from postroom_server.refusals import Reason, Refusal
from postroom_server.store import door
from postroom_server.store import gathering as module
from postroom_server.store.gathering import Gathering
from postroom_server.store.unit import Store, unavailable

whose: contextvars.ContextVar[str] = contextvars.ContextVar("whose")


class SlowStore(Store):
    """Runs units at once, and answers when it is let."""

    def __init__(self) -> None:
        self.commits = asyncio.Semaphore(0)

    async def write_then(self, after: Callable[[Any], None], unit: Callable[[], Any]) -> Any:
        result = unit()
        await self.commits.acquire()
        after(result)
        return result

    async def write(self, unit: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        raise AssertionError

    async def read(self, unit: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        raise AssertionError

    def close(self) -> None: ...

    def let(self, units: int) -> None:
        for _ in range(units):
            self.commits.release()


class Desk:
    """What is written, unit by unit."""

    def __init__(self) -> None:
        self.units: list[list[str]] = []
        self.told: list[Sequence[Any]] = []
        self.prepared: list[str] = []

    def prepare(self, asked: str) -> str:
        if asked == "unreadable":
            raise Refusal(Reason.NO_RECIPIENTS, "nobody can read this")
        if asked == "wrong":
            raise ZeroDivisionError
        if asked == "whose":
            return whose.get()
        self.prepared.append(asked)
        return asked

    def unit(self, items: Sequence[str]) -> list[str | Refusal]:
        if "poison" in items:
            raise ValueError("this item cannot be written")
        self.units.append(list(items))
        return [self.outcome(items, item) for item in items]

    def outcome(self, items: Sequence[str], item: str) -> str | Refusal:
        try:
            if item == "refused":
                # Raised on the way, as they are: its traceback knows all that is written with it.
                raise Refusal(Reason.BACKLOG_FULL, "no room")
        except Refusal as refusal:
            return refusal
        return item.upper()


def gathering(store: Store, desk: Desk, **limits: int) -> Gathering[str, str, str]:
    return Gathering(store, desk.prepare, desk.unit, desk.told.append, size=len, **limits)


async def settled() -> None:
    """Lets everything that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_comes_while_a_unit_commits_is_one_unit() -> None:
    store, desk = SlowStore(), Desk()
    gather = gathering(store, desk)
    first = asyncio.create_task(gather.write("a"))
    await settled()
    rest = [asyncio.create_task(gather.write(item)) for item in "bcd"]
    await settled()
    store.let(2)
    assert await asyncio.gather(first, *rest) == ["A", "B", "C", "D"]
    assert desk.units == [["a"], ["b", "c", "d"]]


async def test_what_comes_in_one_turn_of_the_loop_is_one_unit() -> None:
    store, desk = SlowStore(), Desk()
    gather = gathering(store, desk)
    store.let(1)
    assert await asyncio.gather(*map(gather.write, "abc")) == ["A", "B", "C"]
    assert desk.units == [["a", "b", "c"]]
    assert desk.told == [["A", "B", "C"]]


async def test_nobody_is_answered_before_the_commit() -> None:
    store, desk = SlowStore(), Desk()
    waiting = asyncio.create_task(gathering(store, desk).write("a"))
    await settled()
    assert (desk.units, waiting.done()) == ([["a"]], False)
    store.let(1)
    assert await waiting == "A"


async def test_a_refusal_is_raised_to_its_caller_only() -> None:
    store, desk = SlowStore(), Desk()
    store.let(1)
    gather = gathering(store, desk)
    good, refused = await asyncio.gather(gather.write("a"), gather.write("refused"), return_exceptions=True)
    assert good == "A"
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.BACKLOG_FULL


async def test_what_cannot_be_prepared_is_refused_to_its_caller_and_not_written() -> None:
    store, desk = SlowStore(), Desk()
    store.let(1)
    gather = gathering(store, desk)
    answers = await asyncio.gather(*map(gather.write, ["a", "unreadable", "b"]), return_exceptions=True)
    assert answers[::2] == ["A", "B"]
    assert isinstance(answers[1], Refusal)
    assert desk.units == [["a", "b"]]


async def test_no_unit_is_begun_where_nothing_can_be_prepared() -> None:
    store, desk = SlowStore(), Desk()
    gather = gathering(store, desk)
    with pytest.raises(Refusal, match="nobody can read this"):
        await gather.write("unreadable")
    await settled()
    store.let(1)
    assert await gather.write("a") == "A"
    assert desk.units == [["a"]]


async def test_what_waits_is_prepared_when_its_unit_begins_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "OPENS_AFTER_SECONDS", 3600.0)
    store, desk = SlowStore(), Desk()
    gather = gathering(store, desk, most_rows=2)
    first = asyncio.create_task(gather.write("a"))
    await settled()
    rest = [asyncio.create_task(gather.write(asked)) for asked in "bcd"]
    await settled()
    assert desk.prepared == ["a"]
    store.let(3)
    await asyncio.gather(first, *rest)
    assert desk.prepared == ["a", "b", "c", "d"]


async def test_a_refusal_does_not_wait_for_the_commit_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "OPENS_AFTER_SECONDS", 0.001)
    store, desk = SlowStore(), Desk()
    gather = gathering(store, desk)
    first = asyncio.create_task(gather.write("a"))
    await settled()
    with pytest.raises(Refusal, match="nobody can read this"):
        await gather.write("unreadable")
    assert not first.done()
    store.let(1)
    assert await first == "A"


class Item(str):
    """Text that can be watched."""


@pytest.mark.parametrize("text", ["a", "unreadable", "wrong", "refused", "away"])
async def test_nothing_of_what_was_asked_stays_when_the_callers_are_answered(text: str) -> None:
    class AwayStore(SlowStore):
        async def write_then(self, after: Callable[[Any], None], unit: Callable[[], Any]) -> Any:
            unit()
            raise unavailable("the database is away")

    gc.collect()
    gc.disable()
    try:
        store, desk = AwayStore() if text == "away" else SlowStore(), Desk()
        desk.units = desk.told = desk.prepared = collections.deque(maxlen=0)  # type: ignore[assignment]
        store.let(1)
        gather = gathering(store, desk)
        asked = [Item(each) for each in ("x", text, "y")]
        alive = [weakref.ref(each) for each in asked]
        await asyncio.gather(*map(gather.write, asked), return_exceptions=True)
        await settled()
        del asked
        assert [each() for each in alive] == [None] * 3
    finally:
        gc.enable()


async def test_preparing_is_nobody_s_call() -> None:
    gather = gathering(SlowStore(), Desk())
    whose.set("the first caller's")
    with pytest.raises(LookupError):
        await gather.write("whose")


async def test_callers_who_are_refused_over_and_over_do_not_keep_others_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "SLICE_SECONDS", 0.0)
    store, desk = SlowStore(), Desk()
    store.let(1)
    gather = gathering(store, desk)
    done = False

    async def insist() -> None:
        while not done:
            with contextlib.suppress(Refusal):
                await gather.write("unreadable")

    insisting = [asyncio.create_task(insist()) for _ in range(8)]
    await asyncio.sleep(0)
    assert await gather.write("a") == "A"
    done = True
    await asyncio.gather(*insisting)


async def test_an_item_that_cannot_be_written_fails_alone() -> None:
    store, desk = SlowStore(), Desk()
    store.let(2)
    gather = gathering(store, desk)
    answers = await asyncio.gather(
        gather.write("a"), gather.write("poison"), gather.write("b"), return_exceptions=True
    )
    assert [answers[0], answers[2]] == ["A", "B"]
    assert isinstance(answers[1], ValueError)
    assert desk.units == [["a"], ["b"]]


async def test_a_store_that_refuses_refuses_everybody_once() -> None:
    class ClosedStore(SlowStore):
        async def write_then(self, after: Callable[[Any], None], unit: Callable[[], Any]) -> Any:
            raise unavailable("the store is closing")

    gather = gathering(ClosedStore(), Desk())
    answers = await asyncio.gather(gather.write("a"), gather.write("b"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Refusal, Refusal]


async def test_a_caller_who_left_is_not_written() -> None:
    store, desk = SlowStore(), Desk()
    gather = gathering(store, desk)
    first = asyncio.create_task(gather.write("a"))
    await settled()
    gone, stays = asyncio.create_task(gather.write("b")), asyncio.create_task(gather.write("c"))
    await settled()
    gone.cancel()
    store.let(2)
    assert await asyncio.gather(first, stays) == ["A", "C"]
    assert desk.units == [["a"], ["c"]]
    assert desk.prepared == ["a", "c"]


async def test_a_unit_is_cut_near_its_most_rows_and_never_empty() -> None:
    store, desk = SlowStore(), Desk()
    store.let(3)
    gather = gathering(store, desk, most_rows=4)
    await asyncio.gather(*map(gather.write, ["aa", "bb", "cc", "too long"]))
    assert desk.units == [["aa", "bb"], ["cc"], ["too long"]]


async def test_a_full_waiting_room_is_overloaded() -> None:
    store, desk = SlowStore(), Desk()
    gather = gathering(store, desk, most_waiting=1)
    first = asyncio.create_task(gather.write("a"))
    await settled()
    second = asyncio.create_task(gather.write("b"))
    await settled()
    with pytest.raises(Refusal) as caught:
        await gather.write("c")
    assert caught.value.reason is Reason.OVERLOADED
    store.let(2)
    assert await asyncio.gather(first, second) == ["A", "B"]


async def test_what_comes_after_a_rest_is_written_too() -> None:
    store, desk = SlowStore(), Desk()
    gather = gathering(store, desk)
    store.let(2)
    assert await gather.write("a") == "A"
    await settled()
    assert await gather.write("b") == "B"


async def test_as_many_as_came_together_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHER_SECONDS", 3600.0)
    store, desk = SlowStore(), Desk()
    store.let(2)
    gather = gathering(store, desk)
    await asyncio.gather(*map(gather.write, "abc"))
    two = [asyncio.create_task(gather.write(item)) for item in "de"]
    await settled()
    assert desk.units == [["a", "b", "c"]]
    assert await asyncio.gather(gather.write("f"), *two) == ["F", "D", "E"]
    assert desk.units == [["a", "b", "c"], ["d", "e", "f"]]


async def test_they_are_not_waited_for_longer_than_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHER_SECONDS", 0.001)
    store, desk = SlowStore(), Desk()
    store.let(3)
    gather = gathering(store, desk)
    await asyncio.gather(*map(gather.write, "abc"))
    assert await gather.write("d") == "D"
    monkeypatch.setattr(module, "GATHER_SECONDS", 3600.0)
    assert await gather.write("e") == "E"  # the one before came alone


async def test_after_a_rest_nobody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHER_SECONDS", 3600.0)
    monkeypatch.setattr(module, "FORGET_SECONDS", -1.0)
    store, desk = SlowStore(), Desk()
    store.let(2)
    gather = gathering(store, desk)
    await asyncio.gather(*map(gather.write, "abc"))
    await settled()
    assert await gather.write("d") == "D"
