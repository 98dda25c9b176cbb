"""What only LocalChannel can get wrong."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from postroom_server.rpc.local_channel import LocalChannel
from postroom_server.rpc.services import Services

from .conftest import World, build, failure_of


@pytest.fixture
async def local() -> AsyncIterator[World]:
    made = await build("local")
    yield made
    await made.channel.close()


async def test_nobody_shares_a_message() -> None:
    kept = StringValue(value="kept")
    seen = []

    async def say(request: StringValue, _context: Any) -> StringValue:
        seen.append(request)
        return kept

    services = Services([])
    handler = grpc.unary_unary_rpc_method_handler(
        say, request_deserializer=StringValue.FromString, response_serializer=StringValue.SerializeToString
    )
    services.add_registered_method_handlers("test.Keeper", {"Say": handler})
    call = LocalChannel(services).unary_unary(
        "/test.Keeper/Say",
        request_serializer=StringValue.SerializeToString,
        response_deserializer=StringValue.FromString,
    )
    request = StringValue(value="asked")
    pending = call(request)
    request.value = "changed after the call"
    answer = await pending
    answer.value = "changed by the caller"
    assert (seen[0].value, kept.value) == ("asked", "kept")


async def test_a_call_sees_nothing_of_its_callers_context(local: World) -> None:
    # Over a socket it could not, either.
    inherited: contextvars.ContextVar[str] = contextvars.ContextVar("inherited")
    inherited.set("from the caller")
    seen = []
    local.parrot._do = lambda *_: _noting(seen, inherited)
    await local.stub.say("anything")
    assert seen == ["nothing"]


async def _noting(seen: list[str], variable: contextvars.ContextVar[str]) -> StringValue:
    seen.append(variable.get("nothing"))
    return StringValue()


async def test_a_call_runs_though_nobody_waits_yet(local: World) -> None:
    call = local.stub.say("hang")
    await asyncio.wait_for(local.parrot.began.wait(), 5)
    assert not call.done()
    call.cancel()


async def test_a_dropped_call_is_cancelled(local: World) -> None:
    call = local.stub.say("hang", timeout=60)
    await local.parrot.began.wait()
    del call
    gc.collect()
    await asyncio.wait_for(local.parrot.cancelled.wait(), 5)


async def test_nobody_waits_for_a_servicer_that_will_not_stop(local: World) -> None:
    clearing_up = asyncio.Event()

    async def stubborn(*_: Any) -> StringValue:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            clearing_up.set()
            await local.parrot.release.wait()
            raise
        return StringValue()

    local.parrot._do = stubborn
    answer = await failure_of(local.stub.say("anything", timeout=0.05))
    assert answer.code == "DEADLINE_EXCEEDED"
    await asyncio.wait_for(clearing_up.wait(), 5)
    assert local.in_flight.calls == 1
    local.in_flight.refuse_new()
    local.parrot.release.set()
    assert await local.in_flight.wait_idle(timedelta(seconds=5))


async def test_an_answer_may_be_awaited_twice(local: World) -> None:
    call = local.stub.say("echo x")
    assert ((await call).value, (await call).value) == ("x", "x")


async def test_done_callbacks_are_called_with_the_call(local: World) -> None:
    call = local.stub.say("echo x")
    seen = []
    call.add_done_callback(seen.append)
    await call
    call.add_done_callback(seen.append)
    assert seen == [call, call]


async def test_a_timeout_of_nothing_has_passed_already(local: World) -> None:
    answer = await failure_of(local.stub.say("echo x", timeout=-1))
    assert answer.code == "DEADLINE_EXCEEDED"


async def test_client_streams_are_refused(local: World) -> None:
    with pytest.raises(TypeError, match=r"^/test\.Parrot/Chat: a local channel carries no client streams"):
        local.channel.stream_stream("/test.Parrot/Chat")
    with pytest.raises(TypeError):
        local.channel.stream_unary("/test.Parrot/Chat")


async def test_call_credentials_are_refused(local: World) -> None:
    credentials = grpc.access_token_call_credentials("x")
    with pytest.raises(grpc.aio.UsageError):
        local.stub.say("echo x", credentials=credentials)


async def test_a_closed_channel_ends_what_runs_and_takes_nothing_more(local: World) -> None:
    pending = asyncio.ensure_future(failure_of(local.stub.say("hang")))
    await local.parrot.began.wait()
    assert local.channel.get_state() is grpc.ChannelConnectivity.READY
    await local.channel.close()
    assert (await pending).code == "CANCELLED"
    assert local.channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN
    with pytest.raises(grpc.aio.UsageError):
        local.stub.say("echo x")


async def test_closing_with_grace_waits(local: World) -> None:
    call = local.stub.say("hold on")
    await local.parrot.began.wait()
    closing = asyncio.ensure_future(local.channel.close(5))
    await asyncio.sleep(0)
    local.parrot.release.set()
    await closing
    assert (await call).value == "on"
