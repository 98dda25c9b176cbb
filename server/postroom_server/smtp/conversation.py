"""A conversation: MAIL, RCPT, DATA and the message over an open line, and what each reply means.

The line is closed unless a path says that it is clean: so every fault, cancellation and surprise closes it,
and after DATA there is never a dot, nor a RSET that would become text of the message.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Awaitable, Callable

from postroom_server.failpoints import reach, reach_soon
from postroom_server.record import record
from postroom_server.smtp import reply as reply_
from postroom_server.smtp.commands import commands_of, obstacle
from postroom_server.smtp.endpoint import Timeouts
from postroom_server.smtp.envelope import Envelope, stuffed
from postroom_server.smtp.opening import Line
from postroom_server.smtp.reply import Reply
from postroom_server.smtp.transaction import Level, Phase, Transaction
from postroom_server.smtp.wire import Aborted, Lost

# Asked after 354 and before the final dot; False stops the transaction.
BeforeDot = Callable[[], Awaitable[bool]]
# Asked once, in the moment the final dot is written: the envelope whose commands go behind it, if any.
Following = Callable[[], Envelope | None]

CHUNK_BYTES = 65536


@record
class Begun:
    """An envelope whose commands were written behind the dot of the one before it (RFC 2920 §3.1)."""

    envelope: Envelope
    commands: list[bytes]
    doubted: bool = False  # the one before it was refused


class Conversation:
    """One envelope's way over one line."""

    def __init__(
        self,
        line: Line,
        envelope: Envelope,
        timeouts: Timeouts,
        before_dot: BeforeDot | None,
        *,
        begun: Begun | None = None,
        following: Following | None = None,
    ) -> None:
        self._wire = line.wire
        self._capabilities = line.capabilities
        self._tls_version = line.tls_version
        self._envelope = envelope
        self._timeouts = timeouts
        self._before_dot = before_dot
        self._begun = begun
        self._following = following if line.capabilities.pipelining else None
        self._phase = Phase.MAIL
        self._replies: list[Reply | None] = [None] * len(envelope.recipients)
        self._clean = False
        self.dot_written = False
        self.next: Begun | None = None  # what went behind the dot, while the line is good for it

    async def run(self) -> Transaction:
        """Hands the envelope over, or says why not. Raises only what `before_dot` and `following` raise."""
        # The steps have their own limits; this one ends a server that stays just inside all of them.
        self._wire.limit(self._timeouts.total)
        try:
            return await self._run()
        except Lost as fault:
            if self.dot_written:
                return self._ended(Level.AMBIGUOUS, error=str(fault))
            level = Level.LOCAL if isinstance(fault, Aborted) else Level.CONNECTION
            return self._ended(level, error=str(fault))
        finally:
            if not self._clean or not self._wire.is_alive:
                self._wire.abort()
                self.next = None

    async def _run(self) -> Transaction:
        if self._begun is not None:
            commands = self._begun.commands
        else:
            await self._settle()
            if (reason := obstacle(self._envelope, self._capabilities)) is not None:
                self._clean = True
                return self._ended(Level.MESSAGE, reason)
            commands = commands_of(self._envelope, self._capabilities)
            if self._capabilities.pipelining:
                self._wire.write(b"".join(commands), replies=len(commands))
        reply = await self._ask(commands[0], self._timeouts.mail)
        if not reply.is_positive:
            return await self._sender_refused(reply)
        self._phase = Phase.RCPT
        anybody = False
        for index in range(len(self._replies)):
            reply = await self._ask(commands[index + 1], self._timeouts.rcpt)
            self._replies[index] = reply
            if reply.is_closing:
                return self._ended(Level.CONNECTION, reply)
            anybody = anybody or reply.is_positive
        reach("after_rcpt")
        if not anybody:
            return await self._everybody_refused()
        self._phase = Phase.DATA
        reply = await self._ask(commands[-1], self._timeouts.data, go_ahead=True)
        if not reply.is_intermediate:
            if not reply.is_closing:
                self._forget()
            return self._ended(Level.MESSAGE, reply)
        return await self._transmit()

    async def _settle(self) -> None:
        """Reads what the last transaction left unread; the very last reply must be a yes."""
        while self._wire.owed:
            reply = await self._hear(self._timeouts.mail)
            if not (self._wire.owed or reply.is_positive):
                raise Lost(f"the last transaction could not be reset: {reply}")

    async def _sender_refused(self, refusal: Reply) -> Transaction:
        if refusal.is_closing:
            return self._ended(Level.CONNECTION, refusal)
        with contextlib.suppress(Lost):
            # The pipelined RCPT and DATA are answered too. A 354 here would leave no way out but closing.
            answers = [await self._hear(self._timeouts.rcpt) for _ in range(self._wire.owed)]
            if not any(answer.is_intermediate or answer.is_closing for answer in answers):
                self._forget()
        return self._ended(Level.MESSAGE, refusal)

    async def _everybody_refused(self) -> Transaction:
        with contextlib.suppress(Lost):
            if not self._wire.owed:
                self._forget()
            elif (answer := await self._hear(self._timeouts.data)).is_intermediate:
                # RFC 2920 §3.1: the pipelined DATA was taken although nobody was: a single dot, for nobody.
                self._wire.write(b".\r\nRSET\r\n", replies=2)
                self._clean = True
            elif not answer.is_closing:
                self._forget()
        return self._ended(Level.RECIPIENT)

    async def _transmit(self) -> Transaction:
        self._phase = Phase.BODY
        body = stuffed(self._envelope.message)
        # The last piece, which holds the dot, is written whole and only after `before_dot` agreed.
        last = max(0, (len(body) - len(b".\r\n") - 1) // CHUNK_BYTES * CHUNK_BYTES)
        pieces = memoryview(body)
        for start in range(0, last, CHUNK_BYTES):
            if (interruption := self._interruption()) is not None:
                return interruption
            self._wire.write(pieces[start : start + CHUNK_BYTES], replies=0)
            await self._wire.drain(self._timeouts.chunk)
            reach("mid_body")
        if self._before_dot is not None and not await self._before_dot():
            return self._ended(Level.LOCAL, error="stopped before the dot")
        if (interruption := self._interruption()) is not None:
            return interruption
        self._wire.check()
        reach("before_dot")
        self.next = self._begin_next()
        behind = self.next.commands if self.next else []
        self.dot_written = True
        self._phase = Phase.DOT
        self._wire.write(b"".join((pieces[last:], *behind)), replies=1 + len(behind))
        self._wire.limit(math.inf)
        reach_soon("after_dot")
        reply = await self._hear(self._timeouts.dot)
        if reply.is_intermediate:
            return self._ended(Level.AMBIGUOUS, error=f"the message was answered with {reply.code}")
        self._clean = not reply.is_closing
        if not reply.is_positive:
            self.next = self.next and dataclasses.replace(self.next, doubted=True)
            return self._ended(Level.MESSAGE, reply)
        everybody = all(answer is not None and answer.is_positive for answer in self._replies)
        return self._ended(Level.NONE if everybody else Level.RECIPIENT, reply)

    def _begin_next(self) -> Begun | None:
        envelope = self._following() if self._following is not None else None
        if envelope is None or obstacle(envelope, self._capabilities) is not None:
            return None
        return Begun(envelope, commands_of(envelope, self._capabilities))

    def _interruption(self) -> Transaction | None:
        """The outcome when the server judges the message before it has ended; the line is closed then."""
        frame = self._wire.unasked()
        if frame is None:
            return None
        reply = reply_.from_lines(*frame)
        if reply.is_positive or reply.is_intermediate:
            raise Lost(f"the server said {reply.code} before the message had ended")
        return self._ended(Level.CONNECTION if reply.is_closing else Level.MESSAGE, reply)

    def _forget(self) -> None:
        """Resets the transaction; the next one reads the answer, as this outcome need not wait for it."""
        with contextlib.suppress(Lost):
            self._wire.write(b"RSET\r\n", replies=1)
            self._clean = True

    async def _ask(self, command: bytes, seconds: float, *, go_ahead: bool = False) -> Reply:
        """Says one command, unless it was pipelined, and hears its reply: no 3xx but as a go-ahead."""
        if not self._capabilities.pipelining:
            self._wire.write(command, replies=1)
        reply = await self._hear(seconds)
        if reply.is_positive if go_ahead else reply.is_intermediate:
            raise Lost(f"{command.split(b' ')[0].strip().decode()} was answered with {reply.code}")
        if self._begun is not None and self._begun.doubted and reply.code >= 400:
            # Some servers refuse a message before it has ended and again at its dot: this may be the second
            # refusal of that one. The line is closed, and nothing that was said of this one is believed.
            self._phase = Phase.MAIL
            self._replies = [None] * len(self._replies)
            raise Lost(f"{reply.code} behind a message that was refused")
        return reply

    async def _hear(self, seconds: float) -> Reply:
        return reply_.from_lines(*await self._wire.frame(seconds))

    def _ended(self, level: Level, final: Reply | None = None, error: str = "") -> Transaction:
        return Transaction(
            self._phase, level, tuple(self._replies), final, error, self._tls_version, self.dot_written
        )
