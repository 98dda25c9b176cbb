"""An SMTP server outside the system under test: writes down every message it was given and what it answered.

It takes everything until it is told otherwise: its `mood` is asked at every step, and says what to do there.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import enum
import hashlib
import time
from collections.abc import Callable
from typing import Self, cast

PHASES = ("BANNER", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT", "REPLIED")
_END = b"\r\n.\r\n"
_OFFERS = ("sink.test", "PIPELINING", "8BITMIME", "SIZE 10485760", "SMTPUTF8", "ENHANCEDSTATUSCODES")
_REPLIES = {
    "BANNER": "220 sink.test ESMTP",
    "EHLO": "\r\n".join(f"250{'- '[i == len(_OFFERS) - 1]}{offer}" for i, offer in enumerate(_OFFERS)),
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    "DOT": "250 2.0.0 taken",
    "RSET": "250 2.0.0 forgotten",
    "QUIT": "221 2.0.0 bye",
}


class Act(enum.Enum):
    WELL = enum.auto()
    DIE = enum.auto()  # the line is cut; nothing more is said
    SILENT = enum.auto()  # the line stays, and nothing more is said


# Asked for a phase and the line that began it: an act, or the reply that is given.
Mood = Callable[[str, str], Act | str]


def well(phase: str, line: str) -> Act:
    return Act.WELL


@dataclasses.dataclass(frozen=True, slots=True)
class Handed:
    """A message that came up to its dot."""

    subject: str
    recipients: tuple[str, ...]
    digest: bytes
    answer: str  # what was said to the dot; empty: nothing
    time: float  # monotonic

    @property
    def is_copy(self) -> bool:
        """Whether it may be in somebody's mailbox: it was not refused."""
        return not self.answer or self.answer.startswith("2")


class Sink:
    """Listens on loopback while its context is open; keeps its port when it is opened again."""

    def __init__(self, mood: Mood = well) -> None:
        self.mood = mood
        self.pause = 0.0  # seconds before each reply: a tarpit, or a long way
        self.handed: list[Handed] = []
        self.copies: collections.Counter[str] = collections.Counter()
        self.port = 0
        self._sessions: set[_Session] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Session(self), "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Dies: every line is cut, and nobody is let in."""
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        for session in tuple(self._sessions):
            session.transport.abort()

    def joined(self, session: _Session) -> None:
        self._sessions.add(session)

    def left(self, session: _Session) -> None:
        self._sessions.discard(session)

    def note(self, handed: Handed) -> None:
        self.handed.append(handed)
        self.copies[handed.subject] += handed.is_copy


class _Session(asyncio.Protocol):
    """One line, seen from the server."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._inbox = bytearray()
        self._recipients: list[str] = []
        self._in_body = self._body_began = self._deaf = False
        self._speaks_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._sink.joined(self)
        self._answer("BANNER", "")

    def connection_lost(self, exc: Exception | None) -> None:
        self._deaf = True
        self._sink.left(self)

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        while not self._deaf and (self._take_message() if self._in_body else self._take_command()):
            pass

    def _take_command(self) -> bool:
        end = self._inbox.find(b"\r\n")
        if end < 0:
            return False
        line = self._inbox[:end].decode("utf-8", "replace")
        del self._inbox[: end + 2]
        verb = line[:4].upper()
        if verb == "MAIL":
            self._recipients = []
        said = self._answer(verb, line)
        if verb == "RCPT" and said.startswith("2"):
            self._recipients.append(line.partition("<")[2].partition(">")[0])
        self._in_body = verb == "DATA" and said.startswith("3")
        self._body_began = False
        return True

    def _take_message(self) -> bool:
        if self._inbox and not self._body_began:
            self._body_began = True
            if self._act("BODY", "") is not Act.WELL:
                return False
        # A message of nothing but its dot is for nobody.
        end = 0 if self._inbox.startswith(b".\r\n") else self._inbox.find(_END)
        if end < 0:
            return False
        message = bytes(self._inbox[:end])
        del self._inbox[: end + (len(_END) if end else 3)]
        self._in_body = False
        subject = message.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode()
        wanted = self._sink.mood("DOT", subject)
        answer = _REPLIES["DOT"] if wanted is Act.WELL else wanted if isinstance(wanted, str) else ""
        if message:
            digest = hashlib.sha256(message).digest()
            self._sink.note(Handed(subject, tuple(self._recipients), digest, answer, time.monotonic()))
        if isinstance(wanted, Act) and wanted is not Act.WELL:
            return self._give_up(wanted)
        self._say(answer)
        self._act("REPLIED", subject)
        return True

    def _answer(self, phase: str, line: str) -> str:
        """What was said; empty: nothing."""
        wanted = self._sink.mood(phase, line)
        if isinstance(wanted, Act) and wanted is not Act.WELL:
            self._give_up(wanted)
            return ""
        reply = wanted if isinstance(wanted, str) else _REPLIES.get(phase, "502 5.5.1 what?")
        self._say(reply)
        if phase == "QUIT":
            self.transport.close()
        return reply

    def _act(self, phase: str, line: str) -> Act | str:
        wanted = self._sink.mood(phase, line)
        if isinstance(wanted, Act) and wanted is not Act.WELL:
            self._give_up(wanted, flush=phase == "REPLIED")
        return wanted

    def _give_up(self, act: Act, *, flush: bool = False) -> bool:
        self._deaf = True
        if act is Act.DIE and flush:
            self.transport.close()
        elif act is Act.DIE:
            self.transport.abort()
        return False

    def _say(self, text: str) -> None:
        data = text.encode() + b"\r\n"
        if not self._sink.pause:
            self.transport.write(data)
            return
        # One after the other: a tarpit answers pipelined commands no faster.
        self._speaks_at = max(self._speaks_at, self._loop.time()) + self._sink.pause
        self._loop.call_at(self._speaks_at, self._write, data)

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)


def dies_at(phase: str) -> Mood:
    return lambda at, _: Act.DIE if at == phase else Act.WELL


def says(phase: str, reply: str) -> Mood:
    return lambda at, _: reply if at == phase else Act.WELL


def greylists() -> Mood:
    """Refuses every address once, for now."""
    seen: set[str] = set()

    def mood(phase: str, line: str) -> Act | str:
        if phase != "RCPT" or line in seen:
            return Act.WELL
        seen.add(line)
        return "451 4.7.1 come back later"

    return mood
