"""A wire: the line to a server, read and written within bounds."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import math
import ssl
import typing

from postroom_server.smtp.framing import Frame, Framer, Garbled

CLOSED_BY_US = "closed by us"


class Lost(Exception):  # noqa: N818 - it is not an error of ours
    """The line is of no more use; the text says why."""


class Aborted(Lost):
    """The line was closed by us on purpose."""


class Wire(asyncio.Protocol):
    """Replies in, commands out. A timeout, garbage or an unasked-for reply loses the line for good.

    `owed` counts the replies that were asked for and not read yet; the banner is owed from the start.
    One coroutine at a time may wait here.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._framer = Framer()
        self._frames: collections.deque[Frame] = collections.deque()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._fault: Lost | None = None
        self._choked = False
        self._limit = self._limit_seconds = math.inf
        self._deadline = self._alarm_at = 0.0
        self._complaint = ("", 0.0)
        self._alarm: asyncio.TimerHandle | None = None
        self.owed = 1

    # What the conversation calls.

    @property
    def is_alive(self) -> bool:
        """Whether the line may still be used: not lost, and the server has said nothing unasked."""
        return self._fault is None and len(self._frames) <= self.owed and not self.has_spoken

    @property
    def has_spoken(self) -> bool:
        """Whether anything came that was not asked for."""
        return len(self._frames) > self.owed or (self.owed == 0 and not self._framer.is_empty)

    @property
    def tls_version(self) -> str:
        tls = self._transport.get_extra_info("ssl_object") if self._transport else None
        return (tls.version() or "") if tls else ""

    def check(self) -> None:
        """Raises Lost where `write` would."""
        if self._fault is not None:
            raise self._fault
        if self.has_spoken:
            raise Lost("the server spoke out of turn")
        if self._transport is None or self._transport.is_closing():
            raise Lost("connection lost")

    def write(self, data: bytes | memoryview, *, replies: int) -> None:
        """Sends bytes that the server will answer with so many replies. Raises Lost before a byte is sent."""
        self.check()
        self.owed += replies
        self._transport.write(data)  # type: ignore[union-attr]  # checked

    def limit(self, seconds: float) -> None:
        """Bounds all waiting from now on, together, besides the limits of each; `inf` lifts it."""
        self._limit = self._loop.time() + seconds
        self._limit_seconds = seconds

    async def drain(self, seconds: float) -> None:
        """Waits until the server takes more bytes, or says something instead."""
        while self._choked and not self._frames:
            await self._wait(seconds, "the server took no bytes")

    async def frame(self, seconds: float) -> Frame:
        """The next reply that is owed, in so many seconds however its bytes trickle. Raises Lost."""
        while not self._frames:
            await self._wait(seconds, "no reply")
        self.owed -= 1
        return self._frames.popleft()

    def unasked(self) -> Frame | None:
        """A whole reply that came unasked, if there is one."""
        return self._frames.popleft() if len(self._frames) > self.owed else None

    async def start_tls(self, context: ssl.SSLContext, hostname: str, seconds: float) -> None:
        """Turns the line into a TLS one. Raises Lost, with the reason in words."""
        if self._fault is not None:
            raise self._fault
        if self._frames or not self._framer.is_empty:
            # Commands or replies injected ahead of the handshake would be taken for protected ones.
            self._lose(Lost("bytes came before the TLS handshake"))
        if self._transport is None or self._transport.is_closing():
            raise self._fault or Lost("connection lost")
        plain, protected = self._transport, None
        try:
            protected = await self._loop.start_tls(
                plain, self, context, server_hostname=hostname, ssl_handshake_timeout=seconds
            )
        except OSError as error:  # ssl.SSLError is one
            raise Lost(f"TLS: {_in_words(error)}") from error
        finally:
            if protected is None:  # the loop tells nobody that a handshake failed
                plain.abort()
                self.connection_lost(None)
        if protected is None:
            raise Lost("TLS: connection lost")
        self._transport = protected

    def abort(self, why: str = CLOSED_BY_US) -> None:
        """Closes at once; bytes not yet sent are not sent."""
        self._lose(Aborted(why))

    async def close(self, seconds: float) -> None:
        """Closes, letting what was written leave, in so many seconds at most."""
        if self._transport is not None:
            self._transport.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._closed), seconds)
        self.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = typing.cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._fault is not None:
            return
        try:
            for frame in self._framer.feed(data):
                self._frames.append(frame)
                # One that nobody asked for is kept: it may say why the server is leaving.
                if len(self._frames) > self.owed + 1:
                    self._lose(Lost("the server spoke out of turn"))
                    return
        except Garbled as error:
            self._lose(Lost(str(error)))
            return
        if self._frames:
            self._wake()

    def eof_received(self) -> None:
        if self._fault is None:
            self._fault = Lost("connection closed by the server")
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._fault is None:
            self._fault = Lost(f"connection lost: {_in_words(exc)}" if exc else "connection lost")
        if not self._closed.done():
            self._closed.set_result(None)
        if self._alarm is not None:
            self._alarm.cancel()
        self._wake()

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        self._wake()

    # Below.

    async def _wait(self, seconds: float, complaint: str) -> None:
        if self._fault is not None:
            raise self._fault
        self._deadline, self._complaint = self._loop.time() + seconds, (complaint, seconds)
        if self._limit < self._deadline:
            self._deadline = self._limit
            self._complaint = ("the transaction was not over", self._limit_seconds)
        # One alarm serves many waits: setting a timer for each would cost a tenth of a mail.
        if self._alarm is None or self._deadline < self._alarm_at:
            self._set_alarm()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = self._deadline
        self._alarm = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        """The deadline does not move when bytes come: a byte a second does not buy more time."""
        self._alarm = None
        if self._waiter is None:
            return  # the next wait sets its own
        if self._loop.time() < self._deadline:
            self._set_alarm()  # it was set for an earlier wait
        else:
            complaint, seconds = self._complaint
            self._lose(Lost(f"{complaint} within {seconds:g} s"))

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _lose(self, fault: Lost) -> None:
        if self._fault is None:
            self._fault = fault
        if self._transport is not None:
            self._transport.abort()
        self._wake()


def _in_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or "connection lost"
