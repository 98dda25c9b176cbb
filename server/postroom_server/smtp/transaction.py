"""A transaction: how an attempt to hand one envelope to one server ended."""

from __future__ import annotations

import enum

from postroom_server.record import record
from postroom_server.smtp.reply import Reply


class Phase(enum.StrEnum):
    """The step at which a transaction ended, in the order they are taken."""

    RESOLVE = "RESOLVE"
    CONNECT = "CONNECT"
    BANNER = "BANNER"
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"  # the command
    TLS = "TLS"  # the handshake
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    BODY = "BODY"  # DATA was taken; the final dot is not written
    DOT = "DOT"  # the final dot is written


class Level(enum.StrEnum):
    """Whom the outcome speaks about."""

    NONE = "NONE"  # everybody was taken
    CONNECTION = "CONNECTION"  # this server, now; nothing was sent to anyone
    MESSAGE = "MESSAGE"  # every recipient whose own RCPT was not refused
    RECIPIENT = "RECIPIENT"  # those refused in `replies`; the others, if any, were taken
    AMBIGUOUS = "AMBIGUOUS"  # the dot was written and no verdict came: they may have it
    LOCAL = "LOCAL"  # we stopped before the dot; nothing was sent to anyone


@record
class Transaction:
    """The outcome, with everything the server said that matters.

    `final` is the reply that decided (dot, MAIL, DATA, banner, AUTH …); None when no single reply did: the
    line was lost, or each RCPT was refused by a reply of its own. Codes that we give ourselves, because the
    server stated that it cannot take such a message, begin their text with "not sent: ".
    """

    phase: Phase
    level: Level
    replies: tuple[Reply | None, ...]  # to RCPT, in the order of the recipients; None where none came
    final: Reply | None = None
    error: str = ""  # short, for people; holds no secrets
    tls_version: str = ""
    started: bool = False  # the final dot was written

    @property
    def ambiguous(self) -> bool:
        return self.level is Level.AMBIGUOUS

    @property
    def accepted(self) -> tuple[bool, ...]:
        """For each recipient, whether the server has taken the message for them."""
        taken = self.phase is Phase.DOT and self.final is not None and self.final.is_positive
        return tuple(taken and reply is not None and reply.is_positive for reply in self.replies)

    def verdict(self, index: int) -> Reply | None:
        """The reply that decides one recipient: the refusal of their own RCPT, or else `final`."""
        own = self.replies[index]
        return own if own is not None and not own.is_positive else self.final
