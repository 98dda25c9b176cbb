"""PostgreSQL as a store: a pool of threads, a psycopg 3 connection each, shared by many processes."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import peewee
import psycopg
import psycopg.errors
import structlog
from psycopg.pq import TransactionStatus

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.giving_up import Reading
from postroom_server.store.models.base import bound
from postroom_server.store.unit import RETRY_SOON, LostRaceError, Store, follow, unavailable

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()

_TROUBLES = (psycopg.OperationalError, psycopg.InterfaceError, peewee.OperationalError, peewee.InterfaceError)
_RACE_LOST = (LostRaceError, psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
_RACES = 5
# Longer than any call waits; a statement that takes so long has nobody who wants its answer.
STATEMENT_SECONDS = 60
# After a fail-over the old server does not even hang up: without these TCP takes a quarter of an hour.
_PATIENCE = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}


def postgresql_database(url: str) -> peewee.PostgresqlDatabase:
    """A handle whose connections notice within seconds that the other end has gone silent."""
    options: dict[str, Any] = dict(_PATIENCE)
    if "options=" not in url:
        options["options"] = f"-c statement_timeout={STATEMENT_SECONDS}s"
    return peewee.PostgresqlDatabase(url, prefer_psycopg3=True, **options)


class PostgresqlStore(Store):
    """Runs every unit in a transaction of its own, on whichever connection is free."""

    def __init__(self, database: peewee.PostgresqlDatabase, *, connections: int = 8, queue_limit: int = 8192):
        self._database = database
        self._opened: set[psycopg.Connection[Any]] = set()
        self._closing = False
        self._under_way: set[Reading] = set()
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="store")
        self._queue_limit = queue_limit
        self._waiting = 0
        self._is_away = False  # the database; told when that changes

    async def write(self, unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._submit("BEGIN", functools.partial(unit, *args, **kwargs), None)

    async def write_then(self, after: Callable[[T], None], unit: Callable[[], T]) -> T:
        return await self._submit("BEGIN", unit, after)

    async def read(self, unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        view = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        reading = Reading()
        self._under_way.add(reading)
        run = functools.partial(unit, *args, **kwargs)
        try:
            return await self._submit(view, run, None, reading)
        except asyncio.CancelledError:
            asyncio.get_running_loop().run_in_executor(None, reading.give_up)
            raise
        finally:
            self._under_way.discard(reading)

    def close(self) -> None:
        self._closing = True
        for reading in tuple(self._under_way):
            reading.give_up()
        self._pool.shutdown(wait=True)
        while self._opened:
            self._opened.pop().close()

    async def _submit(
        self,
        begin: str,
        run: Callable[[], T],
        after: Callable[[T], None] | None,
        reading: Reading | None = None,
    ) -> T:
        if self._closing:
            raise unavailable("the store is closing")
        if self._waiting >= self._queue_limit:
            raise Refusal(Reason.OVERLOADED, "too many calls wait for the database", retry_after=RETRY_SOON)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, self._transact, begin, run, after, reading or Reading()
            )
        finally:
            self._waiting -= 1

    # A thread of the pool from here on.

    def _transact(
        self, begin: str, run: Callable[[], T], after: Callable[[T], None] | None, reading: Reading
    ) -> T:
        for _ in range(_RACES):
            connection = self._begin(begin)
            try:
                if not reading.begin(connection.cancel):
                    raise unavailable("the caller has gone")
                try:
                    result = run()
                finally:
                    # From here on a cancel would meet somebody else's statement.
                    reading.end()
                _check_open(connection)
                connection.execute("COMMIT")
            except BaseException as error:
                cause = _driver_error(error)
                if isinstance(cause, _RACE_LOST):
                    self._roll_back(connection)
                    continue
                if isinstance(cause, psycopg.errors.DiskFull):
                    self._roll_back(connection)
                    log.error("store_disk_full", error=str(cause).strip())
                    raise Refusal(
                        Reason.DISK_FULL, "the database's disk is full", retry_after=RETRY_SOON
                    ) from error
                if isinstance(cause, _TROUBLES):
                    raise self._lost(cause) from error
                self._roll_back(connection)
                raise
            if after is not None:
                follow(after, result)
            return result
        raise Refusal(Reason.OVERLOADED, "too many calls race for the same key", retry_after=RETRY_SOON)

    def _begin(self, begin: str) -> psycopg.Connection[Any]:
        """Opens a transaction, on a new connection when the old one has died in the meantime."""
        if not self._database.is_closed():
            try:
                return self._begin_here(begin)
            except _TROUBLES:
                self._drop()
        try:
            return self._begin_here(begin)
        except _TROUBLES as error:
            raise self._lost(error) from error

    def _begin_here(self, begin: str) -> psycopg.Connection[Any]:
        connection: psycopg.Connection[Any] = bound.connection()
        self._opened.add(connection)
        connection.execute(begin)
        if self._is_away:
            self._is_away = False
            log.warning("store_available")
        return connection

    def _lost(self, error: BaseException) -> Refusal:
        self._drop()
        if not self._is_away:
            self._is_away = True
            log.error("store_unavailable", error=str(error).strip())
        return unavailable("the database does not answer")

    def _roll_back(self, connection: psycopg.Connection[Any]) -> None:
        try:
            connection.execute("ROLLBACK")
        except _TROUBLES:
            self._drop()

    def _drop(self) -> None:
        """Closes this thread's connection; the next unit opens another."""
        if self._database.is_closed():
            return
        connection = bound.connection()
        self._database.dispose()
        self._opened.discard(connection)
        connection.close()


def _check_open(connection: psycopg.Connection[Any]) -> None:
    """Raises unless COMMIT would store the unit: in a failed transaction it rolls back without an error."""
    status = connection.info.transaction_status
    if status is TransactionStatus.INERROR:
        raise RuntimeError("a unit of work swallowed an error of the database")
    if status is TransactionStatus.IDLE:
        raise RuntimeError("a unit of work ended the transaction it ran in")


def _driver_error(error: BaseException) -> BaseException:
    """What psycopg raised. Peewee wraps it in a class that no longer says what it was."""
    inner = getattr(error, "orig", None) if isinstance(error, peewee.PeeweeException) else None
    return inner if isinstance(inner, psycopg.Error) else error
