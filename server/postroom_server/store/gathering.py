"""Items that come one by one and are written many at a time: while one unit commits, the next gathers."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import structlog

from postroom_server.refusals import Reason, Refusal
from postroom_server.store.unit import RETRY_SOON, Store, resolve

I = TypeVar("I")  # noqa: E741 - what is written
T = TypeVar("T")
log = structlog.get_logger()

# How long a unit may be held open for items that come.
GATHER_SECONDS = 0.010

# After this long without a unit, how many came together says nothing any more.
FORGET_SECONDS = 0.050

# What a unit may write where the event loop waits for it: some four milliseconds.
BRIEF_ROWS = 400


class Gathering(Generic[I, T]):
    """Runs `unit` for the items of many callers and gives each its own outcome, once that is durable.

    A unit returns one outcome for each item, in order; an outcome that is a Refusal is raised to its caller.
    One unit is under way at a time. Whoever was answered together is likely to come back together, so the
    next is begun when as many items wait as the one before had, and a turn of the event loop brings nothing
    new. An item that comes alone does not wait for company. `after` hears of the outcomes as in
    `Store.write_then`. `size` says how many rows an item is; a unit is ended near `most_rows`.
    """

    def __init__(
        self,
        store: Store,
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
        self._waiting: list[tuple[I, asyncio.Future[T]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._together = 0  # how many items the last unit found
        self._rested = float("-inf")
        self._enough: asyncio.Future[None] | None = None  # while a unit waits for as many

    async def write(self, item: I) -> T:
        """Raises the item's Refusal, and what the store raises. A cancelled caller takes back what waits."""
        if len(self._waiting) >= self._most_waiting:
            raise Refusal(
                Reason.OVERLOADED, "too many writes are waiting for the disk", retry_after=RETRY_SOON
            )
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._enough is not None and len(self._waiting) >= self._together:
            resolve(self._enough, None, None)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="gathering")
        return await future

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._rested > FORGET_SECONDS:
            self._together = 0
        try:
            while self._waiting:
                await self._gather()
                if items := self._take():
                    await self._write_together(items)
        finally:
            self._writing = self._enough = None
            self._rested = loop.time()

    async def _gather(self) -> None:
        """Waits while calls that are at the door come in: a commit costs the same for one or fifty."""
        loop = asyncio.get_running_loop()
        end = loop.time() + GATHER_SECONDS
        if len(self._waiting) < self._together:
            self._enough = loop.create_future()
            timer = loop.call_at(end, resolve, self._enough, None, None)
            await self._enough
            timer.cancel()
            self._enough = None
        seen = 0
        while len(self._waiting) > seen and loop.time() < end:
            seen = len(self._waiting)
            await asyncio.sleep(0)
        self._together = len(self._waiting)

    def _take(self) -> list[tuple[I, asyncio.Future[T]]]:
        taken: list[tuple[I, asyncio.Future[T]]] = []
        rows = passed = 0
        for item, future in self._waiting:
            rows += self._size(item)
            if taken and rows > self._most_rows:
                break
            passed += 1
            if not future.cancelled():
                taken.append((item, future))
        del self._waiting[:passed]
        return taken

    async def _write_together(self, items: list[tuple[I, asyncio.Future[T]]]) -> None:
        run = functools.partial(self._unit, [item for item, _ in items])
        rows = sum(self._size(item) for item, _ in items)
        write = self._store.write_briefly if rows <= BRIEF_ROWS else self._store.write_then
        try:
            outcomes = await write(self._after, run)
        except Exception as error:
            if len(items) == 1 or isinstance(error, Refusal):
                for _, future in items:
                    resolve(future, None, error)
                return
            # One bad item must not fail the others: nothing of them is stored, so each is tried alone.
            log.warning("written_one_by_one", items=len(items), error=type(error).__name__)
            for one in items:
                await self._write_together([one])
            return
        for (_, future), outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, Refusal):
                resolve(future, None, outcome)
            else:
                resolve(future, outcome, None)
