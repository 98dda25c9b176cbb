"""How the recipients of an email are spread over messages."""

from __future__ import annotations

from postroom_server.mail.draft import CopyMode
from postroom_server.record import record
from postroom_server.store.models import Role


@record
class Copy:
    """One message: its recipients with their roles, To first."""

    recipients: tuple[tuple[Role, str], ...]


def split_masked(to: tuple[str, ...], cc: tuple[str, ...], bcc: tuple[str, ...]) -> tuple[Copy, ...]:
    """One message per To, each with a code of its own; Cc and Bcc share one in which the code is masked."""
    extra = tuple((Role.CC, a) for a in cc) + tuple((Role.BCC, a) for a in bcc)
    own = tuple(Copy(((Role.TO, a),)) for a in to)
    return (*own, Copy(extra)) if extra else own


def split(
    to: tuple[str, ...],
    cc: tuple[str, ...],
    bcc: tuple[str, ...],
    mode: CopyMode,
    *,
    cc_every_copy: bool = False,
) -> tuple[Copy, ...]:
    """SHARED: one message for all. SEPARATE: one per To; Cc and Bcc travel with the first, or with each."""
    extra = tuple((Role.CC, a) for a in cc) + tuple((Role.BCC, a) for a in bcc)
    if mode is CopyMode.SHARED or len(to) <= 1:
        return (Copy(tuple((Role.TO, a) for a in to) + extra),)
    first = Copy(((Role.TO, to[0]), *extra))
    beside = extra if cc_every_copy else ()
    return (first, *(Copy(((Role.TO, a), *beside)) for a in to[1:]))
