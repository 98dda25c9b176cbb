"""The HTTP load: kept connections, one request at a time on each, made before the clock starts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any, cast

from bench import mails


async def http(asked: Any) -> dict[str, Any]:
    """Posts `calls` different mails to /api/v1/email over `in_flight` connections."""
    first, calls = asked["first"], asked["calls"]
    left = iter([_request(asked, number) for number in range(first, first + calls)])
    loop = asyncio.get_running_loop()
    host, port = asked["target"].rsplit(":", 1)
    connections = []
    for _ in range(asked["in_flight"]):
        _, connection = await loop.create_connection(_Connection, host, int(port))
        connections.append(connection)
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(connection.work(left) for connection in connections))
    ended, cpu = time.perf_counter(), time.process_time() - cpu
    spent = sorted(each for connection in connections for each in connection.spent)
    for connection in connections:
        connection.close()
    return {
        "began": began, "ended": ended, "calls": len(spent), "client_cpu": cpu,
        "p50_ms": spent[len(spent) // 2] * 1000, "p99_ms": spent[len(spent) * 99 // 100] * 1000,
    }  # fmt: skip


def _request(asked: Any, number: int) -> bytes:
    body = json.dumps(mails.rest(number, later=asked.get("later", False)), ensure_ascii=False).encode()
    head = (
        f"POST /api/v1/email HTTP/1.1\r\nHost: {asked['target']}\r\n"
        f"Authorization: Bearer {asked['token']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    """Looks for the end of an answer's head and body, and for `"code":"S"`, and for nothing else."""

    def __init__(self) -> None:
        self.spent: list[float] = []
        self._received = b""
        self._answered: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are what asyncio's are, but do not inherit from them.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or self._answered is None:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        answered, self._answered = self._answered, None
        received, self._received = self._received, b""
        if not head.startswith(b"HTTP/1.1 200") or b'"code":"S"' not in body.replace(b" ", b""):
            answered.set_exception(RuntimeError(received[:500].decode(errors="replace")))
        else:
            answered.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answered is not None:
            self._answered.set_exception(error or ConnectionError("closed by the server"))

    async def work(self, left: Iterator[bytes]) -> None:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        for request in left:
            answered: asyncio.Future[None] = loop.create_future()
            self._answered = answered
            sent = time.perf_counter()
            self._transport.write(request)
            await answered
            self.spent.append(time.perf_counter() - sent)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()
