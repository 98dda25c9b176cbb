"""What a store promises: sync units of work, run for async callers, answered after their commit."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import ParamSpec, TypeVar

import structlog

from postroom_server.refusals import Reason, Refusal

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()

RETRY_SOON = timedelta(seconds=1)


class Store(abc.ABC):
    """The database behind one process. Units are sync functions over models; they touch nothing else.

    A unit may run twice (after its group was abandoned, after a lost race), so it has no side effect
    outside the database; what must follow its commit goes into `after`, which gets the unit's result
    even when the caller has gone away.
    """

    @abc.abstractmethod
    async def write(self, unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a unit in a transaction and returns once it is durable. Raises what the unit raises."""

    @abc.abstractmethod
    async def write_then(self, after: Callable[[T], None], unit: Callable[[], T]) -> T:
        """The same; `after(result)` runs once the commit has returned, on a thread of the store."""

    async def write_briefly(self, after: Callable[[T], None], unit: Callable[[], T]) -> T:
        """As `write_then`, for a unit of few milliseconds: a store may run it on the event loop's thread."""
        return await self.write_then(after, unit)

    @abc.abstractmethod
    async def read(self, unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a unit that only reads, on one consistent view of the database."""

    @abc.abstractmethod
    def close(self) -> None:
        """Lets what has begun finish, then closes every connection. Blocks."""


class LostRaceError(Exception):
    """Two processes inserted the same key; the unit is run again and will see the other's row."""


def unavailable(message: str) -> Refusal:
    return Refusal(Reason.STORE_UNAVAILABLE, message, retry_after=RETRY_SOON)


def follow(after: Callable[[T], None], result: T) -> None:
    """Runs what follows a commit. Its mistakes are logged: the unit is stored, and its caller is told so."""
    try:
        after(result)
    except Exception:
        log.exception("store_after_commit_failed")


def resolve(future: asyncio.Future[T], result: T | None, error: BaseException | None) -> None:
    """Settles a future that its waiter may have left already."""
    if future.done():
        return
    if isinstance(error, StopIteration):
        # A future takes none: its waiter would wait for ever.
        stopped, error = error, RuntimeError("StopIteration")
        error.__cause__ = stopped
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)  # type: ignore[arg-type]
