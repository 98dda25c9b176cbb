"""The load: calls over gRPC or HTTP, or mails over SMTP. A process of its own.

One client for everything: the same options, the same bytes, the same number of calls in flight.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import uvloop
from bench import mails
from bench.children import answer, questions
from bench.grpc_load import batches, checks, open_loop, unary
from bench.http_client import http

from postroom_server.smtp import Endpoint, Envelope, Level, Pool, TlsMode


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


_DOES = {
    "unary": unary, "batches": batches, "checks": checks, "open_loop": open_loop,
    "inject": inject, "http": http,
}  # fmt: skip

if __name__ == "__main__":
    answer("ready")
    for question in questions():
        answer(uvloop.run(_DOES[question["do"]](question)))
