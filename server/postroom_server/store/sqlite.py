"""SQLite as a store: one writer thread with group commit, a few readers, one process (flock)."""

from __future__ import annotations

import asyncio
import datetime
import fcntl
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, ParamSpec, TypeVar

import apsw
import peewee
import structlog
from playhouse.apsw_ext import APSWDatabase

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.giving_up import Reading
from postroom_server.store.models.base import bound
from postroom_server.store.sqlite_checkpoints import Checkpoints
from postroom_server.store.sqlite_leftovers import is_usable, let_go
from postroom_server.store.sqlite_troubles import as_refusal
from postroom_server.store.sqlite_writer import Writer
from postroom_server.store.unit import RETRY_SOON, Store, unavailable

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": 0,
    "recursive_triggers": 1,  # or else REPLACE would delete an event without asking its trigger
    "cache_size": -32_000,  # KiB
    "temp_store": "memory",
    "secure_delete": 1,  # what was deleted is overwritten
    "journal_size_limit": 64 << 20,
    "wal_autocheckpoint": 16_000,  # pages; Checkpoints come earlier
}


class StoreInUseError(Exception):
    """Another process serves this database file."""


def sqlite_database(path: Path, *, busy_seconds: float = 5.0) -> peewee.SqliteDatabase:
    """A database handle on a file that only its owner may read (security.md G3)."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return _Database(str(path), pragmas=PRAGMAS, timeout=busy_seconds)


class _Database(APSWDatabase):  # type: ignore[misc]
    """SQLite as APSW brings it along, so that it is the same everywhere (docs/adr/0017)."""

    def _connect(self) -> apsw.Connection:
        connection: apsw.Connection = super()._connect()
        connection.convert_binding = _as_text
        # Or else the planner looks at bound values, and plans a statement with LIMIT or ORDER BY anew when it
        # is given others: a lease took eight times as long. In return, what an index's condition compares
        # with has to be written out.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        return connection


def _as_text(_cursor: apsw.Cursor, place: int, value: object) -> str:
    """Peewee's table of migrations notes when each was applied; no table of ours holds such values."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    raise TypeError(f"SQLite has no type for {type(value).__name__}, the value at place {place}")


def hold_lock(path: Path) -> IO[bytes]:
    """Takes the flock on `<file>.lock` that makes this process the file's only server."""
    lock = Path(f"{path}.lock").open("ab")  # noqa: SIM115 - held for the life of the process
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StoreInUseError(
            f"{path} is served by another Postroom process (its lock is held): "
            "use that one, or start this one in another folder or with another database_url"
        ) from None
    return lock


class SqliteStore(Store):
    """Reads on a few threads; writes by one writer."""

    def __init__(self, database: peewee.SqliteDatabase, *, readers: int = 4, queue_limit: int = 8192) -> None:
        self._database = database
        self._reading: set[apsw.Connection] = set()
        self._queue_limit = queue_limit
        self._closing = False
        self._under_way: set[Reading] = set()
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-reader")
        self._checkpoints = Checkpoints(Path(database.database))
        self._writer = Writer(database, queue_limit=queue_limit, on_commit=self._checkpoints.written)

    async def write(self, unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._writer.write(functools.partial(unit, *args, **kwargs), None)

    async def write_then(self, after: Callable[[T], None], unit: Callable[[], T]) -> T:
        return await self._writer.write(unit, after)

    async def write_briefly(self, after: Callable[[T], None], unit: Callable[[], T]) -> T:
        return await self._writer.write_briefly(unit, after)

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
        self._closing = True
        self._checkpoints.close()
        self._writer.close()
        for reading in tuple(self._under_way):
            reading.give_up()
        self._readers.shutdown(wait=True)
        while self._reading:
            self._reading.pop().close()

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
            except BaseException as error:
                let_go(error)
                raise
            finally:
                # From here on an interrupt would meet somebody else's statement.
                reading.end()
                self._end(connection)
        except (apsw.Error, peewee.OperationalError) as error:
            raise as_refusal(error) from error
        finally:
            reading.end()

    def _end(self, connection: apsw.Connection) -> None:
        """Ends a reader's transaction. Where that fails, its thread opens another connection."""
        try:
            if connection.in_transaction:
                connection.execute("COMMIT")
            if is_usable(connection):
                return
        except apsw.Error as error:
            log.warning("store_reader_not_ended", error=str(error))
        self._reading.discard(connection)
        self._database.close()
