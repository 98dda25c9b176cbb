"""The load: calls over gRPC or mails over SMTP, made ready before the clock starts. A process of its own.

One client for everything: the same channel options, the same bytes, the same number of calls in flight.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc.aio
import uvloop
from bench import mails
from bench.children import answer, questions
from bench.http_client import http

from postroom.v1 import email_service_pb2
from postroom_server.smtp import Endpoint, Envelope, Level, Pool, TlsMode

BATCH = "/postroom.v1.EmailService/BatchSendEmails"
_OPTIONS = [("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20)]


async def unary(asked: Any) -> dict[str, Any]:
    """Calls a unary method with `calls` different mails, `in_flight` at a time."""
    first, calls = asked["first"], asked["calls"]
    later = asked.get("later", False)
    made = mails.html_request if asked.get("html_only") else mails.request
    payloads = [made(n, later=later).SerializeToString() for n in range(first, first + calls)]
    spent: list[float] = []

    async def work(call: Any, left: Iterator[bytes]) -> None:
        for payload in left:
            sent = time.perf_counter()
            await call(payload)
            spent.append(time.perf_counter() - sent)

    async with grpc.aio.insecure_channel(asked["target"], options=_OPTIONS) as channel:
        call = _caller(channel, asked)
        await work(call, iter(payloads[:1]))  # opens the connection; counted as a call, not in the time
        spent.clear()
        began, cpu = time.perf_counter(), time.process_time()
        left = iter(payloads[1:])
        await asyncio.gather(*(work(call, left) for _ in range(asked["in_flight"])))
        ended, cpu = time.perf_counter(), time.process_time() - cpu
    quantiles = statistics.quantiles(spent, n=100)
    return {
        "began": began, "ended": ended, "calls": calls - 1, "client_cpu": cpu,
        "p50_ms": quantiles[49] * 1000, "p99_ms": quantiles[98] * 1000,
    }  # fmt: skip


async def batches(asked: Any) -> dict[str, Any]:
    """Hands `mails` mails over in calls of `per_call`, `in_flight` calls at a time."""
    first, count, per_call = asked["first"], asked["mails"], asked["per_call"]
    payloads = [
        email_service_pb2.BatchSendEmailsRequest(
            items=[
                mails.request(n, later=asked.get("later", False))
                for n in range(at, min(at + per_call, first + count))
            ]
        ).SerializeToString()
        for at in range(first, first + count, per_call)
    ]
    answers: list[bytes] = []

    async def work(call: Any, left: Iterator[bytes]) -> None:
        for payload in left:
            answers.append(await call(payload))  # noqa: PERF401 - the workers take turns

    async with grpc.aio.insecure_channel(asked["target"], options=_OPTIONS) as channel:
        call = _caller(channel, asked | {"method": BATCH})
        await channel.channel_ready()
        began = time.perf_counter()
        left = iter(payloads)
        await asyncio.gather(*(work(call, left) for _ in range(asked["in_flight"])))
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


async def inject(asked: Any) -> dict[str, Any]:
    """Sends `mails` finished messages over `sessions` SMTP connections that are kept, pipelined."""
    first, count = asked["first"], asked["mails"]
    envelopes = [
        Envelope(mails.SENDER, (mails.address(number),), mails.message(number))
        for number in range(first, first + count)
    ]
    pool = Pool()
    endpoint = Endpoint(
        "127.0.0.1", asked["port"], tls=TlsMode.OFF, max_messages=count, helo_name="bench.test"
    )
    left = iter(envelopes)

    async def work() -> None:
        for envelope in left:
            transaction = await pool.send(1, endpoint, envelope)
            if transaction.level is not Level.NONE:
                raise RuntimeError(f"not taken: {transaction}")

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(asked["sessions"])))
    ended = time.perf_counter()
    await pool.close(grace=1)
    return {"began": began, "ended": ended, "mails": count}


def _caller(channel: grpc.aio.Channel, asked: Any) -> Callable[[bytes], Awaitable[bytes]]:
    # Bytes in, bytes out: what the client spends on messages would only hide what the server spends.
    method: Any = channel.unary_unary(asked["method"])
    metadata = (("authorization", f"Bearer {asked['token']}"),)

    async def call(payload: bytes) -> bytes:
        return await method(payload, metadata=metadata)  # type: ignore[no-any-return]

    return call


_DOES = {"unary": unary, "batches": batches, "inject": inject, "http": http}

if __name__ == "__main__":
    answer("ready")
    for question in questions():
        answer(uvloop.run(_DOES[question["do"]](question)))
