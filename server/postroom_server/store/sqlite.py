"""SQLite as a store: one writer thread with group commit, a few readers, one process (flock)."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import fcntl
import functools
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, ParamSpec, TypeVar

import peewee
import structlog

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.giving_up import Reading
from postroom_server.store.models.base import bound
from postroom_server.store.unit import RETRY_SOON, Store, follow, resolve, unavailable

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()

GROUP_UNITS = 256
GROUP_SECONDS = 0.020
PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": 0,
    "recursive_triggers": 1,  # or else REPLACE would delete an event without asking its trigger
    "cache_size": -32_000,  # KiB
    "temp_store": "memory",
    "journal_size_limit": 64 << 20,
    "wal_autocheckpoint": 4000,
}


class StoreInUseError(Exception):
    """Another process serves this database file."""


def sqlite_database(path: Path, *, busy_seconds: float = 5.0) -> peewee.SqliteDatabase:
    """A database handle on a file that only its owner may read (security.md G3)."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    # close() closes the readers' connections from the caller's thread.
    return peewee.SqliteDatabase(str(path), pragmas=PRAGMAS, timeout=busy_seconds, check_same_thread=False)


def hold_lock(path: Path) -> IO[bytes]:
    """Takes the flock on `<file>.lock` that makes this process the file's only server."""
    lock = Path(f"{path}.lock").open("ab")  # noqa: SIM115 - held for the life of the process
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StoreInUseError(f"{path} is served by another Postroom process (its lock is held)") from None
    return lock


@dataclasses.dataclass(slots=True)
class _Unit:
    run: Callable[[], Any]
    after: Callable[[Any], None] | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class SqliteStore(Store):
    """Runs write units in groups: one BEGIN IMMEDIATE, a savepoint each, one synced COMMIT for all."""

    def __init__(self, database: peewee.SqliteDatabase, *, readers: int = 4, queue_limit: int = 8192) -> None:
        self._database = database
        self._reading: set[sqlite3.Connection] = set()
        self._queue: collections.deque[_Unit] = collections.deque()
        self._queue_limit = queue_limit
        self._waiting = threading.Condition()
        self._closing = False
        self._under_way: set[Reading] = set()
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-reader")
        self._writer = threading.Thread(target=self._write_groups, name="store-writer", daemon=True)
        self._writer.start()

    async def write(self, unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._enqueue(functools.partial(unit, *args, **kwargs), None)

    async def write_then(self, after: Callable[[T], None], unit: Callable[[], T]) -> T:
        return await self._enqueue(unit, after)

    async def read(self, unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._closing:
            raise unavailable("the store is closing")
        if len(self._under_way) >= self._queue_limit:
            raise Refusal(Reason.OVERLOADED, "too many reads wait for the database", retry_after=RETRY_SOON)
        reading = Reading()
        self._under_way.add(reading)
        run = functools.partial(unit, *args, **kwargs)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, reading, run)
        except asyncio.CancelledError:
            asyncio.get_running_loop().run_in_executor(None, reading.give_up)
            raise
        finally:
            self._under_way.discard(reading)

    def close(self) -> None:
        with self._waiting:
            self._closing = True
            self._waiting.notify()
        self._writer.join()
        for reading in tuple(self._under_way):
            reading.give_up()
        self._readers.shutdown(wait=True)
        while self._reading:
            self._reading.pop().close()

    async def _enqueue(self, run: Callable[[], T], after: Callable[[T], None] | None) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._waiting:
            if self._closing:
                raise unavailable("the store is closing")
            if len(self._queue) >= self._queue_limit:
                raise Refusal(
                    Reason.OVERLOADED, "too many writes are waiting for the disk", retry_after=RETRY_SOON
                )
            self._queue.append(_Unit(run, after, loop, future))
            self._waiting.notify()
        return await future

    def _read(self, reading: Reading, run: Callable[[], T]) -> T:
        try:
            connection = bound.connection()
            if not reading.begin(connection.interrupt):
                raise unavailable("the caller has gone")
            if connection not in self._reading:
                connection.execute("PRAGMA query_only=1")
                self._reading.add(connection)
            connection.execute("BEGIN")
            try:
                return run()
            finally:
                # From here on an interrupt would meet somebody else's statement.
                reading.end()
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except (sqlite3.OperationalError, peewee.OperationalError) as error:
            raise _as_refusal(error) from error
        finally:
            reading.end()

    # The writer thread from here on.

    def _write_groups(self) -> None:
        while True:
            with self._waiting:
                while not self._queue and not self._closing:
                    self._waiting.wait()
                if not self._queue:
                    break
                group = [self._queue.popleft() for _ in range(min(GROUP_UNITS, len(self._queue)))]
            self._run_group(group)
        self._database.close()

    def _run_group(self, group: list[_Unit]) -> None:
        while group := [unit for unit in group if not unit.future.cancelled()]:
            begun, again = self._commit_together(group)
            for unit in again:
                self._commit_together([unit])
            self._answer(begun)
            self._answer(again)
            group = group[len(begun) + len(again) :]

    def _commit_together(self, group: list[_Unit]) -> tuple[list[_Unit], list[_Unit]]:
        """Runs units of `group` in one transaction until it is full.

        Returns the units that now have a result or an error, and those that must run again by
        themselves because SQLite rolled the whole group back under them.
        """
        for unit in group:
            unit.result = unit.error = None
        begun: list[_Unit] = []
        connection: sqlite3.Connection | None = None
        try:
            connection = bound.connection()
            connection.execute("BEGIN IMMEDIATE")
            full_at = time.monotonic() + GROUP_SECONDS
            for unit in group:
                begun.append(unit)
                if not _run_in_savepoint(connection, unit):
                    # Rolled back by RAISE(ROLLBACK), a full disk, or the like: nothing of this group
                    # stands. Whoever ran before would be told OK for rows that are gone.
                    return [unit], begun[:-1]
                if time.monotonic() > full_at:
                    break
            connection.execute("COMMIT")
        except BaseException as error:
            refusal = _as_refusal(error)
            for unit in begun or group:
                unit.error = unit.error or refusal
            if connection is not None:
                _roll_back(connection)
            return begun or list(group), []
        for unit in begun:
            if unit.after is not None and unit.error is None:
                follow(unit.after, unit.result)
        return begun, []

    def _answer(self, units: list[_Unit]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Unit]] = {}
        for unit in units:
            by_loop.setdefault(unit.loop, []).append(unit)
        for loop, answered in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve_all, answered)
            except RuntimeError:
                # The loop was closed while its units were under way; they are committed all the same.
                log.warning("store_caller_gone", units=len(answered))


def _run_in_savepoint(connection: sqlite3.Connection, unit: _Unit) -> bool:
    """Runs one unit; False when the surrounding transaction is gone."""
    connection.execute("SAVEPOINT u")
    try:
        unit.result = unit.run()
    except BaseException as error:
        unit.error = _as_refusal(error)
        if not connection.in_transaction:
            return False
        connection.execute("ROLLBACK TO u")
        connection.execute("RELEASE u")
        return True
    if not connection.in_transaction:
        unit.error = RuntimeError("a unit of work ended the transaction it ran in")
        return False
    connection.execute("RELEASE u")
    return True


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            log.exception("store_rollback_failed")


def _resolve_all(units: list[_Unit]) -> None:
    for unit in units:
        resolve(unit.future, unit.result, unit.error)


def _as_refusal(error: BaseException) -> BaseException:
    """Turns the database's own troubles into refusals; everything else stays what it is."""
    if not isinstance(error, sqlite3.OperationalError | peewee.OperationalError):
        return error
    text = str(error)
    if "disk is full" in text:
        log.error("store_disk_full", error=text)
        return Refusal(Reason.DISK_FULL, "the database's disk is full", retry_after=RETRY_SOON)
    if "interrupted" in text:
        return unavailable("the read was given up")
    if "locked" in text or "busy" in text or "disk I/O" in text or "unable to open" in text:
        log.error("store_unavailable", error=text)
        return unavailable("the database does not answer")
    return error
