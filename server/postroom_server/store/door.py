"""The door before units of work: callers wait there for a moment, and are prepared many in a row."""

from __future__ import annotations

import asyncio
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
        self._before: list[tuple[A, asyncio.Future[T]]] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._before)

    def come(self, asked: A, future: asyncio.Future[T]) -> None:
        """Waits for `open_all`, but not for long."""
        self._before.append((asked, future))
        if self._timer is None:
            # In a context of its own: whoever asks there whose call it is gets an error, not another's name.
            nobody = contextvars.Context()
            loop = future.get_loop()
            self._timer = loop.call_later(OPENS_AFTER_SECONDS, self._open_by_itself, context=nobody)

    async def open_all(self) -> None:
        """Returns when nobody is before the door."""
        while self._before:
            self._open()
            if self._before:
                await asyncio.sleep(0)

    def _open(self) -> None:
        """Prepares who came: one at least, and for SLICE_SECONDS at most."""
        loop = self._before[0][1].get_loop()
        end = loop.time() + SLICE_SECONDS
        passed = 0
        for asked, future in self._before:
            passed += 1
            self._prepare_one(asked, future)
            if loop.time() >= end:
                break
        del self._before[:passed]

    def _prepare_one(self, asked: A, future: asyncio.Future[T]) -> None:
        if future.done():
            return
        try:
            self._let_in(self._prepare(asked), future)
        except Refusal as refusal:
            # Its traceback would keep what was asked alive, until the garbage is collected.
            resolve(future, None, refusal.with_traceback(None))
        except Exception as error:
            resolve(future, None, error)

    def _open_by_itself(self) -> None:
        self._timer = None
        if self._before:
            loop = self._before[0][1].get_loop()
            self._open()
            if self._before:
                self._timer = loop.call_later(0, self._open_by_itself)
