"""The HTTP load: kept connections, one request at a time on each, made before the clock starts."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any, cast

from bench import mails
from bench.figures import percentile

_A_WELL = b'"code":"S"'
_B_WELL = b'"statusCode":200'


async def http(asked: Any) -> dict[str, Any]:
    """Sends `mails` different requests of the kind `request` over `in_flight` connections."""
    first, count = asked["first"], asked["mails"]
    make = _MAKERS[asked.get("request", "email")]
    well = _B_WELL if asked.get("request", "email").startswith("template") else _A_WELL
    left = iter([make(asked, number) for number in range(first, first + count)])
    loop = asyncio.get_running_loop()
    host, port = asked["target"].rsplit(":", 1)
    connections = []
    for _ in range(asked["in_flight"]):
        _, connection = await loop.create_connection(lambda: _Connection(well), host, int(port))
        connections.append(connection)
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(connection.work(left) for connection in connections))
    ended, cpu = time.perf_counter(), time.process_time() - cpu
    spent = [each for connection in connections for each in connection.spent]
    for connection in connections:
        connection.close()
    return {
        "began": began, "ended": ended, "calls": len(spent), "client_cpu": cpu,
        "p50_ms": percentile(spent, 50) * 1000, "p99_ms": percentile(spent, 99) * 1000,
    }  # fmt: skip


def _email(asked: Any, number: int) -> bytes:
    """Dialect A's POST /api/v1/email."""
    body = json.dumps(mails.rest(number, later=asked.get("later", False)), ensure_ascii=False).encode()
    return _post(asked, "/api/v1/email", "application/json", body)


def _template_get(asked: Any, _number: int) -> bytes:
    """Dialect B's get, of the template that all ask for."""
    return _form(asked, "get", {"invokeName": mails.TEMPLATE})


def _template_add(asked: Any, number: int) -> bytes:
    """Dialect B's add, of a template that is new each time."""
    variant = mails.template_variant()
    return _form(
        asked, "add",
        {
            "invokeName": f"t{number}", "name": f"bench {number}", "templateType": "0",
            "subject": variant.subject, "html": variant.html, "text": variant.text,
        },
    )  # fmt: skip


def _form(asked: Any, call: str, fields: dict[str, str]) -> bytes:
    body = urllib.parse.urlencode({"apiUser": asked["api_user"], "apiKey": asked["api_key"], **fields})
    return _post(asked, f"/apiv2/template/{call}", "application/x-www-form-urlencoded", body.encode())


def _post(asked: Any, path: str, content_type: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {asked['target']}\r\nAuthorization: Bearer {asked['token']}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


_MAKERS = {"email": _email, "template get": _template_get, "template add": _template_add}


class _Connection(asyncio.Protocol):
    """Looks for the end of an answer's head and body, and for what says that all is well."""

    def __init__(self, well: bytes) -> None:
        self._well = well
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
        if not head.startswith(b"HTTP/1.1 200") or self._well not in body.replace(b" ", b""):
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
