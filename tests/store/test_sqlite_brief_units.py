"""Brief units: run where the caller is when the writer is idle, and as durable as all others."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import peewee
import pytest

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Fact, bound
from postroom_server.store.sqlite import SqliteStore
from postroom_server.store.unit import Store
from store.units import NAMES, held, names, put, putting

Outside = Callable[[str], list[tuple[Any, ...]]]
MakeStore = Callable[..., SqliteStore]
EXPLODE = (
    "CREATE TRIGGER explode BEFORE INSERT ON fact WHEN NEW.name = 't.guilty' "
    "BEGIN SELECT RAISE(ROLLBACK, 'boom'); END"
)


@pytest.fixture
def database(sqlite_database: str) -> str:
    return sqlite_database


def where(name: str, ran: list[str]) -> Callable[[], str]:
    """A unit that notes the thread it runs on."""

    def unit() -> str:
        ran.append(threading.current_thread().name)
        return put(name)

    return unit


async def idle(store: Store) -> None:
    """The writer has a connection and nothing to do."""
    await store.write(names)


def ignore(_: object) -> None: ...


async def test_an_idle_writer_lends_its_connection_and_commits(store: Store, outside: Outside) -> None:
    await idle(store)
    ran: list[str] = []
    committed: list[tuple[str, list[tuple[Any, ...]]]] = []

    def after(_: object) -> None:
        committed.append((threading.current_thread().name, outside(NAMES)))

    assert await store.write_briefly(after, where("t.a", ran)) == "t.a"
    assert ran == [threading.current_thread().name]
    assert committed == [("store-writer", [("t.a",)])]


async def test_behind_other_work_a_brief_unit_queues(store: Store, outside: Outside) -> None:
    ran: list[str] = []
    async with held(store):
        writing = asyncio.create_task(store.write_briefly(ignore, where("t.a", ran)))
        await asyncio.sleep(0)
    await writing
    assert ran == ["store-writer"]
    assert outside(NAMES) == [("t.a",)]


@pytest.mark.usefixtures("slow_machine")
async def test_what_queues_meanwhile_shares_its_transaction(store: Store, outside: Outside) -> None:
    await idle(store)
    seen: list[list[tuple[Any, ...]]] = []
    see: Callable[[object], None] = lambda _: seen.append(outside(NAMES))  # noqa: E731
    # Both are under way before the writer's thread can commit the first.
    both = [
        asyncio.create_task(store.write_briefly(see, putting("t.a"))),
        asyncio.create_task(store.write_then(see, putting("t.b"))),
    ]
    assert await asyncio.gather(*both) == ["t.a", "t.b"]
    assert outside(NAMES) == [("t.a",), ("t.b",)]
    assert seen[-1] == [("t.a",), ("t.b",)]


async def test_a_brief_unit_that_raises_stores_nothing_and_frees_the_writer(
    store: Store, outside: Outside
) -> None:
    await idle(store)

    def guilty() -> None:
        put("t.guilty")
        raise LookupError

    with pytest.raises(LookupError):
        await store.write_briefly(ignore, guilty)
    assert outside(NAMES) == []
    assert await store.write(put, "t.a") == "t.a"
    assert outside(NAMES) == [("t.a",)]


async def test_a_rollback_by_sqlite_fails_the_brief_unit(store: Store, outside: Outside) -> None:
    await idle(store)
    outside(EXPLODE)
    with pytest.raises(peewee.IntegrityError, match="boom"):
        await store.write_briefly(ignore, putting("t.guilty"))

    def swallow() -> None:
        put("t.before")
        with contextlib.suppress(peewee.IntegrityError):
            put("t.guilty")

    with pytest.raises(RuntimeError, match="ended the transaction"):
        await store.write_briefly(ignore, swallow)
    assert outside(NAMES) == []
    assert await store.write_briefly(ignore, putting("t.a")) == "t.a"


@pytest.mark.usefixtures("slow_machine")
async def test_a_neighbour_that_rolls_all_back_makes_the_brief_unit_run_again(
    store: Store, outside: Outside
) -> None:
    await idle(store)
    outside(EXPLODE)
    ran: list[str] = []
    brief = asyncio.create_task(store.write_briefly(ignore, where("t.a", ran)))
    guilty = asyncio.create_task(store.write(put, "t.guilty"))
    assert await brief == "t.a"
    with pytest.raises(peewee.IntegrityError, match="boom"):
        await guilty
    assert outside(NAMES) == [("t.a",)]
    # Alone, or again by itself after the neighbour had undone it.
    assert ran[0] == threading.current_thread().name
    assert ran[1:] in ([], ["store-writer"])


async def test_a_failed_commit_fails_the_brief_unit(make_store: MakeStore, outside: Outside) -> None:
    outside("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    outside("CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
    store = make_store(pragmas={"foreign_keys": 1})
    await idle(store)
    followed: list[object] = []

    def orphan() -> None:
        put("t.a")
        bound.connection().execute("INSERT INTO child VALUES (7)")  # noticed by COMMIT alone

    with pytest.raises(apsw.ConstraintError):
        await store.write_briefly(followed.append, orphan)
    assert followed == []
    assert outside(NAMES) == []
    assert await store.write_briefly(ignore, putting("t.b")) == "t.b"


async def test_while_another_process_writes_the_loop_does_not_wait(make_store: MakeStore, path: Path) -> None:
    store = make_store(busy_seconds=0.01)
    await idle(store)
    ran: list[str] = []
    with contextlib.closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Refusal) as refused:
            await store.write_briefly(ignore, where("t.a", ran))
        other.execute("ROLLBACK")
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert ran == []  # the writer waited for its turn, and gave up
    assert await store.write_briefly(ignore, where("t.a", ran)) == "t.a"


async def test_the_writers_patience_is_what_it_was(store: Store) -> None:
    await idle(store)
    await store.write_briefly(ignore, putting("t.a"))

    def patience() -> int:
        return int(bound.connection().execute("PRAGMA busy_timeout").fetchone()[0])

    assert await store.write(patience) == 5000


async def test_a_caller_that_goes_away_does_not_undo_a_brief_unit(store: Store, outside: Outside) -> None:
    await idle(store)
    ran: list[str] = []
    writing = asyncio.create_task(store.write_briefly(ignore, where("t.a", ran)))
    await asyncio.sleep(0)
    assert ran
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await store.write(put, "t.b")
    assert outside(NAMES) == [("t.a",), ("t.b",)]


async def test_closing_commits_what_a_brief_unit_began(make_store: MakeStore, outside: Outside) -> None:
    store = make_store()
    await idle(store)
    writing = asyncio.create_task(store.write_briefly(ignore, putting("t.a")))
    await asyncio.sleep(0)
    store.close()
    assert await writing == "t.a"
    assert outside(NAMES) == [("t.a",)]
    with pytest.raises(Refusal):
        await store.write_briefly(ignore, putting("t.b"))


async def test_many_brief_and_other_units_at_once_lose_nothing(store: Store) -> None:
    async def work(worker: int) -> None:
        for turn in range(20):
            name = f"t.{worker:02}.{turn:02}"
            if (worker + turn) % 2:
                await store.write_briefly(ignore, putting(name))
            else:
                await store.write(put, name)

    await asyncio.gather(*(work(worker) for worker in range(8)))
    assert len(await store.read(names)) == 160
    assert await store.read(lambda: Fact.select().where(Fact.name == "t.07.19").exists())
