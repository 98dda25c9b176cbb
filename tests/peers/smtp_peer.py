"""An SMTP server that behaves exactly as badly as its script says, and remembers everything it was told.

    async with SmtpPeer(Script(answers={"RCPT": ["250 ok", "550 5.1.1 who?"], "DOT": hang_up})) as peer:
        ...  # peer.port
    assert peer.messages == [b"..."]

It speaks over asyncio streams and accepts whatever the script does not mention.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Self

OFFERS = ("PIPELINING", "8BITMIME", "SIZE 10485760", "SMTPUTF8", "ENHANCEDSTATUSCODES")
_END_OF_LINE = re.compile(rb"\n")
_ANYTHING = re.compile(rb"(?s:.)")
STRICT_END = rb"(?:\A|\r\n)\.\r\n"

DEFAULTS: Mapping[str, str] = {
    "BANNER": "220 peer.test ESMTP",
    "HELO": "250 peer.test",
    "STARTTLS": "220 2.0.0 go ahead",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 sender ok",
    "RCPT": "250 2.1.5 recipient ok",
    "DATA": "354 go ahead",
    "DOT": "250 2.0.0 taken",
    "RSET": "250 2.0.0 forgotten",
    "QUIT": "221 2.0.0 bye",
}


class HungUp(Exception):  # noqa: N818 - a word of the scripts
    """A move that ends the session."""


@dataclasses.dataclass(eq=False)
class Session:
    """One connection, seen from the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    commands: list[str] = dataclasses.field(default_factory=list)
    messages: list[bytes] = dataclasses.field(default_factory=list)  # as on the wire, dots still doubled
    inbox: bytes = b""  # read and not yet understood; the end of a message that never came stays here
    wants_body: bool = False
    wants_handshake: bool = False
    has_ended: bool = False

    async def say(self, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode() + b"\r\n"
        self.wants_body = data.startswith(b"354")
        self.wants_handshake = data.startswith(b"220")
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, end: re.Pattern[bytes]) -> bytes:
        """What comes up to and with the first match of `end`. Raises HungUp when the client goes before."""
        searched = 0
        while (match := end.search(self.inbox, searched)) is None:
            searched = max(0, len(self.inbox) - 8)
            data = await self.reader.read(65536)
            if not data:
                raise HungUp
            self.inbox += data
        heard, self.inbox = self.inbox[: match.end()], self.inbox[match.end() :]
        return heard


# What the server does when a command has come: says a line (str), raw bytes, or acts.
Act = Callable[[Session], Awaitable[None]]
Move = str | bytes | Act


async def hang_up(session: Session) -> None:
    raise HungUp


async def silence(session: Session) -> None:
    """Says nothing more until the client goes."""
    while await session.reader.read(65536):
        pass
    raise HungUp


def then(*moves: Move) -> Act:
    """One move after the other, in answer to one command."""

    async def act(session: Session) -> None:
        for move in moves:
            await _make(move, session)

    return act


def drip(data: bytes, pause: float) -> Act:
    """One byte at a time, for ever from the start again."""

    async def act(session: Session) -> None:
        while True:
            for byte in data:
                await session.say(bytes([byte]))
                await asyncio.sleep(pause)

    return act


def flood(data: bytes) -> Act:
    """The same bytes as fast as they are taken, for ever."""

    async def act(session: Session) -> None:
        while True:
            await session.say(data)

    return act


class Slow:
    """A move that is made when the test says so."""

    def __init__(self, answer: str = "250 taken") -> None:
        self.go_on = asyncio.Event()
        self._answer = answer

    async def __call__(self, session: Session) -> None:
        await self.go_on.wait()
        await session.say(self._answer)


@dataclasses.dataclass(frozen=True)
class Script:
    """Moves by what they answer: BANNER, a verb, BODY (the first bytes of a message), DOT.

    A list is used up, one move per occurrence on any connection; its last move goes on for ever.
    """

    answers: Mapping[str, Move | Sequence[Move]] = dataclasses.field(default_factory=dict)
    offers: tuple[str, ...] = OFFERS
    offers_inside_tls: tuple[str, ...] | None = None  # None: the same
    tls: ssl.SSLContext | None = None
    tls_from_the_start: bool = False
    end_of_message: bytes = STRICT_END  # a pattern; lenient servers see an end where others see text


class SmtpPeer:
    """The server; listens on loopback while its context is open."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.sessions: list[Session] = []
        self.port = 0
        self._used: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Condition()

    @property
    def messages(self) -> list[bytes]:
        return [message for session in self.sessions for message in session.messages]

    @property
    def commands(self) -> list[str]:
        return [command for session in self.sessions for command in session.commands]

    async def until(self, truth: Callable[[], bool]) -> None:
        """Waits until something the peer has seen makes it true."""
        async with asyncio.timeout(10):
            async with self._news:
                await self._news.wait_for(truth)

    async def until_ended(self) -> None:
        """Waits until every connection there has been is gone."""
        await self.until(lambda: bool(self.sessions) and all(session.has_ended for session in self.sessions))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected,
            "127.0.0.1",
            0,
            ssl=self.script.tls if self.script.tls_from_the_start else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        session = Session(reader, writer)
        self.sessions.append(session)
        try:
            await self._serve(session)
        except HungUp:
            # What was said still leaves; a client that is gone must not hold us up.
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            session.has_ended = True
            self._tasks.discard(task)
            await self._tell()

    async def _serve(self, session: Session) -> None:
        end_of_message = re.compile(self.script.end_of_message)
        await self._tell()
        await self._answer("BANNER", session)
        while True:
            line = await session.hear(_END_OF_LINE)
            command = line.decode("utf-8", "replace").rstrip("\r\n")
            session.commands.append(command)
            await self._tell()
            verb = command.split(" ")[0].upper()
            await self._answer(verb, session)
            if session.wants_body:
                if "BODY" in self.script.answers:
                    session.inbox = await session.hear(_ANYTHING) + session.inbox
                    await self._tell()
                    await self._answer("BODY", session)
                session.messages.append(await session.hear(end_of_message))
                await self._tell()
                await self._answer("DOT", session)
            if verb == "STARTTLS" and session.wants_handshake and self.script.tls is not None:
                await session.writer.start_tls(self.script.tls)
            if verb == "QUIT":
                raise HungUp

    async def _answer(self, occasion: str, session: Session) -> None:
        default: Move = DEFAULTS.get(occasion, "502 5.5.1 what?")
        if occasion == "EHLO":
            default = self._offers(session)
        moves = self.script.answers.get(occasion, default)
        if not isinstance(moves, str | bytes) and isinstance(moves, Sequence):
            used = self._used.get(occasion, 0)
            self._used[occasion] = used + 1
            moves = moves[min(used, len(moves) - 1)]
        session.wants_body = False
        await _make(moves, session)

    def _offers(self, session: Session) -> str:
        offers = self.script.offers
        inside = session.writer.get_extra_info("ssl_object") is not None
        if inside and self.script.offers_inside_tls is not None:
            offers = self.script.offers_inside_tls
        elif self.script.tls is not None and not inside:
            offers = (*offers, "STARTTLS")
        lines = ("peer.test", *offers)
        return "\r\n".join(_numbered(lines))

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


async def _make(move: Move, session: Session) -> None:
    if isinstance(move, str | bytes):
        await session.say(move)
    else:
        await move(session)


def _numbered(lines: Sequence[str]) -> Iterator[str]:
    for index, line in enumerate(lines):
        yield f"250{' ' if index == len(lines) - 1 else '-'}{line}"


def in_words(case: object) -> str:
    """A test's id for a script: functions by their names, which are the same in every process."""
    return re.sub(r"<function (\w+)\S* at 0x\w+>", r"\1", str(case))
