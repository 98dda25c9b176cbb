"""The layer that gives unary calls without a deadline one of ours."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import grpc

from postroom_server.rpc.call import Call, Method
from postroom_server.rpc.layers import Proceed
from postroom_server.rpc.status import Interruption


class Deadline:
    """A deadline that the caller set is the transport's: it answers the caller and cancels us, on time.

    Ours are all equally long, so they pass in the order in which their calls began, and one timer for the
    oldest is enough. A timer for each call costs more than all other layers together.
    """

    def __init__(self, limit: timedelta = timedelta(seconds=30)) -> None:
        self._seconds = limit.total_seconds()
        self._waiting: dict[asyncio.Task[Any], float] = {}
        self._expired: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, method: Method, proceed: Proceed) -> Proceed:
        if method.takes_stream or method.answers_stream:
            return proceed

        async def limited(call: Call) -> Any:
            if call.context.time_remaining() is not None:
                return await proceed(call)
            task = asyncio.current_task()
            if task is None:
                raise RuntimeError("a call runs in a task of its own")
            self._wait(task)
            try:
                return await proceed(call)
            except asyncio.CancelledError:
                # The caller may have cancelled, too: then that is what happened.
                if task not in self._expired or task.uncancel() > 0:
                    raise
                raise Interruption(
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                    "DEADLINE_EXCEEDED",
                    f"calls without a deadline get {self._seconds:g} s; it may have happened all the same",
                ) from None
            finally:
                self._waiting.pop(task, None)
                self._expired.discard(task)

        return limited

    def _wait(self, task: asyncio.Task[Any]) -> None:
        loop = task.get_loop()
        end = self._waiting[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(end, self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for task, end in tuple(self._waiting.items()):
            if end > now:
                self._timer = loop.call_at(end, self._expire, loop)
                return
            del self._waiting[task]
            self._expired.add(task)
            task.cancel()
