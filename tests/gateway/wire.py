"""HTTP by hand: bytes on a socket, and answers read as strictly as a client may."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any

PATIENCE = 30.0


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back. Header names are in small letters; of several values the last counts."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def end(self) -> None:
        """Sends nothing more, and still listens."""
        self._writer.write_eof()

    async def drain(self) -> None:
        await self._writer.drain()

    async def answer(self, *, method: str = "GET") -> Answer:
        """The next final answer."""
        async with asyncio.timeout(PATIENCE):
            while True:
                status, headers = await self._head()
                if status >= 200:
                    break
            no_body = method == "HEAD" or status in (204, 304)
            return Answer(status, headers, b"" if no_body else await self._body(headers))

    async def line(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readline()

    async def rest(self) -> bytes:
        """Everything until the other side closes; an abort is a close."""
        got = bytearray()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                while piece := await self._reader.read(65536):
                    got += piece
        return bytes(got)

    async def _head(self) -> tuple[int, dict[str, str]]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1", first
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon, line
            headers[name.lower()] = value.strip()
        return int(status), headers

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            pieces = bytearray()
            while size := int(await self._reader.readline(), 16):
                pieces += await self._reader.readexactly(size)
                assert await self._reader.readexactly(2) == b"\r\n"
            assert await self._reader.readexactly(2) == b"\r\n"
            return bytes(pieces)
        return await self._reader.readexactly(int(headers["content-length"]))


@contextlib.asynccontextmanager
async def connected(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None, limit=64 << 20
    )
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


def request_bytes(
    method: str, target: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """A whole request, with the headers that it would lack."""
    given = {name.lower() for name, _ in headers}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if "host" not in given:
        lines.append("Host: postroom.test")
    if not given & {"content-length", "transfer-encoding"} and (body or method in ("POST", "PUT", "PATCH")):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def fetch(
    port: int,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One request on a connection of its own."""
    async with connected(port, tls) as wire:
        wire.send(request_bytes(method, target, [*headers, ("Connection", "close")], body))
        return await wire.answer(method=method)
