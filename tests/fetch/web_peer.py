"""A web server that says exactly the bytes a test wants, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class WebPeer:
    def __init__(self) -> None:
        self.port = 0
        self.requests: list[bytes] = []
        self.written = 0

    def url(self, host: str = "files.example.com", path: str = "/f", scheme: str = "https") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def saying(*parts: bytes, pause: float = 0.0, then_wait: bool = False) -> Answer:
    """Writes the parts one by one; `then_wait` keeps the line open until the client leaves."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        if then_wait:
            await asyncio.sleep(30)

    return answer


def ok(body: bytes, *headers: str, length: int | None = None) -> Answer:
    head = ["HTTP/1.1 200 OK", f"Content-Length: {len(body) if length is None else length}", *headers]
    return saying("\r\n".join([*head, "", ""]).encode() + body)


def status(line: str, *headers: str) -> Answer:
    return saying("\r\n".join([f"HTTP/1.1 {line}", "Content-Length: 0", *headers, "", ""]).encode())


def endless(head: bytes, part: bytes) -> Answer:
    """Goes on until the client leaves."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(part)
            await writer.drain()

    return answer


@contextlib.asynccontextmanager
async def web_peer(
    answer: Answer, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[WebPeer]:
    peer = WebPeer()
    open_now: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            peer.requests.append(await reader.readuntil(b"\r\n\r\n"))
            await answer(writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has left, or the test is over
        finally:
            open_now.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        left = list(open_now)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
