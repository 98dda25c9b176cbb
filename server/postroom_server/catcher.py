"""A catcher for development: an SMTP server on loopback that takes every mail and hands it to nobody.

It offers what our own client makes use of: PIPELINING, 8BITMIME, SIZE and SMTPUTF8 (RFC 5321, 2920, 6531).
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import re
from collections.abc import Callable
from types import TracebackType
from typing import Self

MAX_BYTES = 32 << 20
MAX_LINE = 4096
KEPT = 100

_PATH = re.compile(r"(?i:FROM|TO): ?<([^<>]*)>(?: .*)?")
_OFFERS = ("localhost greets you", "PIPELINING", "8BITMIME", "SMTPUTF8", f"SIZE {MAX_BYTES}")


@dataclasses.dataclass(frozen=True, slots=True)
class CaughtMail:
    """One mail as it came: envelope and bytes, dots unstuffed."""

    sender: str
    recipients: tuple[str, ...]
    message: bytes = dataclasses.field(repr=False)


class Catcher:
    """Listens on 127.0.0.1 and keeps the newest mails in memory; `on_mail` is told of each."""

    def __init__(
        self, on_mail: Callable[[CaughtMail], None], *, port: int = 0, max_bytes: int = MAX_BYTES
    ) -> None:
        self.mails: collections.deque[CaughtMail] = collections.deque(maxlen=KEPT)
        self.port = port
        self._on_mail = on_mail
        self._max_bytes = max_bytes
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.StreamWriter] = set()
        self._caught = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        """Raises OSError when the port is taken; 0 is any that is free."""
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", self.port, limit=MAX_LINE)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self._closed = True
        if self._server is not None:
            await _take_no_more(self._server)
            self._server.close()
        for line in self._lines:
            line.transport.abort()
        await asyncio.sleep(0)  # lets the sessions see it

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:
            # Connected just before the end, and handed to us a turn of the loop later.
            writer.transport.abort()
            return
        self._lines.add(writer)
        try:
            # A client that goes away in the middle, or talks without end in one line, is not worth a word.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._serve(reader, writer)
        finally:
            self._lines.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender: str | None = None
        recipients: list[str] = []
        writer.write(b"220 localhost Postroom catcher\r\n")
        while True:
            line = (await reader.readuntil(b"\n")).decode("utf-8", "replace").strip()
            verb, _, rest = line.partition(" ")
            path = _PATH.fullmatch(rest)
            match verb.upper():
                case "EHLO":
                    sender, recipients = None, []
                    answer = "\r\n".join((*(f"250-{offer}" for offer in _OFFERS[:-1]), f"250 {_OFFERS[-1]}"))
                case "HELO" | "RSET":
                    sender, recipients = None, []
                    answer = "250 2.0.0 localhost"
                case "MAIL" if path and sender is None:
                    sender, answer = path[1], "250 2.1.0 sender noted"
                case "RCPT" if path and path[1] and sender is not None:
                    recipients.append(path[1])
                    answer = "250 2.1.5 recipient noted"
                case "DATA" if sender is not None and recipients:
                    writer.write(b"354 end with <CRLF>.<CRLF>\r\n")
                    message = await self._body(reader)
                    answer = self._catch(sender, recipients, message)
                    sender, recipients = None, []
                case "NOOP":
                    answer = "250 2.0.0 still here"
                case "QUIT":
                    writer.write(b"221 2.0.0 goodbye\r\n")
                    await writer.drain()
                    return
                case "MAIL" | "RCPT" | "DATA":
                    answer = "503 5.5.1 not now, or not like that"
                case _:
                    answer = "502 5.5.1 never heard of it"
            writer.write(answer.encode() + b"\r\n")
            await writer.drain()

    async def _body(self, reader: asyncio.StreamReader) -> bytes | None:
        """The message up to its dot (RFC 5321 §4.5.2); None when it was too large and let go by."""
        lines: list[bytes] = []
        size = 0
        while (line := await reader.readuntil(b"\n")) != b".\r\n":
            line = line.removeprefix(b".")
            size += len(line)
            if size > self._max_bytes:
                lines.clear()
            else:
                lines.append(line)
        return None if size > self._max_bytes else b"".join(lines)

    def _catch(self, sender: str, recipients: list[str], message: bytes | None) -> str:
        if message is None:
            return "552 5.3.4 too large"
        mail = CaughtMail(sender, tuple(recipients), message)
        self._caught += 1
        self.mails.append(mail)
        self._on_mail(mail)
        return f"250 2.0.0 caught as number {self._caught}"


async def _take_no_more(server: asyncio.Server) -> None:
    """Lets those in who have knocked: Python loses, unclosed, whom it takes in while its server closes."""
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    for _ in range(4):
        await asyncio.sleep(0)
