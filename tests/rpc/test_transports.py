"""Every behaviour of a call, over LocalChannel and over a socket alike."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog

from .conftest import World, failure_of

SOON = 5


async def collect(stream: Any) -> list[str]:
    return [message.value async for message in stream]


async def test_a_value_comes_back(world: World) -> None:
    assert (await world.stub.say("echo hello")).value == "hello"
    assert world.calls("Say", "OK") == 1


async def test_the_servicer_knows_its_caller(world: World) -> None:
    assert (await world.stub.say("who", token="sender")).value == "7 sender"
    assert await collect(world.stub.stream("1 who", token="reader")) == ["0", "8 reader"]


async def test_concurrent_calls_know_their_own_callers(world: World) -> None:
    answers = await asyncio.gather(*(world.stub.say("who", token=t) for t in ("sender", "both") * 20))
    assert [answer.value for answer in answers] == ["7 sender", "9 both"] * 20


async def test_a_refusal_carries_reason_and_all_violations(world: World) -> None:
    answer = await failure_of(world.stub.say("refuse"))
    assert (answer.code, answer.reason, answer.domain) == ("INVALID_ARGUMENT", "INVALID_FIELD", "postroom")
    assert answer.details == "to[0]: is empty (and 1 more)"
    assert answer.violations == [
        ("to[0]", "is empty", "INVALID_FIELD"),
        ("subject", "too long", "INVALID_FIELD"),
    ]
    assert world.calls("Say", "INVALID_ARGUMENT") == 1


async def test_a_refusal_says_when_to_come_back(world: World) -> None:
    answer = await failure_of(world.stub.say("wait"))
    assert (answer.code, answer.details) == ("RESOURCE_EXHAUSTED", "später")
    assert answer.retry_after == 2.5


@pytest.mark.parametrize("what", ["break password123", "wrong answer"])
async def test_e8_a_bug_is_internal_without_text_and_logged_once(world: World, what: str) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await failure_of(world.stub.say(what))
    assert (answer.code, answer.details, answer.reason) == ("INTERNAL", "internal error", "INTERNAL")
    bugs = [line for line in logs if line["event"] == "unexpected"]
    assert [line["correlation_id"] for line in bugs] == [answer.metadata["correlation_id"]]
    assert isinstance(bugs[0]["exc_info"], Exception)


async def test_a_method_whose_turn_comes_later_is_unimplemented(world: World) -> None:
    answer = await failure_of(world.stub.later())
    assert (answer.code, answer.reason) == ("UNIMPLEMENTED", "UNIMPLEMENTED")


async def test_an_unknown_method_is_unimplemented(world: World) -> None:
    answer = await failure_of(world.channel.unary_unary("/test.Parrot/Sing")(b""))
    assert (answer.code, answer.details) == ("UNIMPLEMENTED", "Method not found!")


async def test_the_callers_deadline_ends_the_call_and_the_servicer(world: World) -> None:
    answer = await failure_of(world.stub.say("hang", timeout=0.1))
    assert (answer.code, answer.details) == ("DEADLINE_EXCEEDED", "Deadline Exceeded")
    await asyncio.wait_for(world.parrot.cancelled.wait(), SOON)
    await eventually(lambda: world.calls("Say", "DEADLINE_EXCEEDED") == 1)


async def test_f2_a_call_without_a_deadline_gets_ours(world: World) -> None:
    answer = await failure_of(world.stub.say("hang"))
    assert (answer.code, answer.reason) == ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")
    assert world.parrot.cancelled.is_set()
    assert world.calls("Say", "DEADLINE_EXCEEDED") == 1


async def test_each_call_gets_the_whole_of_our_deadline(world: World) -> None:
    first = asyncio.ensure_future(failure_of(world.stub.say("hang")))
    await world.parrot.began.wait()
    await asyncio.sleep(0.2)
    held = asyncio.ensure_future(_value(world.stub.say("hold on")))
    assert (await first).code == "DEADLINE_EXCEEDED"
    world.parrot.release.set()
    assert await held == "on"


async def test_a_deadline_that_is_longer_than_ours_is_kept(world: World) -> None:
    call = asyncio.ensure_future(_value(world.stub.say("hold on", timeout=SOON)))
    await asyncio.sleep(0.4)
    world.parrot.release.set()
    assert await call == "on"


async def test_a_cancelled_call_cancels_the_servicer(world: World) -> None:
    call = world.stub.say("hang", timeout=SOON)
    await asyncio.wait_for(world.parrot.began.wait(), SOON)
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await call.code(), call.cancelled(), call.done()) == (grpc.StatusCode.CANCELLED, True, True)
    assert not call.cancel()
    await asyncio.wait_for(world.parrot.cancelled.wait(), SOON)
    await eventually(lambda: world.calls("Say", "CANCELLED") == 1)


async def test_a_cancelled_waiter_cancels_the_servicer(world: World) -> None:
    waiter = asyncio.ensure_future(_value(world.stub.say("hang", timeout=SOON)))
    await asyncio.wait_for(world.parrot.began.wait(), SOON)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    await asyncio.wait_for(world.parrot.cancelled.wait(), SOON)


async def test_a_stream_comes_in_order_and_ends(world: World) -> None:
    call = world.stub.stream("50")
    assert await collect(call) == [str(number) for number in range(50)]
    assert await call.code() is grpc.StatusCode.OK
    assert world.calls("Stream", "OK") == 1


async def test_a_stream_is_read_message_by_message(world: World) -> None:
    call = world.stub.stream("2")
    assert [(await call.read()).value, (await call.read()).value] == ["0", "1"]
    assert await call.read() is grpc.aio.EOF


@pytest.mark.parametrize(
    ("then", "code", "reason"),
    [("refuse", "INVALID_ARGUMENT", "INVALID_FIELD"), ("break it", "INTERNAL", "INTERNAL")],
)
async def test_a_stream_that_fails_midway_delivers_what_came_before(
    world: World, then: str, code: str, reason: str
) -> None:
    got = []

    async def read_all() -> None:
        async for message in world.stub.stream(f"3 {then}"):
            got.append(message.value)  # noqa: PERF401 - what came before the failure is the point

    answer = await failure_of(read_all())
    assert got == ["0", "1", "2"]
    assert (answer.code, answer.reason) == (code, reason)
    assert world.calls("Stream", code) == 1


async def test_a_cancelled_stream_cancels_the_servicer(world: World) -> None:
    call = world.stub.stream("1 hang")
    assert (await call.read()).value == "0"
    await asyncio.wait_for(world.parrot.began.wait(), SOON)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.read()
    await asyncio.wait_for(world.parrot.cancelled.wait(), SOON)
    await eventually(lambda: world.calls("Stream", "CANCELLED") == 1)


async def test_a_stream_has_no_deadline_of_ours_but_keeps_the_callers(world: World) -> None:
    answer = await failure_of(collect(world.stub.stream("1 hang", timeout=0.5)))
    assert answer.code == "DEADLINE_EXCEEDED"
    await asyncio.wait_for(world.parrot.cancelled.wait(), SOON)


async def test_a_stream_waits_for_its_reader(world: World) -> None:
    call = world.stub.stream("1000000")
    await call.read()
    await asyncio.sleep(0.2)
    assert world.parrot.written < 500_000
    call.cancel()


async def test_metadata_travels_both_ways(world: World) -> None:
    sent = (("x-twice", "a"), ("x-twice", "b"), ("x-raw-bin", b"\x00\xff"))
    assert (await world.stub.say("metadata x-twice", metadata=sent)).value == "['a', 'b']"
    assert (await world.stub.say("metadata x-raw-bin", metadata=sent)).value == repr([b"\x00\xff"])
    call = world.stub.say("trail back")
    await call
    assert dict(await call.initial_metadata())["x-first"] == "back"
    assert dict(await call.trailing_metadata())["x-last"] == "back"


async def test_the_callers_request_id_is_kept_when_plain(world: World) -> None:
    given = (("x-request-id", "order-7.2"),)
    odd = (("x-request-id", "a b"),)
    assert (await world.stub.say("request-id", metadata=given)).value == "order-7.2"
    assert (await world.stub.say("request-id", metadata=odd)).value != "a b"


@pytest.mark.parametrize("pair", [("X-Upper", "a"), ("x-line", "a\nb"), ("x-word", "é")])
async def test_metadata_that_cannot_travel_is_an_error(world: World, pair: tuple[str, str]) -> None:
    with pytest.raises(grpc.aio.InternalError):
        await world.stub.say("echo x", metadata=(pair,))


async def test_f1_a_message_over_the_limit_is_refused(world: World) -> None:
    assert len((await world.stub.say("echo " + "x" * 99_900)).value) == 99_900
    answer = await failure_of(world.stub.say("echo " + "x" * 100_000))
    assert answer.code == "RESOURCE_EXHAUSTED"
    assert "larger than max (100009 vs. 100000)" in answer.details


async def test_f1_an_answer_over_the_limit_is_refused(world: World) -> None:
    assert (await failure_of(world.stub.say("big 100001"))).code == "RESOURCE_EXHAUSTED"
    assert (await failure_of(collect(world.stub.stream("1 big 100001")))).code == "RESOURCE_EXHAUSTED"


async def test_f1_metadata_over_the_limit_is_refused(world: World) -> None:
    await world.stub.say("echo x", metadata=(("x-big", "x" * 3000),))
    answer = await failure_of(world.stub.say("echo x", metadata=(("x-big", "x" * 5000),)))
    assert answer.code == "RESOURCE_EXHAUSTED"


async def test_bytes_under_way_are_bounded(world: World) -> None:
    held = asyncio.ensure_future(_value(world.stub.say("hold " + "x" * 90_000, timeout=SOON)))
    await asyncio.wait_for(world.parrot.began.wait(), SOON)
    answer = await failure_of(world.stub.say("echo " + "x" * 90_000))
    assert (answer.code, answer.reason, answer.retry_after) == ("RESOURCE_EXHAUSTED", "OVERLOADED", 1.0)
    assert (await world.stub.say("echo small")).value == "small"
    world.parrot.release.set()
    await held
    assert world.in_flight.bytes == 0
    await world.stub.say("echo " + "x" * 90_000)


@pytest.mark.parametrize("header", [None, "Basic both", "Bearer", "Bearer "])
async def test_a_call_without_a_token_is_unauthenticated(world: World, header: str | None) -> None:
    metadata = () if header is None else (("authorization", header),)
    answer = await failure_of(world.stub.say("echo x", token="", metadata=metadata))
    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "TOKEN_MISSING")


async def test_a_wrong_token_is_unauthenticated(world: World) -> None:
    unary = await failure_of(world.stub.say("echo x", token="guess"))
    stream = await failure_of(collect(world.stub.stream("1", token="guess")))
    assert (unary.code, unary.reason) == (stream.code, stream.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID")


async def test_a_store_that_is_away_is_unavailable(world: World) -> None:
    answer = await failure_of(world.stub.say("echo x", token="broken store"))
    assert (answer.code, answer.reason, answer.retry_after) == ("UNAVAILABLE", "STORE_UNAVAILABLE", 1.0)


@pytest.mark.parametrize("token", ["reader", "platform"])
async def test_e3_a_missing_scope_is_permission_denied(world: World, token: str) -> None:
    answer = await failure_of(world.stub.say("echo x", token=token))
    assert (answer.code, answer.reason) == ("PERMISSION_DENIED", "SCOPE_MISSING")
    assert answer.metadata == {"scope": "send"}


async def test_e3_a_missing_scope_stops_a_stream_before_it_begins(world: World) -> None:
    answer = await failure_of(collect(world.stub.stream("3", token="sender")))
    assert (answer.code, answer.reason) == ("PERMISSION_DENIED", "SCOPE_MISSING")
    assert world.parrot.written == 0


async def test_e7_guessers_wait_and_right_tokens_with_them(world: World) -> None:
    for _ in range(3):
        assert (await failure_of(world.stub.say("echo x", token="guess"))).reason == "TOKEN_INVALID"
    world.clock.seconds += 45
    answer = await failure_of(world.stub.say("echo x"))
    assert (answer.code, answer.reason, answer.retry_after) == ("RESOURCE_EXHAUSTED", "RATE_LIMITED", 15.0)
    world.clock.seconds += 15
    assert (await world.stub.say("echo again")).value == "again"


async def test_f3_bytes_that_are_no_message_are_internal(world: World) -> None:
    call = world.channel.unary_unary("/test.Parrot/Say")
    answer = await failure_of(call(b"\xff\xff\xff", metadata=(("authorization", "Bearer both"),)))
    assert (answer.code, answer.reason) == ("INTERNAL", "INTERNAL")
    assert (await world.stub.say("echo alive")).value == "alive"


async def test_f3_nobody_parses_for_a_stranger(world: World) -> None:
    answer = await failure_of(world.channel.unary_unary("/test.Parrot/Say")(b"\xff\xff\xff"))
    assert answer.reason == "TOKEN_MISSING"


async def test_drain_finishes_what_runs_and_refuses_what_comes(world: World) -> None:
    held = asyncio.ensure_future(_value(world.stub.say("hold on", timeout=SOON)))
    await asyncio.wait_for(world.parrot.began.wait(), SOON)
    watcher = asyncio.ensure_future(failure_of(collect(world.stub.stream("1 hang"))))
    await eventually(lambda: world.in_flight.calls == 2)
    world.in_flight.refuse_new()
    answer = await failure_of(world.stub.say("echo x"))
    assert (answer.code, answer.reason, answer.retry_after) == ("UNAVAILABLE", "SHUTTING_DOWN", 1.0)
    cut = await watcher
    assert (cut.code, cut.reason) == ("UNAVAILABLE", "SHUTTING_DOWN")
    assert not await world.in_flight.wait_idle(timedelta(milliseconds=50))
    world.parrot.release.set()
    assert await world.in_flight.wait_idle(timedelta(seconds=SOON))
    assert await held == "on"


async def test_an_idle_server_drains_at_once(world: World) -> None:
    await world.stub.say("echo x")
    world.in_flight.refuse_new()
    assert await world.in_flight.wait_idle(timedelta(seconds=SOON))


async def _value(call: Any) -> str:
    return str((await call).value)


async def eventually(is_so: Any) -> None:
    async with asyncio.timeout(SOON):
        while not is_so():  # noqa: ASYNC110 - nothing to wait on: the other side of a socket
            await asyncio.sleep(0.01)
