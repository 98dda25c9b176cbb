"""A conversation: MAIL, RCPT, DATA and the message over an open line, and what each reply means.

The line is closed unless a path says that it is clean: so every fault, cancellation and surprise closes it,
and after DATA there is never a dot, nor a RSET that would become text of the message.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Awaitable, Callable

from postroom_server.smtp import reply as reply_
from postroom_server.smtp.endpoint import Timeouts
from postroom_server.smtp.envelope import Envelope, stuffed
from postroom_server.smtp.opening import Line
from postroom_server.smtp.reply import Reply
from postroom_server.smtp.transaction import Level, Phase, Transaction
from postroom_server.smtp.wire import Aborted, Lost

# Asked after 354 and before the final dot; False stops the transaction.
BeforeDot = Callable[[], Awaitable[bool]]

CHUNK_BYTES = 65536


class Conversation:
    """One envelope's way over one line."""

    def __init__(
        self, line: Line, envelope: Envelope, timeouts: Timeouts, before_dot: BeforeDot | None
    ) -> None:
        self._wire = line.wire
        self._capabilities = line.capabilities
        self._tls_version = line.tls_version
        self._envelope = envelope
        self._timeouts = timeouts
        self._before_dot = before_dot
        self._phase = Phase.MAIL
        self._replies: list[Reply | None] = [None] * len(envelope.recipients)
        self._clean = False
        self.dot_written = False

    async def run(self) -> Transaction:
        """Hands the envelope over, or says why not. Raises only what `before_dot` raises."""
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

    async def _run(self) -> Transaction:
        await self._settle()
        if (obstacle := self._obstacle()) is not None:
            self._clean = True
            return self._ended(Level.MESSAGE, obstacle)
        commands = self._commands()
        if self._capabilities.pipelining:
            self._wire.write("".join(commands).encode(), replies=len(commands))
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

    def _obstacle(self) -> Reply | None:
        """Why this server, by its own word, cannot take the message; told without asking it."""
        envelope, offered = self._envelope, self._capabilities
        if offered.max_bytes and len(envelope.message) > offered.max_bytes:
            size = f"{len(envelope.message)} bytes are more than the server's limit of {offered.max_bytes}"
            return Reply(552, "5.3.4", f"not sent: {size}")
        if envelope.smtputf8 and not offered.smtputf8:
            return Reply(550, "5.6.7", "not sent: it needs SMTPUTF8, which the server does not offer")
        if envelope.eight_bit and not offered.eight_bit_mime:
            return Reply(554, "5.6.3", "not sent: it needs 8BITMIME, which the server does not offer")
        return None

    def _commands(self) -> list[str]:
        envelope = self._envelope
        mail = f"MAIL FROM:<{envelope.sender}>"
        if self._capabilities.size:
            mail += f" SIZE={len(envelope.message)}"  # RFC 1870 §3: without the doubled dots
        if envelope.eight_bit:
            mail += " BODY=8BITMIME"
        if envelope.smtputf8:
            mail += " SMTPUTF8"
        return [f"{mail}\r\n", *(f"RCPT TO:<{address}>\r\n" for address in envelope.recipients), "DATA\r\n"]

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
        if self._before_dot is not None and not await self._before_dot():
            return self._ended(Level.LOCAL, error="stopped before the dot")
        if (interruption := self._interruption()) is not None:
            return interruption
        self._wire.check()
        self.dot_written = True
        self._phase = Phase.DOT
        self._wire.write(pieces[last:], replies=1)
        self._wire.limit(math.inf)
        reply = await self._hear(self._timeouts.dot)
        if reply.is_intermediate:
            return self._ended(Level.AMBIGUOUS, error=f"the message was answered with {reply.code}")
        self._clean = not reply.is_closing
        if not reply.is_positive:
            return self._ended(Level.MESSAGE, reply)
        everybody = all(answer is not None and answer.is_positive for answer in self._replies)
        return self._ended(Level.NONE if everybody else Level.RECIPIENT, reply)

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

    async def _ask(self, command: str, seconds: float, *, go_ahead: bool = False) -> Reply:
        """Says one command, unless it was pipelined, and hears its reply: no 3xx but as a go-ahead."""
        if not self._capabilities.pipelining:
            self._wire.write(command.encode(), replies=1)
        reply = await self._hear(seconds)
        if reply.is_positive if go_ahead else reply.is_intermediate:
            raise Lost(f"{command.split(' ')[0].strip()} was answered with {reply.code}")
        return reply

    async def _hear(self, seconds: float) -> Reply:
        return reply_.from_lines(*await self._wire.frame(seconds))

    def _ended(self, level: Level, final: Reply | None = None, error: str = "") -> Transaction:
        return Transaction(
            self._phase, level, tuple(self._replies), final, error, self._tls_version, self.dot_written
        )
