"""What a unit of work may rely on, whichever database is behind it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import peewee
import pytest

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import bound
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.unit import Store
from store.units import NAMES, names, put

pytestmark = pytest.mark.every_database
Outside = Callable[[str], list[tuple[Any, ...]]]


async def test_a_write_answers_with_what_its_unit_returned(store: Store) -> None:
    assert await store.write(put, "t.a", value="one") == "one"


async def test_a_write_is_durable_when_it_answers(store: Store, outside: Outside) -> None:
    await store.write(put, "t.a")
    assert outside(NAMES) == [("t.a",)]


async def test_a_read_answers_with_what_its_unit_returned(store: Store) -> None:
    await store.write(put, "t.a")
    assert await store.read(names) == ["t.a"]


async def test_an_exception_reaches_the_caller_and_nothing_of_its_unit_stays(store: Store) -> None:
    error = LookupError("no such thing")

    def unit() -> None:
        put("t.a")
        raise error

    with pytest.raises(LookupError) as caught:
        await store.write(unit)
    assert caught.value is error
    assert await store.read(names) == []


async def test_a_second_row_with_the_same_key_is_an_integrity_error(store: Store) -> None:
    await store.write(put, "t.a")
    with pytest.raises(peewee.IntegrityError):
        await store.write(put, "t.a")
    assert await store.write(put, "t.b", value="still well") == "still well"


def begins() -> None:
    with bound.atomic():
        put("t.a")


def commits() -> None:
    bound.connection().execute("COMMIT")


@pytest.mark.parametrize("unit", [begins, commits])
async def test_a_unit_that_handles_transactions_itself_is_told_off(
    store: Store, unit: Callable[[], None]
) -> None:
    with pytest.raises((RuntimeError, peewee.OperationalError)):
        await store.write(unit)
    assert await store.write(put, "t.b", value="still well") == "still well"


async def test_a_read_passes_its_exception_on_and_leaves_the_connection_usable(store: Store) -> None:
    def unit() -> None:
        names()
        raise LookupError

    for _ in range(20):
        with pytest.raises(LookupError):
            await store.read(unit)
    assert await store.read(names) == []


async def test_a_read_sees_one_view_however_long_it_takes(store: Store) -> None:
    looked, go_on = threading.Event(), threading.Event()

    def twice() -> tuple[list[str], list[str]]:
        first = names()
        looked.set()
        assert go_on.wait(10)
        return first, names()

    await store.write(put, "t.a")
    reading = asyncio.create_task(store.read(twice))
    assert await asyncio.to_thread(looked.wait, 10)
    await store.write(put, "t.b")
    go_on.set()
    assert await reading == (["t.a"], ["t.a"])
    assert await store.read(names) == ["t.a", "t.b"]


async def test_a_read_cannot_write(store: Store) -> None:
    with pytest.raises((peewee.OperationalError, peewee.InternalError)):
        await store.read(put, "t.a")
    assert await store.read(names) == []


async def test_what_follows_a_write_gets_its_result_after_the_commit(store: Store, outside: Outside) -> None:
    seen: list[tuple[str, list[tuple[Any, ...]]]] = []
    answer = await store.write_then(
        lambda result: seen.append((result, outside(NAMES))), lambda: put("t.a", "one")
    )
    assert answer == "one"
    assert seen == [("one", [("t.a",)])]


async def test_nothing_follows_a_write_that_failed(store: Store) -> None:
    followed: list[str] = []

    def unit() -> str:
        raise LookupError

    with pytest.raises(LookupError):
        await store.write_then(followed.append, unit)
    assert followed == []


async def test_a_mistake_in_what_follows_does_not_turn_a_stored_write_into_a_failure(store: Store) -> None:
    def follow(result: str) -> None:
        raise LookupError(result)

    assert await store.write_then(follow, lambda: put("t.a", "one")) == "one"
    assert await store.write(put, "t.b", value="two") == "two"
    assert await store.read(names) == ["t.a", "t.b"]


async def test_what_follows_runs_although_the_caller_has_left(store: Store) -> None:
    begun, go_on, followed = threading.Event(), threading.Event(), threading.Event()

    def unit() -> None:
        put("t.a")
        begun.set()
        assert go_on.wait(10)

    writing = asyncio.create_task(store.write_then(lambda _: followed.set(), unit))
    assert await asyncio.to_thread(begun.wait, 10)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    go_on.set()
    assert await asyncio.to_thread(followed.wait, 10)
    assert await store.read(names) == ["t.a"]


async def test_many_callers_at_once_each_get_their_own_answer(store: Store) -> None:
    answers = await asyncio.gather(*(store.write(put, f"t.{n}", value=str(n)) for n in range(200)))
    assert answers == [str(n) for n in range(200)]
    assert len(await store.read(names)) == 200


async def test_closing_lets_what_waits_finish(opened: OpenDatabase, outside: Outside) -> None:
    writing = [asyncio.create_task(opened.store.write(put, f"t.{n:02}")) for n in range(40)]
    await asyncio.sleep(0)
    await asyncio.to_thread(opened.store.close)
    await asyncio.gather(*writing)
    assert outside(NAMES) == [(f"t.{n:02}",) for n in range(40)]


async def test_a_closed_store_refuses_and_says_when_to_come_again(opened: OpenDatabase) -> None:
    opened.store.close()
    for call in (opened.store.write(put, "t.a"), opened.store.read(names)):
        with pytest.raises(Refusal) as refused:
            await call
        assert refused.value.reason is Reason.STORE_UNAVAILABLE
        assert refused.value.retry_after


async def test_closing_twice_is_closing_once(opened: OpenDatabase) -> None:
    await opened.store.write(put, "t.a")
    opened.store.close()
    opened.store.close()
