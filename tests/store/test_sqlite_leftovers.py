"""Statements that a unit did not read to their end: the next unit sees the present, and can write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Fact, bound
from postroom_server.store.sqlite import SqliteStore
from store.units import names, put, putting

MakeStore = Callable[..., SqliteStore]
MANY_ROWS = "SELECT name FROM sqlite_master"


@pytest.fixture
def database(sqlite_database: str) -> str:
    return sqlite_database


def fail_in_a_lazy_loop() -> None:
    query = Fact.select()
    for _ in query:
        raise Refusal(Reason.OVERLOADED, "in the middle")


def leave_open(kept: list[Any]) -> Callable[[], None]:
    return lambda: kept.append(bound.connection().execute(MANY_ROWS))


async def written(store: SqliteStore, way: str, unit: Callable[[], None]) -> None:
    await (store.write(unit) if way == "write" else store.write_briefly(lambda _: None, unit))


def commit_elsewhere(path: Path, name: str) -> None:
    other = apsw.Connection(str(path))
    other.set_busy_timeout(5000)
    other.execute("INSERT INTO fact (name, value) VALUES (?, ?)", (name, name))
    other.close()


async def test_a_read_that_fails_in_the_middle_leaves_no_statement_open(make_store: MakeStore) -> None:
    store = make_store(readers=1)
    await store.write(put, "t.a")
    await store.write(put, "t.b")
    connection = await store.read(bound.connection)
    with pytest.raises(Refusal, match="in the middle"):
        await store.read(fail_in_a_lazy_loop)
    assert await store.write(put, "t.c") == "t.c"
    assert await store.read(names) == ["t.a", "t.b", "t.c"]
    assert await store.read(bound.connection) is connection  # it was fit to be used again


@pytest.mark.parametrize("way", ["write", "briefly"])
async def test_a_write_that_fails_in_the_middle_leaves_no_statement_open(
    make_store: MakeStore, path: Path, way: str
) -> None:
    store = make_store()
    await store.write(put, "t.a")
    await store.write(put, "t.b")
    with pytest.raises(Refusal, match="in the middle") as kept:
        await written(store, way, fail_in_a_lazy_loop)
    commit_elsewhere(path, "t.c")  # an open statement would look at what was before, and could not write
    assert await store.write(put, "t.d") == "t.d"
    assert await store.read(names) == ["t.a", "t.b", "t.c", "t.d"]
    assert kept.value.reason is Reason.OVERLOADED


async def test_a_caller_who_waits_while_it_handles_the_error_goes_on(make_store: MakeStore) -> None:
    """The frames of its coroutine are in the traceback of an error that many were told."""
    told, go_on = asyncio.get_running_loop().create_future(), asyncio.Event()
    told.set_exception(Refusal(Reason.OVERLOADED, "told to many"))

    async def wait_with_it() -> str:
        try:
            await told
        except Refusal:
            await go_on.wait()
        return "went on"

    waiting = asyncio.create_task(wait_with_it())
    await asyncio.sleep(0)

    def raise_it() -> None:
        raise RuntimeError("behind it") from told.exception()

    with pytest.raises(RuntimeError, match="behind it"):
        await make_store().write_briefly(lambda _: None, raise_it)
    go_on.set()
    assert await asyncio.wait_for(waiting, 10) == "went on"


async def test_a_reader_with_an_open_statement_is_not_used_again(make_store: MakeStore) -> None:
    store, kept = make_store(readers=1), list[Any]()
    await store.write(put, "t.a")
    connection = await store.read(bound.connection)
    await store.read(leave_open(kept))
    await store.write(put, "t.b")
    assert await store.read(names) == ["t.a", "t.b"]
    assert await store.read(bound.connection) is not connection


@pytest.mark.parametrize("way", ["write", "briefly"])
async def test_a_writer_with_an_open_statement_opens_another_connection(
    make_store: MakeStore, path: Path, way: str
) -> None:
    store, kept = make_store(), list[Any]()
    await store.write(put, "t.a")
    await written(store, way, leave_open(kept))
    commit_elsewhere(path, "t.b")
    assert await store.write(put, "t.c") == "t.c"
    assert await store.write_briefly(lambda _: None, putting("t.d")) == "t.d"
    assert await store.read(names) == ["t.a", "t.b", "t.c", "t.d"]


async def test_what_was_deleted_is_overwritten(make_store: MakeStore, path: Path) -> None:
    """Of an address that was erased nothing stays in the file, whoever built SQLite."""
    store = make_store()
    for number in range(20):
        await store.write(put, f"t.{number}", f"secret-{number}@example.com")
    await store.write(lambda: Fact.delete().where(Fact.name.startswith("t.")).execute())
    store.close()
    left = b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))
    assert b"secret-" not in left
