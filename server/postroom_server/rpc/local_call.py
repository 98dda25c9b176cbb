"""The caller's side of a call within this process: what grpc.aio's call objects offer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import grpc
import grpc.aio

from postroom_server.rpc.local_context import Ending, LocalContext

_CANCELLED = "Locally cancelled by application!"
_DROPPED = "Cancelled upon garbage collection!"


class LocalCall(grpc.aio.Call):
    """The running call belongs to its caller: dropped, it is cancelled, as over a socket."""

    def __init__(self, context: LocalContext, deserialize: Callable[[bytes], Any] | None) -> None:
        self._context = context
        self._deserialize = deserialize
        self._is_cancelled = False

    def __del__(self) -> None:
        self._context.stop(grpc.StatusCode.CANCELLED, _DROPPED)

    def cancel(self) -> bool:
        if self.done():
            return False
        self._is_cancelled = True
        self._context.stop(grpc.StatusCode.CANCELLED, _CANCELLED)
        return True

    def cancelled(self) -> bool:
        return self._context.cancelled()

    def done(self) -> bool:
        return self._context.done()

    def time_remaining(self) -> float | None:
        remaining: float | None = self._context.time_remaining()
        return remaining

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._context.on_end(lambda: callback(self))

    async def initial_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(*await self._context.wait_initial())

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(*(await self._context.wait_end()).trailing_metadata)

    async def code(self) -> grpc.StatusCode:
        return (await self._context.wait_end()).code

    async def details(self) -> str:
        return (await self._context.wait_end()).details

    async def debug_error_string(self) -> str:
        return ""

    async def wait_for_connection(self) -> None:
        """There is nothing to connect to."""

    async def _take(self) -> bytes | None:
        try:
            return await self._context.take()
        except asyncio.CancelledError:
            self.cancel()
            raise

    def _parsed(self, message: bytes) -> Any:
        return self._deserialize(message) if self._deserialize else message

    def _raise_for_ending(self, ending: Ending) -> None:
        if self._is_cancelled:
            raise asyncio.CancelledError
        if ending.code is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(
                ending.code,
                grpc.aio.Metadata(*(self._context.initial or ())),
                grpc.aio.Metadata(*ending.trailing_metadata),
                details=ending.details,
            )


class LocalUnaryCall(LocalCall, grpc.aio.UnaryUnaryCall[Any, Any]):
    """Awaited, gives the answer; may be awaited more than once."""

    _answer: bytes | None = None

    def __await__(self) -> Generator[Any, None, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        try:
            ending = await self._context.wait_end()
        except asyncio.CancelledError:
            self.cancel()
            raise
        self._raise_for_ending(ending)
        if self._answer is None:
            self._answer = await self._context.take() or b""
        return self._parsed(self._answer)


class LocalStreamCall(LocalCall, grpc.aio.UnaryStreamCall[Any, Any]):
    """Iterated over, or read message by message."""

    _iterator: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._iterator is None:
            self._iterator = self._iterate()
        return self._iterator

    async def _iterate(self) -> AsyncIterator[Any]:
        while (message := await self._take()) is not None:
            yield self._parsed(message)
        self._raise_for_ending(await self._context.wait_end())

    async def read(self) -> Any:
        message = await self._take()
        if message is not None:
            return self._parsed(message)
        self._raise_for_ending(await self._context.wait_end())
        return grpc.aio.EOF
