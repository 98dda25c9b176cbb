"""A channel to servicers in this process: generated stubs on one side, the wrapped handlers on the other.

Requests and answers are serialised and parsed as over a socket: nobody shares a message, sizes are known, and
what would not travel does not pass here either. A call runs in a task and a context of its own.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NoReturn, Self

import grpc
import grpc.aio
import structlog

from postroom_server.rpc.layers import Handler
from postroom_server.rpc.limits import Limits
from postroom_server.rpc.local_call import LocalStreamCall, LocalUnaryCall
from postroom_server.rpc.local_context import LocalContext
from postroom_server.rpc.services import Services

_log = structlog.get_logger("postroom.rpc")

# What HTTP/2 carries. A gateway copies values from HTTP headers, so they are checked here, too.
_KEY = re.compile(r"[0-9a-z_.-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")

Serialize = Callable[[Any], bytes] | None
Deserialize = Callable[[bytes], Any] | None


class LocalChannel(grpc.aio.Channel):
    """Takes a call's time-out, cancellation, metadata and sizes as seriously as a socket would."""

    def __init__(self, services: Services, limits: Limits | None = None) -> None:
        self._services = services
        self._limits = limits or Limits()
        self._running: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def unary_unary(
        self,
        method: str,
        request_serializer: Serialize = None,
        response_deserializer: Deserialize = None,
        _registered_method: bool | None = None,
    ) -> grpc.aio.UnaryUnaryMultiCallable[Any, Any]:
        return _Unary(self, method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serialize = None,
        response_deserializer: Deserialize = None,
        _registered_method: bool | None = None,
    ) -> grpc.aio.UnaryStreamMultiCallable[Any, Any]:
        return _Stream(self, method, request_serializer, response_deserializer)

    def stream_unary(self, method: str, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(f"{method}: a local channel carries no client streams")

    def stream_stream(self, method: str, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(f"{method}: a local channel carries no client streams")

    async def close(self, grace: float | None = None) -> None:
        """Refuses further calls; cancels those that are still under way after `grace` seconds."""
        self._closing.set()
        if self._running and grace:
            await asyncio.wait(self._running, timeout=grace)
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return grpc.ChannelConnectivity.SHUTDOWN if self._closing.is_set() else grpc.ChannelConnectivity.READY

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        if self.get_state() is last_observed_state:
            await self._closing.wait()

    async def channel_ready(self) -> None:
        """Always is."""

    def begin(
        self,
        method: str,
        request: bytes,
        timeout: float | None,
        metadata: Any,
        credentials: Any,
        stream: bool,
    ) -> LocalContext:
        if self._closing.is_set():
            raise grpc.aio.UsageError("Channel is closed.")
        if credentials is not None:
            raise grpc.aio.UsageError("Call credentials are only valid on secure channels.")
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        handler = self._services.find(method)
        metadata = metadata or ()
        context = LocalContext(
            metadata, deadline, handler.response_serializer if handler else None, self._limits.message_bytes
        )
        if handler is None or handler.request_streaming or handler.response_streaming is not stream:
            context.end(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        elif refused := self._oversize(request, metadata):
            context.end(grpc.StatusCode.RESOURCE_EXHAUSTED, refused)
        elif timeout is not None and timeout <= 0:
            context.end(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        else:
            self._start(loop, handler, request, context, deadline)
        return context

    def _oversize(self, request: bytes, metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
        limits = self._limits
        if len(request) > limits.message_bytes:
            return f"Received message larger than max ({len(request)} vs. {limits.message_bytes})"
        size = 0
        for key, value in metadata:
            legal = _VALUE.fullmatch(value) if isinstance(value, str) else key.endswith("-bin")
            if not legal or not _KEY.fullmatch(key):
                raise grpc.aio.InternalError(f"metadata {key!r} is not legal")
            # HTTP/2 counts 32 bytes for each pair (RFC 9113, section 6.5.2).
            size += len(key) + len(value) + 32
        if size > limits.metadata_bytes:
            return f"received metadata size exceeds hard limit ({size} vs. {limits.metadata_bytes})"
        return None

    def _start(
        self,
        loop: asyncio.AbstractEventLoop,
        handler: Handler,
        request: bytes,
        context: LocalContext,
        deadline: float | None,
    ) -> None:
        task = loop.create_task(_serve(handler, request, context), context=contextvars.Context())
        context.task = task
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if deadline is not None:
            timer = loop.call_at(
                deadline, context.stop, grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"
            )
            context.on_end(timer.cancel)


async def _serve(handler: Handler, request: bytes, context: LocalContext) -> None:
    try:
        if handler.response_streaming:
            run: Any = handler.unary_stream
            await run(request, context)
        else:
            run = handler.unary_unary
            context.put(await run(request, context))
    except grpc.aio.BaseError:
        # Aborted, or ended by the caller: the ending says so.
        pass
    except asyncio.CancelledError:
        context.end(grpc.StatusCode.CANCELLED, "Cancelled by the server")
    except Exception:
        # The layers answer everything that servicers raise: this is a fault in a layer.
        _log.exception("unanswered")
        context.end(grpc.StatusCode.UNKNOWN, "internal error")
    context.finish()


class _Unary(grpc.aio.UnaryUnaryMultiCallable[Any, Any]):
    def __init__(
        self, channel: LocalChannel, method: str, serialize: Serialize, deserialize: Deserialize
    ) -> None:
        self._channel = channel
        self._method = method
        self._serialize = serialize
        self._deserialize = deserialize

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> LocalUnaryCall:
        raw = self._serialize(request) if self._serialize else request
        context = self._channel.begin(self._method, raw, timeout, metadata, credentials, False)
        return LocalUnaryCall(context, self._deserialize)


class _Stream(grpc.aio.UnaryStreamMultiCallable[Any, Any]):
    def __init__(
        self, channel: LocalChannel, method: str, serialize: Serialize, deserialize: Deserialize
    ) -> None:
        self._channel = channel
        self._method = method
        self._serialize = serialize
        self._deserialize = deserialize

    def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> LocalStreamCall:
        raw = self._serialize(request) if self._serialize else request
        context = self._channel.begin(self._method, raw, timeout, metadata, credentials, True)
        return LocalStreamCall(context, self._deserialize)
