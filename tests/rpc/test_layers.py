"""The layers by themselves: order, the access log, metrics, and the table of scopes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping
from typing import Any

import pytest
import structlog

from postroom_server.rpc.access import name_call
from postroom_server.rpc.call import Call, Method, current_caller
from postroom_server.rpc.layers import Proceed
from postroom_server.rpc.local_channel import LocalChannel
from postroom_server.rpc.scopes import Scopes
from postroom_server.rpc.services import Services

from .conftest import Parrot, ParrotStub, World, add_parrot, build, failure_of


class Noting:
    """Notes when a call enters and leaves it."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self._name = name
        self._notes = notes

    def __call__(self, _method: Method, proceed: Proceed) -> Proceed:
        async def noted(call: Call) -> Any:
            self._notes.append(f"+{self._name}")
            try:
                return await proceed(call)
            finally:
                self._notes.append(f"-{self._name}")

        return noted


async def test_the_first_layer_is_outermost_and_a_stream_is_over_when_it_says_so() -> None:
    notes: list[str] = []
    parrot = Parrot()
    services = Services([Noting("a", notes), Noting("b", notes)])
    services.add(add_parrot, parrot)
    call = ParrotStub(LocalChannel(services)).stream("1 hold on")
    assert (await call.read()).value == "0"
    await parrot.began.wait()
    assert notes == ["+a", "+b"]
    parrot.release.set()
    assert (await call.read()).value == "on"
    await call.code()
    assert notes == ["+a", "+b", "-b", "-a"]


def test_a_method_without_a_scope_cannot_be_registered() -> None:
    services = Services([Scopes({})])
    with pytest.raises(LookupError, match=r"^/test\.Parrot/Say has no line in the table of scopes"):
        services.add(add_parrot, Parrot())


@pytest.mark.parametrize(
    ("what", "token", "expected"),
    [
        ("echo x", "sender", {"code": "OK", "reason": "", "tenant": 7, "token": "sender"}),
        ("refuse", "both", {"code": "INVALID_ARGUMENT", "reason": "INVALID_FIELD", "tenant": 9}),
        ("echo x", "reader", {"code": "PERMISSION_DENIED", "reason": "SCOPE_MISSING", "tenant": 8}),
        ("echo x", "secret", {"code": "UNAUTHENTICATED", "tenant": None, "token": None}),
    ],
)
async def test_e8_every_call_is_one_line_without_secrets(
    what: str, token: str, expected: Mapping[str, Any]
) -> None:
    with structlog.testing.capture_logs() as logs:
        world = await build("local")
        call = world.stub.say(what, token=token, metadata=(("x-request-id", "r-1"),))
        await asyncio.gather(call, return_exceptions=True)
    (line,) = logs
    assert (line["event"], line["method"]) == ("rpc", "/test.Parrot/Say")
    assert line["correlation_id"] == "r-1"
    assert line["milliseconds"] == 0
    assert expected.items() <= line.items()
    assert "secret" not in repr(line)


async def test_a_stream_is_one_line_when_it_is_over() -> None:
    with structlog.testing.capture_logs() as logs:
        world = await build("local")
        await failure_of(_exhaust(world.stub.stream("2 refuse")))
    assert [(line["method"], line["code"]) for line in logs] == [("/test.Parrot/Stream", "INVALID_ARGUMENT")]


async def test_durations_are_observed_for_unary_calls_only(world: World) -> None:
    await world.stub.say("echo x")
    await _exhaust(world.stub.stream("1"))
    count = world.registry.get_sample_value
    assert count("postroom_rpc_seconds_count", {"method": "/test.Parrot/Say"}) == 1
    assert count("postroom_rpc_seconds_count", {"method": "/test.Parrot/Stream"}) is None
    assert (world.calls("Say", "OK"), world.calls("Stream", "OK")) == (1, 1)


def test_outside_of_a_call_there_is_no_caller_and_log_lines_stay_as_they_are() -> None:
    with pytest.raises(LookupError):
        current_caller()
    event: MutableMapping[str, Any] = {"event": "x"}
    assert name_call(None, "info", event) == {"event": "x"}


async def _exhaust(stream: Any) -> None:
    async for _ in stream:
        pass
