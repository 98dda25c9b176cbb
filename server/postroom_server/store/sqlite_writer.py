"""The one writer of a SQLite file: units run in groups, one BEGIN IMMEDIATE and one synced COMMIT for all.

Units run on the writer's thread. A brief one that finds the writer idle runs on the event loop's thread
instead, and only its COMMIT is the writer's: a statement gives up the interpreter at every row, and two
threads that hand it to and fro spend more on that than on the rows (docs/adr/0009). The connection has one
user at a time: whoever has set `_busy`.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import apsw
import peewee
import structlog

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models.base import bound
from postroom_server.store.sqlite_leftovers import is_usable, let_go
from postroom_server.store.sqlite_troubles import as_refusal
from postroom_server.store.unit import RETRY_SOON, follow, resolve, unavailable

T = TypeVar("T")
log = structlog.get_logger()

GROUP_UNITS = 256
GROUP_SECONDS = 0.020


@dataclasses.dataclass(slots=True)
class _Unit:
    run: Callable[[], Any]
    after: Callable[[Any], None] | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Takes over the writing to `database`; beyond `queue_limit` waiting units it refuses more.

    `on_commit` is told how many rows the connection has changed in all, after each COMMIT.
    """

    def __init__(
        self,
        database: peewee.SqliteDatabase,
        *,
        queue_limit: int = 8192,
        on_commit: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._on_commit = on_commit
        self._queue: collections.deque[_Unit] = collections.deque()
        self._queue_limit = queue_limit
        self._waiting = threading.Condition()
        self._closing = False
        self._busy = False
        self._connection: apsw.Connection | None = None
        self._patience = 0  # milliseconds that a BEGIN on the writer's thread waits for another process
        self._begun: _Unit | None = None  # has run; its transaction is open
        self._thread = threading.Thread(target=self._write_groups, name="store-writer", daemon=True)
        self._thread.start()

    async def write(self, run: Callable[[], T], after: Callable[[T], None] | None) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._enqueue(_Unit(run, after, loop, future))
        return await future

    async def write_briefly(self, run: Callable[[], T], after: Callable[[T], None]) -> T:
        """As `write`, for a unit of a few milliseconds at most."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        unit = _Unit(run, after, loop, future)
        if not self._run_here(unit):
            self._enqueue(unit)
        return await future

    def close(self) -> None:
        """Writes what is waiting, then closes the connection. Blocks."""
        with self._waiting:
            self._closing = True
            self._waiting.notify()
        self._thread.join()

    def _enqueue(self, unit: _Unit) -> None:
        with self._waiting:
            if self._closing:
                raise unavailable("the store is closing")
            if len(self._queue) >= self._queue_limit:
                raise Refusal(
                    Reason.OVERLOADED, "too many writes are waiting for the disk", retry_after=RETRY_SOON
                )
            self._queue.append(unit)
            self._waiting.notify()

    def _run_here(self, unit: _Unit) -> bool:
        """Runs a unit on this thread and leaves its COMMIT to the writer; False where it has to queue."""
        with self._waiting:
            connection = self._connection
            if self._busy or self._queue or self._closing or connection is None:
                return False
            self._busy = True
        if not self._begin_at_once(connection):
            self._release()
            return False
        lent = cast(Any, self._database)._state  # per thread, and there is no public way to lend one
        lent.set_connection(connection)
        try:
            unit.result = unit.run()
            if not connection.in_transaction:
                raise RuntimeError("a unit of work ended the transaction it ran in")
        except BaseException as error:
            let_go(error)
            _roll_back(connection)
            self._release()
            resolve(unit.future, None, as_refusal(error))
            return True
        finally:
            lent.reset()
        with self._waiting:
            self._begun = unit
            self._waiting.notify()
        return True

    def _begin_at_once(self, connection: apsw.Connection) -> bool:
        """Begins, unless another process is writing: the event loop must not wait for that."""
        connection.set_busy_timeout(0)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except apsw.Error:
            return False
        finally:
            connection.set_busy_timeout(self._patience)
        return True

    def _release(self) -> None:
        with self._waiting:
            self._busy = False
            self._waiting.notify()

    # The writer's thread from here on.

    def _write_groups(self) -> None:
        while True:
            with self._waiting:
                while not self._has_work():
                    self._waiting.wait()
                begun, self._begun = self._begun, None
                if begun is None and not self._queue:
                    break
                self._busy = True
                group = [self._queue.popleft() for _ in range(min(GROUP_UNITS, len(self._queue)))]
            done = self._run_group(group, begun)
            # First: whoever is answered may come back at once, and should find the writer idle.
            self._look_at_connection()
            self._release()
            self._answer(done)
        self._database.close()

    def _has_work(self) -> bool:
        if self._begun is not None:
            return True
        # Where somebody else is busy, their transaction comes first, and with it another notice.
        return not self._busy and (bool(self._queue) or self._closing)

    def _run_group(self, group: list[_Unit], has_run: _Unit | None) -> list[_Unit]:
        """Returns the units that are still to be answered; there is more than one transaction if need be."""
        done: list[_Unit] = []
        while (group := [unit for unit in group if not unit.future.cancelled()]) or has_run:
            self._answer(done)
            begun, again = self._commit_together(group, has_run)
            for unit in again:
                self._commit_together([unit], None)
            done = begun + again
            group = group[len(done) - (has_run is not None) :]
            has_run = None
        return done

    def _commit_together(self, group: list[_Unit], has_run: _Unit | None) -> tuple[list[_Unit], list[_Unit]]:
        """Runs units of `group` in one transaction, in that of `has_run` where it is given, until it is full.

        Returns the units that now have a result or an error, and those that must run again by
        themselves because SQLite rolled the whole group back under them.
        """
        for unit in group:
            unit.result = unit.error = None
        begun: list[_Unit] = []
        connection: apsw.Connection | None = None
        try:
            connection = self._connect()
            if has_run is None:
                connection.execute("BEGIN IMMEDIATE")
            else:
                begun.append(has_run)
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
            refusal = as_refusal(error)
            for unit in begun or group:
                unit.error = unit.error or refusal
            if connection is not None:
                _roll_back(connection)
            return begun or list(group), []
        self._on_commit(connection.total_changes())
        for unit in begun:
            if unit.after is not None and unit.error is None:
                follow(unit.after, unit.result)
        return begun, []

    def _look_at_connection(self) -> None:
        """Closes a connection that is not usable any more; the next group opens another."""
        connection = self._connection
        if connection is not None and not is_usable(connection):
            self._connection = None
            try:
                self._database.close()
            except Exception:
                # Peewee has forgotten it all the same, and opens another.
                log.exception("store_connection_not_closed")

    def _connect(self) -> apsw.Connection:
        connection: apsw.Connection = bound.connection()
        if self._connection is not connection:
            self._patience = connection.pragma("busy_timeout")
            self._connection = connection
        return connection

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


def _run_in_savepoint(connection: apsw.Connection, unit: _Unit) -> bool:
    """Runs one unit; False when the surrounding transaction is gone."""
    connection.execute("SAVEPOINT u")
    try:
        unit.result = unit.run()
    except BaseException as error:
        let_go(error)
        unit.error = as_refusal(error)
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


def _roll_back(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except apsw.Error:
            log.exception("store_rollback_failed")


def _resolve_all(units: list[_Unit]) -> None:
    for unit in units:
        resolve(unit.future, unit.result, unit.error)
