"""PostgreSQL as a store: a pool of threads, a psycopg 3 connection each, shared by many processes."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import peewee
import psycopg
import psycopg.errors
import structlog

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models.base import bound
from postroom_server.store.unit import RETRY_SOON, LostRaceError, Store, unavailable

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()

_TROUBLES = (psycopg.OperationalError, psycopg.InterfaceError, peewee.OperationalError, peewee.InterfaceError)
_RACE_LOST = (LostRaceError, psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
_RACES = 5


def postgresql_database(url: str) -> peewee.PostgresqlDatabase:
    return peewee.PostgresqlDatabase(url, prefer_psycopg3=True, connect_timeout=5)


class PostgresqlStore(Store):
    """Runs every unit in a transaction of its own, on whichever connection is free."""

    def __init__(self, database: peewee.PostgresqlDatabase, *, connections: int = 8, queue_limit: int = 8192):
        self._database = database
        self._connections = connections
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="store")
        self._queue_limit = queue_limit
        self._waiting = 0

    async def write(self, unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._submit("BEGIN", functools.partial(unit, *args, **kwargs), None)

    async def write_then(self, after: Callable[[T], None], unit: Callable[[], T]) -> T:
        return await self._submit("BEGIN", unit, after)

    async def read(self, unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        view = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        return await self._submit(view, functools.partial(unit, *args, **kwargs), None)

    def close(self) -> None:
        # Every thread closes its own connection; the barrier keeps one thread from taking two turns.
        barrier = threading.Barrier(self._connections)

        def leave() -> None:
            barrier.wait()
            self._database.close()

        for _ in range(self._connections):
            self._pool.submit(leave)
        self._pool.shutdown(wait=True)

    async def _submit(self, begin: str, run: Callable[[], T], after: Callable[[T], None] | None) -> T:
        if self._waiting >= self._queue_limit:
            raise Refusal(Reason.OVERLOADED, "too many calls wait for the database", retry_after=RETRY_SOON)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, self._transact, begin, run, after
            )
        finally:
            self._waiting -= 1

    # A thread of the pool from here on.

    def _transact(self, begin: str, run: Callable[[], T], after: Callable[[T], None] | None) -> T:
        for _ in range(_RACES):
            connection = self._begin(begin)
            try:
                result = run()
                connection.execute("COMMIT")
            except _RACE_LOST:
                self._roll_back(connection)
                continue
            except _TROUBLES as error:
                self._drop()
                log.error("store_unavailable", error=str(error).strip())
                raise unavailable("the database does not answer") from error
            except BaseException:
                self._roll_back(connection)
                raise
            if after is not None:
                after(result)
            return result
        raise Refusal(Reason.OVERLOADED, "too many calls race for the same key", retry_after=RETRY_SOON)

    def _begin(self, begin: str) -> psycopg.Connection[Any]:
        """Opens a transaction, on a new connection when the old one has died in the meantime."""
        try:
            connection: psycopg.Connection[Any] = bound.connection()
            connection.execute(begin)
            return connection
        except _TROUBLES:
            self._drop()
        try:
            connection = bound.connection()
            connection.execute(begin)
            return connection
        except _TROUBLES as error:
            self._drop()
            log.error("store_unavailable", error=str(error).strip())
            raise unavailable("the database does not answer") from error

    def _roll_back(self, connection: psycopg.Connection[Any]) -> None:
        try:
            connection.execute("ROLLBACK")
        except _TROUBLES:
            self._drop()

    def _drop(self) -> None:
        try:
            self._database.close()
        except _TROUBLES:
            self._database.dispose()
