"""SQLite as a store when things go wrong: full queues and disks, busy files, a second process."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Fact, bound
from postroom_server.store.sqlite import SqliteStore, StoreInUseError, hold_lock
from postroom_server.store.unit import Store
from store.units import NAMES, as_one_group, held, names, put, putting

Outside = Callable[[str], list[tuple[Any, ...]]]
MakeStore = Callable[..., SqliteStore]


@pytest.fixture
def database(sqlite_database: str) -> str:
    return sqlite_database


async def test_a_full_queue_refuses_and_says_when_to_come_again(make_store: MakeStore) -> None:
    store = make_store(queue_limit=2)
    async with held(store):
        waiting = [asyncio.create_task(store.write(put, name)) for name in ("t.a", "t.b")]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await store.write(put, "t.c")
    assert refused.value.reason is Reason.OVERLOADED
    assert refused.value.retry_after
    await asyncio.gather(*waiting)
    assert await store.read(names) == ["t.a", "t.b"]
    assert await store.write(put, "t.c") == "t.c"


async def test_a_database_that_another_connection_holds_is_unavailable_until_it_lets_go(
    make_store: MakeStore, path: Path
) -> None:
    store = make_store(busy_seconds=0.01)
    with contextlib.closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Refusal) as refused:
            await store.write(put, "t.a")
        assert await store.read(names) == []  # readers do not mind
        other.execute("ROLLBACK")
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert refused.value.retry_after
    assert await store.write(put, "t.a") == "t.a"


@pytest.mark.usefixtures("slow_machine")
async def test_a_full_disk_refuses_what_does_not_fit_and_nothing_else(store: Store, outside: Outside) -> None:
    def limit(pages: int) -> int:
        return int(bound.connection().execute(f"PRAGMA max_page_count = {pages}").fetchone()[0])

    def large() -> str:
        Fact.insert(name="t.large", value="x" * 1_000_000).execute()
        return "t.large"

    [(pages,)] = outside("PRAGMA page_count")
    assert await store.write(limit, pages + 20) == pages + 20
    before, failed, after = await as_one_group(store, putting("t.a"), large, putting("t.b"))
    assert (before, after) == ("t.a", "t.b")
    assert isinstance(failed, Refusal)
    assert failed.reason is Reason.DISK_FULL
    assert failed.retry_after
    assert outside(NAMES) == [("t.a",), ("t.b",)]
    await store.write(limit, pages + 1000)
    assert await store.write(large) == "t.large"


async def test_a_loop_that_is_gone_does_not_stop_the_writer(store: Store, outside: Outside) -> None:
    """A caller's loop may close while its unit is under way, in tests and at exit."""
    begun, go_on = threading.Event(), threading.Event()

    def unit() -> None:
        put("t.a")
        begun.set()
        assert go_on.wait(10)

    async def leave() -> None:
        writing = asyncio.create_task(store.write(unit))
        await asyncio.to_thread(begun.wait, 10)
        writing.cancel()

    await asyncio.to_thread(asyncio.run, leave())
    go_on.set()
    assert await store.write(put, "t.b") == "t.b"
    assert outside(NAMES) == [("t.a",), ("t.b",)]


def test_a_second_process_on_the_same_file_is_told_in_one_line(database: str, path: Path) -> None:
    program = (
        "import sys\n"
        "from postroom_server.store.opening import Address, open_database\n"
        "from postroom_server.store.sqlite import StoreInUseError\n"
        "try:\n"
        "    open_database(Address(sys.argv[1]), key_text='00' * 32, key_file=None, auto_migrate=True)\n"
        "except StoreInUseError as error:\n"
        "    sys.exit(str(error))\n"
    )
    with hold_lock(path):
        second = subprocess.run([sys.executable, "-c", program, database], capture_output=True, text=True)
    assert second.returncode == 1
    assert second.stderr.startswith(f"{path} is served by another Postroom process (its lock is held): ")
    assert second.stderr.count("\n") == 1


def test_the_lock_is_free_again_when_its_holder_closes_it(path: Path) -> None:
    with hold_lock(path), pytest.raises(StoreInUseError):
        hold_lock(path)
    hold_lock(path).close()
