"""The gRPC load: calls made ready before the clock starts, so many in flight, or begun by a timetable."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc.aio
from bench import mails, schedule
from bench.figures import percentile

from postroom.v1 import email_service_pb2

BATCH = "/postroom.v1.EmailService/BatchSendEmails"
CHECK = "/postroom.v1.EmailService/CheckVerificationCode"
OPTIONS = [("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20)]
# A connection of Postroom's carries so many calls at a time; who has more in flight opens another. The echoes
# would take any number on one, but are called in the same way.
_CALLS_A_CONNECTION = 100
_MAKERS = {
    "custom": mails.request,
    "template": mails.template_request,
    "html": mails.html_request,
    "code": mails.code_request,
}
_Call = Callable[[bytes], Awaitable[bytes]]


async def unary(asked: Any) -> dict[str, Any]:
    """Calls a method with `mails` different mails, `in_flight` at a time."""
    return await _called(asked, _requests(asked, asked["first"], asked["mails"]))


async def checks(asked: Any) -> dict[str, Any]:
    """Guesses codes, {number: code}; each must be right."""
    payloads = [
        email_service_pb2.CheckVerificationCodeRequest(
            biz_key=mails.CODE_KEY, address=mails.address(int(number)), code=code
        ).SerializeToString()
        for number, code in asked["codes"].items()
    ]
    right = email_service_pb2.CheckVerificationCodeResponse(
        outcome=email_service_pb2.VERIFICATION_OUTCOME_VALID
    ).SerializeToString()
    return await _called(asked | {"method": CHECK}, payloads, right)


async def _called(asked: Any, payloads: list[bytes], wanted: bytes | None = None) -> dict[str, Any]:
    spent: list[float] = []

    async def work(call: _Call, left: Iterator[bytes]) -> None:
        for payload in left:
            sent = time.perf_counter()
            told = await call(payload)
            spent.append(time.perf_counter() - sent)
            if wanted is not None and told != wanted:
                raise RuntimeError(f"answered {told!r}")

    async with _connected(asked, asked["method"]) as calls:
        for call, payload in zip(calls, payloads, strict=False):
            await work(call, iter([payload]))  # the first is slower; it is sent, but not counted
        spent.clear()
        began, cpu = time.perf_counter(), time.process_time()
        left = iter(payloads[len(calls) :])
        await asyncio.gather(*(work(calls[n % len(calls)], left) for n in range(asked["in_flight"])))
        ended, cpu = time.perf_counter(), time.process_time() - cpu
    return {
        "began": began, "ended": ended, "calls": len(spent), "client_cpu": cpu,
        "p50_ms": percentile(spent, 50) * 1000, "p99_ms": percentile(spent, 99) * 1000,
    }  # fmt: skip


async def batches(asked: Any) -> dict[str, Any]:
    """Hands `mails` mails over in calls of `per_call`, `in_flight` calls at a time."""
    first, count, per_call = asked["first"], asked["mails"], asked["per_call"]
    payloads = [
        b"".join(
            _as_item(each) for each in _requests(asked, at, min(per_call, first + count - at))
        )
        for at in range(first, first + count, per_call)
    ]  # fmt: skip
    answers: list[bytes] = []

    async def work(call: _Call, left: Iterator[bytes]) -> None:
        for payload in left:
            answers.append(await call(payload))  # noqa: PERF401 - the workers take turns

    async with _connected(asked, BATCH) as calls:
        began = time.perf_counter()
        left = iter(payloads)
        await asyncio.gather(*(work(calls[n % len(calls)], left) for n in range(asked["in_flight"])))
        ended = time.perf_counter()
    results = [
        result
        for response in answers
        for result in email_service_pb2.BatchSendEmailsResponse.FromString(response).results
    ]
    accepted = {result.accepted.id for result in results if result.HasField("accepted")}
    if len(accepted) != count:
        raise RuntimeError(f"{len(accepted)} of {count} were accepted: {results[:1]}")
    return {"began": began, "ended": ended, "mails": count}


async def open_loop(asked: Any) -> dict[str, Any]:
    """Begins calls when the timetable says so, whoever is still waiting.

    Gives when each was meant to begin, and how long after that its answer came: what a call had to wait
    because we were late to begin it counts, too.
    """
    plan = schedule.arrivals(asked["rate"], asked["seconds"], asked["seed"])
    payloads = _requests(asked, asked["first"], len(plan))
    waited = [0.0] * len(plan)

    async with grpc.aio.insecure_channel(asked["target"], options=OPTIONS) as channel:
        call = _caller(channel, asked["method"], asked["token"])
        await channel.channel_ready()
        began = time.perf_counter() + 0.05

        async def one(number: int) -> None:
            await call(payloads[number])
            waited[number] = time.perf_counter() - began - plan[number]

        tasks = []
        for number, at in enumerate(plan):
            ahead = began + at - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            tasks.append(asyncio.create_task(one(number)))
        await asyncio.gather(*tasks)
    return {"meant": [began + at for at in plan], "waited": waited}


@contextlib.asynccontextmanager
async def _connected(asked: Any, method: str) -> AsyncIterator[list[_Call]]:
    """The method over as many open connections as so many calls in flight take."""
    options = [*OPTIONS, ("grpc.use_local_subchannel_pool", 1)]  # or else all were one connection
    async with contextlib.AsyncExitStack() as stack:
        calls = []
        for _ in range(-(-asked["in_flight"] // _CALLS_A_CONNECTION)):
            channel = await stack.enter_async_context(
                grpc.aio.insecure_channel(asked["target"], options=options)
            )
            await channel.channel_ready()
            calls.append(_caller(channel, method, asked["token"]))
        yield calls


def _requests(asked: Any, first: int, count: int) -> list[bytes]:
    make = _MAKERS[asked.get("mail", "custom")]
    later = asked.get("later", False)
    made = [make(number, later=later) for number in range(first, first + count)]
    for each in made:
        each.urgent = asked.get("urgent", False)
        if due := asked.get("due"):
            each.schedule_time.seconds = int(due)
    return [each.SerializeToString() for each in made]


def _as_item(request: bytes) -> bytes:
    """The request as the next of BatchSendEmailsRequest.items: tag 1, length, bytes."""
    length, prefix = len(request), bytearray(b"\x0a")
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + request


def _caller(channel: grpc.aio.Channel, method: str, token: str) -> _Call:
    # Bytes in, bytes out: what the client spends on messages would only hide what the server spends.
    multicallable: Any = channel.unary_unary(method)
    metadata = (("authorization", f"Bearer {token}"),)

    async def call(payload: bytes) -> bytes:
        return await multicallable(payload, metadata=metadata)  # type: ignore[no-any-return]

    return call
