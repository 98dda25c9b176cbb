"""A connection: a line to one server, opened when it is first needed and used for message after message."""

from __future__ import annotations

import asyncio
import contextlib

from postroom_server.smtp.conversation import BeforeDot, Begun, Conversation, Following
from postroom_server.smtp.endpoint import Endpoint, Timeouts
from postroom_server.smtp.envelope import Envelope
from postroom_server.smtp.opening import Line, NotOpened, Opening
from postroom_server.smtp.transaction import Level, Phase, Transaction
from postroom_server.smtp.wire import CLOSED_BY_US, Aborted, Lost

QUIT_PATIENCE = 2.0


class Connection:
    """One line at most, one transaction at a time. Once closed or aborted it stays so."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.messages = 0  # transactions begun on the line
        self._loop = asyncio.get_running_loop()
        self._line: Line | None = None
        self._opening: asyncio.Task[Line] | None = None
        self._conversation: Conversation | None = None
        self._begun: Begun | None = None
        self._retired = False
        self._aborted = False
        self._why_aborted = CLOSED_BY_US
        self._reached = Phase.CONNECT  # by an opening that was aborted
        self._opened_at = 0.0
        self._used_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._line is not None and self._line.wire.is_alive

    @property
    def is_reusable(self) -> bool:
        """Whether the line is healthy, and neither too old nor too long idle nor used too often."""
        if self._begun is not None or not self.is_open:
            return False
        return self._has_time_left and self._loop.time() - self._used_at < self.endpoint.max_idle

    def has_begun(self, envelope: Envelope) -> bool:
        """Whether this envelope's commands went behind the last dot, and the line is good for the rest."""
        begun = self._begun
        return begun is not None and begun.envelope is envelope and self.is_open and not self._retired

    @property
    def dot_written(self) -> bool:
        """Whether the message under way may already be the server's."""
        return self._conversation is not None and self._conversation.dot_written

    async def open(self) -> Line:
        """Connects, greets, starts TLS and logs in. Raises NotOpened, or Aborted after `abort`."""
        if self._aborted:
            raise Aborted(self._why_aborted)
        steps = Opening(self.endpoint)
        opening = self._opening = asyncio.create_task(steps.run())
        try:
            line = await opening
        except asyncio.CancelledError:
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                opening.result().wire.abort()  # it came about in the very moment of being cancelled
            task = asyncio.current_task()
            if self._aborted and not (task and task.cancelling()):
                self._reached = steps.phase
                raise Aborted(self._why_aborted) from None
            raise
        finally:
            self._opening = None
        if self._aborted:
            line.wire.abort(self._why_aborted)
        self._line = line
        self._opened_at = self._used_at = self._loop.time()
        return line

    async def send(
        self,
        envelope: Envelope,
        *,
        before_dot: BeforeDot | None = None,
        timeouts: Timeouts | None = None,
        following: Following | None = None,
    ) -> Transaction:
        """Hands one envelope over, opening the line if need be, and tells how it ended.

        `before_dot` is awaited after 354 and before the final dot; False closes the line instead. `timeouts`
        replaces the endpoint's for this transaction. `following` may be asked, as the dot is written, for the
        envelope that is to be sent next: its commands then leave in the same breath, and it must be the next
        that is sent here (see `has_begun`), or else the line is closed. Faults of the server and of the
        network are outcomes and never raised. When the caller is cancelled, or `before_dot` or `following`
        raises, the line is closed at once.
        """
        begun, self._begun = self._begun, None
        if begun is not None and begun.envelope is not envelope and self._line is not None:
            self._line.wire.abort()  # what was begun has its DATA: nothing else may be said
        try:
            line = self._line or await self.open()
        except (NotOpened, Aborted) as failure:
            return _never_began(envelope, failure, self._reached)
        self.messages += 1
        conversation = self._conversation = Conversation(
            line,
            envelope,
            timeouts or self.endpoint.timeouts,
            before_dot,
            begun=begun,
            following=following if following is not None and self._has_time_left else None,
        )
        try:
            return await conversation.run()
        finally:
            self._conversation = None
            self._begun = conversation.next
            self._used_at = self._loop.time()

    def retire(self) -> None:
        """Lets the message under way end and begins no other, not even one whose commands are written."""
        self._retired = True

    def abort(self, why: str = CLOSED_BY_US) -> None:
        """Closes at once, whatever is under way: before the dot that is LOCAL, after it AMBIGUOUS."""
        self._aborted, self._why_aborted = True, why
        if self._opening is not None:
            self._opening.cancel()
        if self._line is not None:
            self._line.wire.abort(why)

    async def close(self, quit: bool = True) -> None:  # noqa: A002 - the command is called so
        """Says QUIT, whose answer nobody needs, and closes. Not for a connection that is in use."""
        if self._line is not None:
            wire = self._line.wire
            if quit and wire.is_alive and self._begun is None:
                with contextlib.suppress(Lost):
                    wire.write(b"QUIT\r\n", replies=1)
                    while wire.owed:
                        await wire.frame(QUIT_PATIENCE)
            await wire.close(QUIT_PATIENCE)
        self.abort()

    @property
    def _has_time_left(self) -> bool:
        endpoint = self.endpoint
        return (
            not self._retired
            and self.messages < endpoint.max_messages
            and self._loop.time() - self._opened_at < endpoint.max_age
        )


async def probe(endpoint: Endpoint, envelope: Envelope) -> Transaction:
    """Hands one envelope over on a connection of its own: does this server work, with these settings?"""
    connection = Connection(endpoint)
    try:
        return await connection.send(envelope)
    finally:
        await connection.close()


def _never_began(envelope: Envelope, failure: NotOpened | Aborted, reached: Phase) -> Transaction:
    nobody = (None,) * len(envelope.recipients)
    if isinstance(failure, NotOpened):
        return Transaction(failure.phase, Level.CONNECTION, nobody, failure.reply, failure.error)
    return Transaction(reached, Level.LOCAL, nobody, error=str(failure))
