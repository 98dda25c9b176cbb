"""Group commit: many units in one transaction, each with its own fate, none answered before the COMMIT."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from typing import Any

import apsw
import peewee
import pytest

from postroom_server.store import sqlite_writer
from postroom_server.store.models import bound
from postroom_server.store.sqlite import SqliteStore
from postroom_server.store.unit import Store
from store.units import NAMES, as_one_group, held, names, put, putting

Outside = Callable[[str], list[tuple[Any, ...]]]
MakeStore = Callable[..., SqliteStore]


@pytest.fixture
def database(sqlite_database: str) -> str:
    return sqlite_database


@pytest.mark.usefixtures("slow_machine")
async def test_a_unit_that_raises_leaves_its_neighbours_committed(store: Store, outside: Outside) -> None:
    def guilty() -> None:
        put("t.guilty")
        raise LookupError

    before, failed, after = await as_one_group(store, putting("t.a"), guilty, putting("t.b"))
    assert (before, after) == ("t.a", "t.b")
    assert isinstance(failed, LookupError)
    assert outside(NAMES) == [("t.a",), ("t.b",)]


@pytest.mark.usefixtures("slow_machine")
async def test_a_group_is_one_transaction(store: Store, outside: Outside) -> None:
    seen: list[list[tuple[Any, ...]]] = []
    async with held(store):
        writing = [
            asyncio.create_task(store.write_then(lambda _: seen.append(outside(NAMES)), putting(name)))
            for name in ("t.a", "t.b")
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*writing)
    assert seen == [[("t.a",), ("t.b",)]] * 2


@pytest.mark.usefixtures("slow_machine")
async def test_nothing_is_answered_or_visible_before_the_commit(store: Store, outside: Outside) -> None:
    """The group's last unit looks around: its neighbours have run, and nobody knows."""
    seen: list[Any] = []
    async with held(store):
        first = asyncio.create_task(store.write(put, "t.a"))
        await asyncio.sleep(0)

        def look() -> None:
            seen.append((names(), outside(NAMES), first.done()))

        last = asyncio.create_task(store.write(look))
        await asyncio.sleep(0)
    await asyncio.gather(first, last)
    assert seen == [(["t.a"], [], False)]
    assert outside(NAMES) == [("t.a",)]


@pytest.mark.usefixtures("slow_machine")
async def test_a_rollback_by_sqlite_fails_the_guilty_unit_only(store: Store, outside: Outside) -> None:
    outside(
        "CREATE TRIGGER explode BEFORE INSERT ON fact WHEN NEW.name = 't.guilty' "
        "BEGIN SELECT RAISE(ROLLBACK, 'boom'); END"
    )
    runs: list[str] = []
    seen_after: dict[str, list[tuple[Any, ...]]] = {}

    def innocent(name: str) -> str:
        runs.append(name)
        return put(name)

    def see(name: str) -> None:
        seen_after[name] = outside(NAMES)

    async with held(store):
        innocents = [
            asyncio.create_task(store.write_then(see, functools.partial(innocent, name)))
            for name in ("t.a", "t.b")
        ]
        await asyncio.sleep(0)
        guilty = asyncio.create_task(store.write(put, "t.guilty"))
        await asyncio.sleep(0)
        later = asyncio.create_task(store.write_then(see, functools.partial(innocent, "t.c")))
        await asyncio.sleep(0)
    with pytest.raises(peewee.IntegrityError, match="boom"):
        await guilty
    assert [await task for task in (*innocents, later)] == ["t.a", "t.b", "t.c"]
    # Those before it ran twice, for SQLite had undone them; the one after it had not begun.
    assert runs == ["t.a", "t.b", "t.a", "t.b", "t.c"]
    assert all((name,) in rows for name, rows in seen_after.items())
    assert outside(NAMES) == [("t.a",), ("t.b",), ("t.c",)]


@pytest.mark.usefixtures("slow_machine")
async def test_a_unit_that_swallows_the_rollback_fails_and_its_neighbours_do_not(
    store: Store, outside: Outside
) -> None:
    outside(
        "CREATE TRIGGER explode BEFORE INSERT ON fact WHEN NEW.name = 't.guilty' "
        "BEGIN SELECT RAISE(ROLLBACK, 'boom'); END"
    )

    def swallow() -> None:
        put("t.before")
        with contextlib.suppress(peewee.IntegrityError):
            put("t.guilty")

    before, failed, after = await as_one_group(store, putting("t.a"), swallow, putting("t.b"))
    assert (before, after) == ("t.a", "t.b")
    assert isinstance(failed, RuntimeError)
    assert outside(NAMES) == [("t.a",), ("t.b",)]


@pytest.mark.usefixtures("slow_machine")
async def test_a_unit_that_rolls_back_by_itself_fails_and_its_neighbours_do_not(
    store: Store, outside: Outside
) -> None:
    def ends() -> None:
        put("t.guilty")
        bound.connection().execute("ROLLBACK")

    before, failed, after = await as_one_group(store, putting("t.a"), ends, putting("t.b"))
    assert (before, after) == ("t.a", "t.b")
    assert isinstance(failed, RuntimeError)
    assert outside(NAMES) == [("t.a",), ("t.b",)]


@pytest.mark.usefixtures("slow_machine")
async def test_a_failed_commit_fails_every_unit_of_its_group_and_stores_nothing(
    make_store: MakeStore, outside: Outside
) -> None:
    outside("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    outside("CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
    store = make_store(pragmas={"foreign_keys": 1})
    followed: list[str] = []

    def orphan() -> None:
        bound.connection().execute("INSERT INTO child VALUES (7)")  # noticed by COMMIT alone

    async with held(store):
        writing = [
            asyncio.create_task(store.write_then(followed.append, putting("t.a"))),
            asyncio.create_task(store.write(orphan)),
            asyncio.create_task(store.write_then(followed.append, putting("t.b"))),
        ]
        await asyncio.sleep(0)
    results = await asyncio.gather(*writing, return_exceptions=True)
    assert [type(result) for result in results] == [apsw.ConstraintError] * 3
    assert followed == []
    assert outside("SELECT count(*) FROM child") == [(0,)]
    assert outside(NAMES) == []
    assert await store.write(put, "t.c") == "t.c"
    assert outside(NAMES) == [("t.c",)]


@pytest.mark.usefixtures("slow_machine")
async def test_a_group_holds_256_units_at_most(store: Store, outside: Outside) -> None:
    committed: list[int] = []
    async with held(store):
        writing = [
            asyncio.create_task(
                store.write_then(lambda _: committed.append(len(outside(NAMES))), putting(f"t.{n:03}"))
            )
            for n in range(300)
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*writing)
    assert committed == [256] * 256 + [300] * 44


async def test_a_group_ends_after_20_milliseconds(
    store: Store, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "GROUP_SECONDS", -1.0)  # each unit outlives its group's time
    committed: list[int] = []
    async with held(store):
        writing = [
            asyncio.create_task(
                store.write_then(lambda _: committed.append(len(outside(NAMES))), putting(f"t.{n}"))
            )
            for n in range(3)
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*writing)
    assert committed == [1, 2, 3]


def test_the_bounds_of_a_group_are_those_of_the_design() -> None:
    assert (sqlite_writer.GROUP_UNITS, sqlite_writer.GROUP_SECONDS) == (256, 0.020)


async def test_a_commit_is_synced_to_disk(store: Store) -> None:
    def pragmas() -> list[Any]:
        return [
            bound.connection().execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        ]

    assert await store.write(pragmas) == ["wal", 2]  # 2 is FULL


async def test_a_cancelled_caller_does_not_undo_a_unit_that_has_begun(store: Store) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def unit() -> None:
        put("t.a")
        begun.set()
        assert go_on.wait(10)

    writing = asyncio.create_task(store.write(unit))
    assert await asyncio.to_thread(begun.wait, 10)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    go_on.set()
    assert await store.write(names) == ["t.a"]


async def test_a_caller_cancelled_before_its_unit_began_is_skipped(store: Store) -> None:
    async with held(store):
        skipped = asyncio.create_task(store.write(put, "t.skipped"))
        kept = asyncio.create_task(store.write(put, "t.kept"))
        await asyncio.sleep(0)
        skipped.cancel()
    await kept
    with pytest.raises(asyncio.CancelledError):
        await skipped
    assert await store.read(names) == ["t.kept"]


async def test_a_caller_cancelled_while_an_earlier_part_of_its_group_ran_is_skipped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writer, "GROUP_SECONDS", -1.0)
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert go_on.wait(10)

    async with held(store):
        first = asyncio.create_task(store.write(wait))
        skipped = asyncio.create_task(store.write(put, "t.skipped"))
        await asyncio.sleep(0)
    assert await asyncio.to_thread(begun.wait, 10)
    skipped.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await first
    assert await store.write(names) == []
