"""The write-ahead log of a SQLite file goes into the file beside the writer, not inside its commits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from postroom_server.store import sqlite_checkpoints
from postroom_server.store.models import Idempotency
from postroom_server.store.sqlite_checkpoints import ROWS_BETWEEN, Checkpoints

from .conftest import MakeStore, connected


def remember(first: int, count: int) -> None:
    rows = [
        {
            "tenant_id": 0,
            "method": "m",
            "request_id": f"r-{n}",
            "fingerprint": b"",
            "answer": "",
            "create_time": n,
        }
        for n in range(first, first + count)
    ]
    for start in range(0, count, 100):
        Idempotency.insert_many(rows[start : start + 100]).execute()


def until(truth: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not truth():
        assert time.monotonic() < end
        time.sleep(0.005)


def size_of(path: Path) -> int:
    """In WAL mode nothing but a checkpoint writes to the file itself."""
    return path.stat().st_size


async def until_grown(path: Path, size: int) -> None:
    await asyncio.to_thread(until, lambda: size_of(path) > size)


@pytest.fixture
def checkpoints(path: Path) -> Iterator[Checkpoints]:
    made = Checkpoints(path, rows_between=10)
    yield made
    made.close()


async def test_what_was_written_reaches_the_file_without_the_writers_own_checkpoint(
    make_store: MakeStore, path: Path
) -> None:
    store = make_store(pragmas={"wal_autocheckpoint": 0})
    size = size_of(path)
    await store.write(remember, 0, ROWS_BETWEEN - 1)
    assert size_of(path) == size
    await store.write(remember, ROWS_BETWEEN, 1)
    await until_grown(path, size)


async def test_a_checkpoint_leaves_a_reader_what_it_reads(make_store: MakeStore, path: Path) -> None:
    store = make_store(pragmas={"wal_autocheckpoint": 0})
    size = size_of(path)
    await store.write(remember, 0, 1)
    with connected(path) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT COUNT(*) FROM idempotency").fetchone() == (1,)
        await store.write(remember, 1, ROWS_BETWEEN)
        assert reader.execute("SELECT COUNT(*) FROM idempotency").fetchone() == (1,)
        reader.execute("COMMIT")
    await store.write(remember, 1 + ROWS_BETWEEN, ROWS_BETWEEN)
    await until_grown(path, size)
    assert await store.read(lambda: Idempotency.select().count()) == 1 + 2 * ROWS_BETWEEN


def test_fewer_rows_wait(checkpoints: Checkpoints) -> None:
    checkpoints.written(9)
    checkpoints.close()
    assert checkpoints.count == 0


def test_rows_are_counted_from_the_last_one(checkpoints: Checkpoints) -> None:
    for rows, count in ((10, 1), (20, 2)):
        checkpoints.written(rows)
        until(lambda count=count: checkpoints.count == count)  # type: ignore[misc]
        checkpoints.written(rows + 9)
    checkpoints.close()
    assert checkpoints.count == 2


def test_a_new_connection_counts_anew(checkpoints: Checkpoints) -> None:
    checkpoints.written(1000)
    until(lambda: checkpoints.count == 1)
    checkpoints.written(1)
    until(lambda: checkpoints.count == 2)
    checkpoints.written(10)
    checkpoints.close()
    assert checkpoints.count == 2


def test_who_closes_it_just_when_it_begins_does_not_wait_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ClosedMeanwhile(threading.Event):
        def clear(self) -> None:
            if closing.ident is None:
                closing.start()
                until(lambda: checkpoints._closing)
            super().clear()

    with monkeypatch.context() as patched:
        patched.setattr(sqlite_checkpoints.threading, "Event", ClosedMeanwhile)
        checkpoints = Checkpoints(path, rows_between=10)
    closing = threading.Thread(target=checkpoints.close, daemon=True)
    checkpoints.written(10)
    until(lambda: closing.ident is not None)
    closing.join(10)
    assert not closing.is_alive()


def test_one_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database" * 1000)
    checkpoints = Checkpoints(broken, rows_between=10)
    with structlog.testing.capture_logs() as told:
        for rows in (10, 20):
            checkpoints.written(rows)
            until(lambda rows=rows: len(told) == rows // 10)  # type: ignore[misc]
        checkpoints.close()
    assert [entry["event"] for entry in told] == ["store_checkpoint_failed"] * 2
    assert checkpoints.count == 0
