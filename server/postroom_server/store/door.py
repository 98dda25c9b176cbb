"""The door before units of work: callers wait there for a moment, and are prepared many in a row."""

from __future__ import annotations

import asyncio
import collections
import contextvars
from collections.abc import Callable
from typing import Generic, TypeVar

from postroom_server.refusals import Refusal
from postroom_server.store.unit import resolve

A = TypeVar("A")  # what a caller asks for
I = TypeVar("I")  # noqa: E741 - what is made of it
T = TypeVar("T")

# How long a caller may wait to be prepared, when no unit begins sooner.
OPENS_AFTER_SECONDS = 0.010

# For so long callers are prepared in a row before the event loop goes round.
SLICE_SECONDS = 0.004


class Door(Generic[A, I, T]):
    """Makes items of what callers ask, or tells them why not.

    In a row that takes half of what it takes where a call's transport comes in between each time, and the
    processor's caches with it (docs/why/performance.md). `prepare` is nobody's call: it must not ask for the
    current one. What it raises goes to the caller; what it returns goes to `let_in`.
    """

    def __init__(self, prepare: Callable[[A], I], let_in: Callable[[I, asyncio.Future[T]], None]) -> None:
        self._prepare = prepare
        self._let_in = let_in
        self._before: collections.deque[tuple[A, asyncio.Future[T]]] = collections.deque()
        self._timer: asyncio.TimerHandle | None = None
        self._opening = False

    def __len__(self) -> int:
        return len(self._before)

    def come(self, asked: A, future: asyncio.Future[T]) -> None:
        """Waits for `open`, but not for long."""
        self._before.append((asked, future))
        self._set_timer(future.get_loop())

    async def open(self) -> None:
        """Prepares who is there when it begins, but not for longer than anybody may wait."""
        loop = asyncio.get_running_loop()
        end = loop.time() + OPENS_AFTER_SECONDS
        left = len(self._before)
        self._opening = True
        try:
            while left:
                left -= self._slice(loop, left)
                if not left or loop.time() >= end:
                    break
                await asyncio.sleep(0)
        finally:
            self._opening = False
            if self._before:
                self._set_timer(loop)

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None:
            # In a context of its own: whoever asks there whose call it is gets an error, not another's name.
            nobody = contextvars.Context()
            self._timer = loop.call_later(OPENS_AFTER_SECONDS, self._open_by_itself, loop, context=nobody)

    def _open_by_itself(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if not self._opening:
            self._slice(loop, len(self._before))
            if self._before:
                self._timer = loop.call_later(0, self._open_by_itself, loop)

    def _slice(self, loop: asyncio.AbstractEventLoop, most: int) -> int:
        """Prepares so many of those who are there, for SLICE_SECONDS at most; tells how many they were."""
        end = loop.time() + SLICE_SECONDS
        for passed in range(1, most + 1):
            self._prepare_one(*self._before.popleft())
            if loop.time() >= end:
                return passed
        return most

    def _prepare_one(self, asked: A, future: asyncio.Future[T]) -> None:
        try:
            if not future.done():
                self._let_in(self._prepare(asked), future)
        except Refusal as refusal:
            # Its traceback would keep what was asked alive, until the garbage is collected.
            resolve(future, None, refusal.with_traceback(None))
        except Exception as error:
            resolve(future, None, error)
        except BaseException:
            future.cancel()
            raise
        finally:
            # The error that is told knows this frame.
            del asked, future
