"""The servicer's side of a call within this process, and the pipe between it and its caller."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Never

import grpc
import grpc.aio

LOCAL_PEER = "local:"

# How many messages of a stream wait for their reader before the writer does.
MAX_WAITING_MESSAGES = 16

Metadata = tuple[tuple[str, str | bytes], ...]


class Metadatum(NamedTuple):
    """One pair of metadata, named as the pairs that grpc hands out are."""

    key: str
    value: str | bytes


class Ending(NamedTuple):
    """How a call ended. The first ending counts."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: Metadata


class LocalContext(grpc.aio.ServicerContext[Any, Any]):
    """What grpc.aio's own context does, without a socket."""

    def __init__(
        self,
        metadata: Iterable[tuple[str, str | bytes]],
        deadline: float | None,
        serialize: Callable[[Any], bytes] | None,
        max_message_bytes: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._metadata = tuple(Metadatum(key, value) for key, value in metadata)
        self._deadline = deadline
        self._serialize = serialize
        self._max_message_bytes = max_message_bytes
        self._code = grpc.StatusCode.OK
        self._details = ""
        self._trailing: Metadata = ()
        self._messages: collections.deque[bytes] = collections.deque()
        self._waiters: list[asyncio.Future[None]] = []
        self._callbacks: list[Callable[[], None]] = []
        self.initial: Metadata | None = None
        self.ending: Ending | None = None
        self.task: asyncio.Task[None] | None = None

    # The pipe.

    def end(self, code: grpc.StatusCode, details: str, trailing_metadata: Metadata = ()) -> None:
        """Says how the call ended; what was put before may still be taken."""
        if self.ending is None:
            self.ending = Ending(code, details, trailing_metadata)
            self._wake()
            for callback in self._callbacks:
                callback()

    def stop(self, code: grpc.StatusCode, details: str) -> None:
        """The caller's side ends the call: nobody waits for the servicer, which is cancelled."""
        if self.ending is None:
            self._messages.clear()
            self.end(code, details)
            if self.task is not None:
                self.task.cancel()

    def finish(self) -> None:
        """The servicer's side is done, with the code it has set, if any."""
        self.end(self._code, self._details, self._trailing)

    def put(self, message: bytes) -> None:
        if len(message) > self._max_message_bytes:
            text = f"Sent message larger than max ({len(message)} vs. {self._max_message_bytes})"
            self.end(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
            raise grpc.aio.InternalError(text)
        self._messages.append(message)
        self._wake()

    async def take(self) -> bytes | None:
        """The next message, or None when the call has ended."""
        while not self._messages:
            if self.ending is not None:
                return None
            await self._change()
        message = self._messages.popleft()
        self._wake()
        return message

    async def wait_end(self) -> Ending:
        while self.ending is None:
            await self._change()
        return self.ending

    async def wait_initial(self) -> Metadata:
        while self.initial is None and self.ending is None:
            await self._change()
        return self.initial or ()

    def on_end(self, callback: Callable[[], None]) -> None:
        if self.ending is None:
            self._callbacks.append(callback)
        else:
            callback()

    async def _change(self) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # What servicers and layers call.

    async def read(self) -> Any:
        raise TypeError("a local call takes one request")

    async def write(self, message: Any) -> None:
        self._refuse_ended()
        self.put(self._serialize(message) if self._serialize else message)
        while len(self._messages) > MAX_WAITING_MESSAGES and self.ending is None:
            await self._change()

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        self._refuse_ended()
        if self.initial is not None:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent")
        self.initial = tuple(initial_metadata)
        self._wake()

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> Never:
        self._code = code
        self.end(code, details or self._details, tuple(trailing_metadata) or self._trailing)
        raise grpc.aio.AbortError("Locally aborted.")

    async def abort_with_status(self, status: grpc.Status) -> Never:
        await self.abort(status.code, status.details, status.trailing_metadata)

    def _refuse_ended(self) -> None:
        if self.ending is not None:
            raise grpc.aio.InternalError("RPC already finished.")

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._trailing = tuple(trailing_metadata)

    def trailing_metadata(self) -> Any:
        return self._trailing

    def invocation_metadata(self) -> Any:
        return self._metadata

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def set_details(self, details: str) -> None:
        self._details = details

    def details(self) -> str:
        return self._details

    def set_compression(self, compression: grpc.Compression) -> None:
        """Nothing is compressed where nothing travels."""

    def disable_next_message_compression(self) -> None:
        """Nothing is compressed where nothing travels."""

    def peer(self) -> str:
        return LOCAL_PEER

    def peer_identities(self) -> Iterable[bytes] | None:
        return None

    def peer_identity_key(self) -> str | None:
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return {}

    def time_remaining(self) -> Any:
        return None if self._deadline is None else max(self._deadline - self._loop.time(), 0.0)

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self.on_end(lambda: callback(self))

    def done(self) -> bool:
        return self.ending is not None

    def cancelled(self) -> bool:
        return self.ending is not None and self.ending.code is grpc.StatusCode.CANCELLED
