"""A small service, and both ways to call it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import prometheus_client
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import error_details_pb2, status_pb2

from postroom_server.clock import Clock
from postroom_server.mail.caller import Caller, Scope
from postroom_server.refusals import Reason, Refusal, Violation
from postroom_server.rpc.call import current_call, current_caller
from postroom_server.rpc.failures import Failures
from postroom_server.rpc.in_flight import InFlight
from postroom_server.rpc.limits import Limits
from postroom_server.rpc.listener import Listener, ListenerSettings
from postroom_server.rpc.local_channel import LocalChannel
from postroom_server.rpc.metrics import Metrics
from postroom_server.rpc.services import Services
from postroom_server.rpc.stack import stack

CALLERS = {
    "sender": Caller(7, 1, "sender", frozenset({Scope.SEND})),
    "reader": Caller(8, 2, "reader", frozenset({Scope.READ})),
    "both": Caller(9, 3, "both", frozenset({Scope.READ, Scope.SEND})),
    "platform": Caller(0, 4, "platform", frozenset({Scope.PLATFORM, Scope.ADMIN})),
}
SMALL = Limits(message_bytes=100_000, metadata_bytes=4096)
DEADLINE = timedelta(milliseconds=300)


class Parrot:
    """Does what its request says."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.release = asyncio.Event()
        self.written = 0

    async def say(self, request: StringValue, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        return await self._do(request.value, context)

    async def stream(
        self, request: StringValue, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        count, _, then = request.value.partition(" ")
        for number in range(int(count)):
            self.written = number + 1
            yield StringValue(value=str(number))
        if then:
            yield await self._do(then, context)

    async def _do(self, what: str, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        match what.partition(" "):
            case "echo", _, text:
                return StringValue(value=text)
            case "refuse", _, _:
                violations = [Violation("to[0]", "is empty"), Violation("subject", "too long")]
                raise Refusal(Reason.INVALID_FIELD, "to[0]: is empty (and 1 more)", violations=violations)
            case "refuse-much", _, _:
                many = [Violation(f"to[{n}].字", "字" * 30) for n in range(500)]
                raise Refusal(Reason.INVALID_FIELD, "字" * 5000, violations=many)
            case "wait", _, _:
                raise Refusal(Reason.BACKLOG_FULL, "später", retry_after=timedelta(seconds=2.5))
            case "break", _, secret:
                raise ZeroDivisionError(secret)
            case "hang", _, _:
                await self._hang()
            case "hold", _, text:
                self.began.set()
                await self.release.wait()
                return StringValue(value=text)
            case "who", _, _:
                caller = current_caller()
                await asyncio.sleep(0)
                return StringValue(value=f"{caller.tenant_id} {current_caller().name}")
            case "request-id", _, _:
                return StringValue(value=current_call().request_id)
            case "metadata", _, key:
                found = [value for name, value in context.invocation_metadata() or () if name == key]
                return StringValue(value=repr(found))
            case "trail", _, text:
                await context.send_initial_metadata((("x-first", text),))
                context.set_trailing_metadata((("x-last", text),))
                return StringValue(value="trailed")
            case "big", _, size:
                return StringValue(value="x" * int(size))
            case "wrong", _, _:
                return "not a message"
        raise AssertionError(what)

    async def _hang(self) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    def unimplemented(self, _request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        # To the letter what generated servicers do.
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        context.set_details("Method not implemented!")
        raise NotImplementedError("Method not implemented!")


SCOPES = {
    "/test.Parrot/Say": Scope.SEND,
    "/test.Parrot/Stream": Scope.READ,
    "/test.Parrot/Later": Scope.SEND,
}


def add_parrot(parrot: Parrot, server: Any) -> None:
    codec: dict[str, Any] = {
        "request_deserializer": StringValue.FromString,
        "response_serializer": StringValue.SerializeToString,
    }
    handlers = {
        "Say": grpc.unary_unary_rpc_method_handler(parrot.say, **codec),
        "Stream": grpc.unary_stream_rpc_method_handler(parrot.stream, **codec),
        "Later": grpc.unary_unary_rpc_method_handler(parrot.unimplemented, **codec),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Parrot", handlers),))
    server.add_registered_method_handlers("test.Parrot", handlers)


class ParrotStub:
    """As generated stubs are."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        def method(make: Any, name: str) -> Any:
            return make(
                f"/test.Parrot/{name}",
                request_serializer=StringValue.SerializeToString,
                response_deserializer=StringValue.FromString,
                _registered_method=True,
            )

        self._say = method(channel.unary_unary, "Say")
        self._stream = method(channel.unary_stream, "Stream")
        self._later = method(channel.unary_unary, "Later")

    def say(self, what: str, token: str = "both", metadata: Any = (), **options: Any) -> Any:
        return self._say(StringValue(value=what), metadata=_with(token, metadata), **options)

    def stream(self, what: str, token: str = "both", metadata: Any = (), **options: Any) -> Any:
        return self._stream(StringValue(value=what), metadata=_with(token, metadata), **options)

    def later(self, token: str = "both") -> Any:
        return self._later(StringValue(), metadata=_with(token, ()))


def _with(token: str, metadata: Any) -> Any:
    return (("authorization", f"Bearer {token}"), *metadata) if token else metadata


class ManualMonotonic(Clock):
    """Only its monotonic hand is turned by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@dataclasses.dataclass
class World:
    """One server: its service, what counts its calls, and a stub that reaches it."""

    parrot: Parrot
    clock: ManualMonotonic
    registry: prometheus_client.CollectorRegistry
    in_flight: InFlight
    services: Services
    listener: Listener
    channel: grpc.aio.Channel
    stub: ParrotStub

    def calls(self, method: str, code: str) -> float:
        labels = {"method": f"/test.Parrot/{method}", "code": code}
        return self.registry.get_sample_value("postroom_rpc_calls_total", labels) or 0.0


async def authenticate(token: str) -> Caller | None:
    if token == "broken store":
        raise Refusal(Reason.STORE_UNAVAILABLE, "no database", retry_after=timedelta(seconds=1))
    return CALLERS.get(token)


async def trusts_gateway(token: str) -> bool:
    return token == "the gateway"


async def build(transport: str) -> World:
    clock = ManualMonotonic()
    registry = prometheus_client.CollectorRegistry()
    in_flight = InFlight(max_bytes=150_000)
    layers = stack(
        clock=clock,
        metrics=Metrics(registry),
        in_flight=in_flight,
        authenticate=authenticate,
        scopes=SCOPES,
        failures=Failures(clock, limit=3),
        trusts_gateway=trusts_gateway,
        default_deadline=DEADLINE,
    )
    services, parrot = Services(layers), Parrot()
    services.add(add_parrot, parrot)
    listener = Listener(services, in_flight, ListenerSettings(address="127.0.0.1:0", limits=SMALL))
    channel: grpc.aio.Channel = LocalChannel(services, SMALL)
    if transport == "socket":
        await listener.start()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{listener.port}")
    return World(parrot, clock, registry, in_flight, services, listener, channel, ParrotStub(channel))


@pytest.fixture(params=["local", "socket"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    made = await build(request.param)
    yield made
    made.parrot.release.set()
    await made.channel.close()
    await made.listener.stop()


@pytest.fixture
async def socket_world() -> AsyncIterator[World]:
    made = await build("socket")
    yield made
    made.parrot.release.set()
    await made.channel.close()
    await made.listener.stop()


@dataclasses.dataclass
class Answer:
    """A status as a caller reads it."""

    code: str
    details: str
    reason: str = ""
    domain: str = ""
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    violations: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    retry_after: float | None = None


async def failure_of(awaitable: Any) -> Answer:
    """Awaits what must fail, and reads the answer."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return read(caught.value)


def read(error: grpc.aio.AioRpcError) -> Answer:
    answer = Answer(error.code().name, error.details() or "")
    packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if packed is None:
        return answer
    status = status_pb2.Status.FromString(packed)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    for detail in status.details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            answer.reason, answer.domain, answer.metadata = info.reason, info.domain, dict(info.metadata)
        elif detail.Unpack(bad):
            answer.violations = [(v.field, v.description, v.reason) for v in bad.field_violations]
        elif detail.Unpack(retry):
            answer.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return answer
