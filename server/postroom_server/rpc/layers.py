"""Layers around a method: one body for unary and streaming calls, folded once, at start.

A layer takes a method and what to do next, and returns what to do instead; a layer that has nothing to do for
a method returns `proceed` as it came. The trap of streaming (a generator has not run when it is returned) is
closed at the innermost place: the messages of a stream are written there, so `await proceed(call)` returns,
for every kind of method, when the call is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from postroom_server.rpc.call import Call, Method, running
from postroom_server.rpc.status import Interruption

Proceed = Callable[[Call], Awaitable[Any]]
Layer = Callable[[Method, Proceed], Proceed]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


def fold(name: str, handler: Handler, layers: Iterable[Layer]) -> Handler:
    """Returns a handler that runs `handler` within `layers`, the first of them outermost."""
    method = Method(name, handler.request_streaming, handler.response_streaming)
    proceed = _innermost(method, handler)
    for layer in reversed(tuple(layers)):
        proceed = layer(method, proceed)

    async def run(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        call = Call(method, request, context)
        running.set(call)
        return await proceed(call)

    if method.takes_stream:
        if not method.answers_stream:
            raise TypeError(f"{name}: a method that takes a stream and answers once is not served here")
        return grpc.stream_stream_rpc_method_handler(
            run, handler.request_deserializer, handler.response_serializer
        )
    # The request stays bytes until the layers have let it in: nobody parses for a stranger.
    if method.answers_stream:
        return grpc.unary_stream_rpc_method_handler(run, None, handler.response_serializer)
    return grpc.unary_unary_rpc_method_handler(run)


def _innermost(method: Method, handler: Handler) -> Proceed:
    if method.takes_stream:
        return _writing(handler.stream_stream, lambda request: request)
    parse = _parsing(handler.request_deserializer)
    if method.answers_stream:
        return _writing(handler.unary_stream, parse)
    behaviour: Any = handler.unary_unary
    serialize: Any = handler.response_serializer or _as_it_is

    async def answer(call: Call) -> bytes:
        # Serialised here, so that a wrong answer is a bug like any other and not a text from the transport.
        answered: bytes = serialize(await behaviour(parse(call.request), call.context))
        # Calls that one commit answers do all of this one after the other, and then their transports do: in
        # turn, each would find the processor's caches full of the other's (docs/why/performance.md).
        await asyncio.sleep(0)
        return answered

    return answer


def _writing(behaviour: Any, parse: Callable[[Any], Any]) -> Proceed:
    if inspect.iscoroutinefunction(behaviour):

        async def run(call: Call) -> None:
            await behaviour(parse(call.request), call.context)

        return run

    async def write(call: Call) -> None:
        put = call.context.write
        async with contextlib.aclosing(behaviour(parse(call.request), call.context)) as messages:
            async for message in messages:
                await put(message)

    return write


def _parsing(deserialize: Any) -> Callable[[bytes], Any]:
    if deserialize is None:
        return _as_it_is

    def parse(request: bytes) -> Any:
        try:
            return deserialize(request)
        except DecodeError:
            # The code that every gRPC core gives to bytes it cannot parse.
            raise Interruption(
                grpc.StatusCode.INTERNAL, "INTERNAL", "the request is not a message of this method"
            ) from None

    return parse


def _as_it_is(message: Any) -> Any:
    return message
