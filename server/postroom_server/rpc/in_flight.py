"""What is under way: counted for drain, bounded in bytes, on both transports."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from postroom_server.refusals import Reason, Refusal
from postroom_server.rpc.call import Call, Method
from postroom_server.rpc.layers import Proceed

MIB = 1024 * 1024
_RETRY = timedelta(seconds=1)


class InFlight:
    """Counts calls and the bytes of their requests; refuses new ones when told to, or beyond `max_bytes`.

    Open methods are neither counted nor refused: a health check during drain is what drain is announced by.
    """

    def __init__(self, *, max_bytes: int = 256 * MIB) -> None:
        self._max_bytes = max_bytes
        self._draining = False
        self._idle = asyncio.Event()
        self._streams: dict[asyncio.Task[Any], Method] = {}
        self._cut: set[asyncio.Task[Any]] = set()
        self.calls = 0
        self.bytes = 0

    def refuse_new(self) -> None:
        """Begins drain: new calls are refused, and streams end now, for they would never by themselves."""
        self._draining = True
        self._cut_streams(is_open=False)
        if not self.calls:
            self._idle.set()

    async def wait_idle(self, limit: timedelta) -> bool:
        """Waits until the last call is over. False when `limit` came first. Only after `refuse_new`."""
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def end_open_streams(self) -> None:
        """Ends health watches and reflection: the last thing before the transport closes."""
        self._cut_streams(is_open=True)

    def __call__(self, method: Method, proceed: Proceed) -> Proceed:
        if method.answers_stream:
            proceed = self._cuttable(method, proceed)
        return proceed if method.is_open else self._counted(proceed)

    def _counted(self, proceed: Proceed) -> Proceed:
        async def counted(call: Call) -> Any:
            if self._draining:
                raise _shutting_down()
            size = len(call.request)
            if self.bytes + size > self._max_bytes:
                raise Refusal(
                    Reason.OVERLOADED, "too many bytes of requests are under way", retry_after=_RETRY
                )
            self.calls += 1
            self.bytes += size
            try:
                return await proceed(call)
            finally:
                self.calls -= 1
                self.bytes -= size
                if self._draining and not self.calls:
                    self._idle.set()

        return counted

    def _cuttable(self, method: Method, proceed: Proceed) -> Proceed:
        async def cuttable(call: Call) -> Any:
            task = asyncio.current_task()
            if task is None:
                raise RuntimeError("a call runs in a task of its own")
            self._streams[task] = method
            try:
                return await proceed(call)
            except asyncio.CancelledError:
                if task not in self._cut:
                    raise
                task.uncancel()
                raise _shutting_down() from None
            finally:
                del self._streams[task]
                self._cut.discard(task)

        return cuttable

    def _cut_streams(self, *, is_open: bool) -> None:
        for task, method in self._streams.items():
            if method.is_open is is_open:
                self._cut.add(task)
                task.cancel()


def _shutting_down() -> Refusal:
    return Refusal(Reason.SHUTTING_DOWN, "this server is shutting down", retry_after=_RETRY)
