"""What a process and its sender say to each other: plain tuples by `marshal`, each behind its length.

Both ends are one release of one program, started by one user: nobody else can write here.
"""

from __future__ import annotations

import asyncio
import marshal
import struct
from collections.abc import Callable, Iterable
from typing import Any, cast

from postroom_server.message.mailing import Copy, Mailing
from postroom_server.message.template import CompiledTemplate
from postroom_server.message.unsubscribe import Offer
from postroom_server.sender.draft import Draft
from postroom_server.smtp import Envelope, Level, Phase, Reply, Transaction

_LENGTH = struct.Struct(">I")
_ROOM = 1 << 18


class Word:
    """What a message says: its first field, a plain number. The others follow in this order."""

    # To the sender.
    INTRODUCE = 1  # number, pickled value: what later messages call by its number
    FORGET = 2  # number
    BELIEVE = 3  # until when, on the monotonic clock, others surely take the process for alive
    CARRY = 4  # errand, loan, key, endpoint, timeouts (0: the endpoint's), whether it asks, seconds until
    # it must have begun, whether it is a draft, content
    RECALL = 5  # errand, whether it is to stop before its dot where it has begun
    STOP = 6  # errand, why: before its dot
    HALT = 7  # everything before its dot
    ANSWER = 8  # errand, whether it may go
    GIVE_BACK = 9  # loan
    CLOSE = 10  # seconds for what has its dot
    PING = 11
    # From the sender.
    READY = 20
    DONE = 21  # errand, transaction, milliseconds that it took
    NOT_BEGUN = 22  # errand: no byte of its message has left
    UNWRITTEN = 23  # errand: its letter could not be written
    FAILED = 24  # errand, what went wrong: nobody knows how far it came
    ASK = 25  # errand: may it go?
    RECALLED = 26  # errand, whether it had not begun
    PONG = 27
    CLOSED = 28  # the last word; whoever hears it hangs up, so that nothing before it is lost


class Link(asyncio.BufferedProtocol):
    """One end. `hear` is called with each message, `lost` once when the other end is gone."""

    def __init__(self, hear: Callable[[tuple[Any, ...]], None], lost: Callable[[], None]) -> None:
        self._hear = hear
        self._lost = lost
        self._room = bytearray(_ROOM)
        self._filled = 0
        self._transport: asyncio.Transport | None = None
        self._unsaid: list[bytes] = []

    def say(self, *message: Any) -> bool:
        """Leaves with what else is said until `flush`. Whether it is the first of these.

        Raises ValueError where something is no plain value.
        """
        octets = marshal.dumps(message)
        is_first = not self._unsaid
        self._unsaid += (_LENGTH.pack(len(octets)), octets)
        return is_first

    def flush(self) -> None:
        unsaid, self._unsaid = self._unsaid, []
        if unsaid and self._transport is not None:
            # Not joined with what is large: that would be one more copy of it.
            large = any(len(piece) >= _ROOM for piece in unsaid)
            self._transport.writelines(unsaid if large else [b"".join(unsaid)])

    def close(self) -> bool:
        """Says what is unsaid and hangs up. False where the other end is gone, or never was."""
        self.flush()
        if self._transport is None:
            return False
        self._transport.close()
        return True

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return memoryview(self._room)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        start = 0
        while self._filled - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._room, start)
            end = start + _LENGTH.size + length
            if end > self._filled:
                break
            octets = memoryview(self._room)[start + _LENGTH.size : end]
            message = marshal.loads(octets)  # noqa: S302 - see above: nobody else can write here
            start = end
            self._hear(message)
        self._keep_from(start)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._lost()

    def _keep_from(self, start: int) -> None:
        """Moves what is not read yet to the front, where all of its message finds room behind it."""
        left = self._filled - start
        needed = _ROOM
        if left >= _LENGTH.size:
            needed = max(_ROOM, _LENGTH.size + _LENGTH.unpack_from(self._room, start)[0])
        room = self._room if len(self._room) == needed else bytearray(needed)
        if left and (start or room is not self._room):
            room[:left] = self._room[start : self._filled]
        self._room, self._filled = room, left


def of_envelope(envelope: Envelope) -> tuple[Any, ...]:
    return (
        envelope.sender, envelope.recipients, bytes(envelope.message), envelope.smtputf8, envelope.eight_bit
    )  # fmt: skip


def to_envelope(fields: Iterable[Any]) -> Envelope:
    return Envelope(*fields)


def of_draft(draft: Draft, template: int) -> tuple[Any, ...]:
    """The `template` by its number, 0 without one. Not for a letter with attachments."""
    mailing, copy, offer = draft.mailing, draft.copy, draft.copy.unsubscribe
    return (
        draft.email_id, draft.recipients, template,
        mailing.subject, mailing.subject_prefix, mailing.from_address, mailing.from_name, mailing.reply_to,
        mailing.headers, mailing.html, mailing.text, mailing.params_for(copy.for_address), mailing.language,
        copy.message_id, copy.date, copy.to, copy.cc, copy.code, copy.params_of,
        None if offer is None else (offer.link, offer.one_click), copy.member,
    )  # fmt: skip


def to_draft(fields: tuple[Any, ...], template_of: Callable[[int], CompiledTemplate | None]) -> Draft:
    (
        email_id, recipients, template, subject, prefix, from_address, from_name, reply_to, headers, html,
        text, params, language, message_id, date, to, cc, code, params_of, offer, member,
    ) = fields  # fmt: skip
    return Draft(
        email_id,
        Mailing(
            subject, prefix, from_address, from_name, reply_to, headers, html, text, params, {}, language
        ),
        Copy(message_id, date, to, cc, code, params_of, offer and Offer(*offer), member),
        recipients,
        template_of(template),
    )


def of_transaction(one: Transaction) -> tuple[Any, ...]:
    return (
        _PHASES.index(one.phase), _LEVELS.index(one.level), [_of_reply(reply) for reply in one.replies],
        _of_reply(one.final), one.error, one.tls_version, one.started,
    )  # fmt: skip


def to_transaction(fields: tuple[Any, ...]) -> Transaction:
    phase, level, replies, final, *others = fields
    told = tuple([_to_reply(reply) for reply in replies])
    return Transaction(_PHASES[phase], _LEVELS[level], told, _to_reply(final), *others)


def _of_reply(reply: Reply | None) -> tuple[int, str, str] | None:
    return None if reply is None else (reply.code, reply.enhanced, reply.text)


def _to_reply(fields: tuple[int, str, str] | None) -> Reply | None:
    return None if fields is None else Reply(*fields)


_PHASES = tuple(Phase)
_LEVELS = tuple(Level)
