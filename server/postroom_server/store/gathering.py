"""Items that come one by one and are written many at a time: while one unit commits, the next gathers."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import structlog

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.door import Door
from postroom_server.store.unit import RETRY_SOON, Store, resolve

A = TypeVar("A")  # what a caller asks for
I = TypeVar("I")  # noqa: E741 - what is written
T = TypeVar("T")
log = structlog.get_logger()

# How long a unit may be held open for items that come.
GATHER_SECONDS = 0.010

# After this long without a unit, how many came together says nothing any more.
FORGET_SECONDS = 0.050

# What a unit may write where the event loop waits for it: some four milliseconds.
BRIEF_ROWS = 400


class Gathering(Generic[A, I, T]):
    """Runs `unit` for the items of many callers and gives each its own outcome, once that is durable.

    `prepare` makes the item of what a caller asks, or raises why not: at the Door, when a unit begins or a
    moment later. A unit returns one outcome for each item, in order; an outcome that is a Refusal is raised
    to its caller. One unit is under way at a time. Whoever was answered together is likely to come back
    together, so the next is begun when as many items wait as the one before had, and a turn of the event loop
    brings nothing new. An item that comes alone does not wait for company. `after` hears of the outcomes as
    in `Store.write_then`. `size` says how many rows an item is; a unit is ended near `most_rows`.
    """

    def __init__(
        self,
        store: Store,
        prepare: Callable[[A], I],
        unit: Callable[[Sequence[I]], Sequence[T | Refusal]],
        after: Callable[[Sequence[T | Refusal]], None],
        *,
        size: Callable[[I], int],
        most_rows: int = 1000,
        most_waiting: int = 8192,
    ) -> None:
        self._store = store
        self._unit = unit
        self._after = after
        self._size = size
        self._most_rows = most_rows
        self._most_waiting = most_waiting
        self._door: Door[A, I, T] = Door(prepare, self._let_in)
        self._waiting: list[tuple[I, asyncio.Future[T], int]] = []  # and how many rows
        self._writing: asyncio.Task[None] | None = None
        self._together = 0  # how many items the last unit found
        self._rested = float("-inf")
        self._enough: asyncio.Future[None] | None = None  # while a unit waits for as many

    async def write(self, asked: A) -> T:
        """Raises the caller's Refusal, and what the store raises. Who is cancelled takes back what waits."""
        if self._here >= self._most_waiting:
            raise Refusal(
                Reason.OVERLOADED, "too many writes are waiting for the disk", retry_after=RETRY_SOON
            )
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._door.come(asked, future)
        if self._enough is not None and self._here >= self._together:
            resolve(self._enough, None, None)
        if self._writing is None:
            self._writing = asyncio.create_task(
                self._write_all(), name="gathering", context=contextvars.Context()
            )
        try:
            return await future
        finally:
            # An error that is raised here knows this frame: the two would keep each other alive.
            del future

    @property
    def _here(self) -> int:
        return len(self._door) + len(self._waiting)

    def _let_in(self, item: I, future: asyncio.Future[T]) -> None:
        self._waiting.append((item, future, self._size(item)))

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._rested > FORGET_SECONDS:
            self._together = 0
        try:
            while self._here:
                await self._gather()
                await self._door.open()
                self._together = len(self._waiting)
                rows, items = self._take()
                if items:
                    await self._write_together(items, rows)
        finally:
            self._writing = self._enough = None
            self._rested = loop.time()

    async def _gather(self) -> None:
        """Waits while calls that are at the door come in: a commit costs the same for one or fifty."""
        loop = asyncio.get_running_loop()
        end = loop.time() + GATHER_SECONDS
        if self._here < self._together:
            self._enough = loop.create_future()
            timer = loop.call_at(end, resolve, self._enough, None, None)
            await self._enough
            timer.cancel()
            self._enough = None
        seen = 0
        while self._here > seen and loop.time() < end:
            seen = self._here
            await asyncio.sleep(0)

    def _take(self) -> tuple[int, list[tuple[I, asyncio.Future[T]]]]:
        """The next unit's items, and how many rows they are."""
        taken: list[tuple[I, asyncio.Future[T]]] = []
        rows = passed = 0
        for item, future, size in self._waiting:
            if taken and rows + size > self._most_rows:
                break
            passed += 1
            if not future.cancelled():
                rows += size
                taken.append((item, future))
        del self._waiting[:passed]
        return rows, taken

    async def _write_together(self, items: list[tuple[I, asyncio.Future[T]]], rows: int) -> None:
        run = functools.partial(self._unit, [item for item, _ in items])
        write = self._store.write_briefly if rows <= BRIEF_ROWS else self._store.write_then
        try:
            outcomes = await write(self._after, run)
        except Exception as error:
            if len(items) == 1 or isinstance(error, Refusal):
                for _, future in items:
                    resolve(future, None, _let_go(error))
                return
            # One bad item must not fail the others: nothing of them is stored, so each is tried alone.
            log.warning("written_one_by_one", items=len(items), error=type(error).__name__)
            for one in items:
                await self._write_together([one], self._size(one[0]))
            return
        for (_, future), outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, Refusal):
                resolve(future, None, _let_go(outcome))
            else:
                resolve(future, outcome, None)


def _let_go(error: Exception) -> Exception:
    """A refusal without its traceback, whose frames hold all that was asked together with it."""
    return error.with_traceback(None) if isinstance(error, Refusal) else error
