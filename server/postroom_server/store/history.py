"""Appends events and reads them in the order they were committed."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from postroom_server.clock import Millis
from postroom_server.store.models import Event, bound
from postroom_server.store.statement import insert, is_postgresql

_APPEND = insert(Event, without=[Event.id])
_NAMES = tuple(field.name for field in _APPEND.fields)
COLUMNS = ", ".join(_NAMES)


class Kind(enum.StrEnum):
    """The contract's EventKind, word for word."""

    EMAIL_ACCEPTED = "EMAIL_ACCEPTED"
    EMAIL_SETTLED = "EMAIL_SETTLED"
    EMAIL_RESCHEDULED = "EMAIL_RESCHEDULED"
    EMAIL_CANCELLED = "EMAIL_CANCELLED"
    EMAIL_DELETED = "EMAIL_DELETED"
    EMAIL_RETRIED = "EMAIL_RETRIED"
    AUDIENCE_PROGRESS = "AUDIENCE_PROGRESS"
    RECIPIENT_SETTLED = "RECIPIENT_SETTLED"
    RECIPIENT_BOUNCED = "RECIPIENT_BOUNCED"
    ATTEMPT_FINISHED = "ATTEMPT_FINISHED"
    ATTEMPT_LATE = "ATTEMPT_LATE"  # an outcome came after the lease had passed to another
    DELIVERY_HELD = "DELIVERY_HELD"
    DELIVERY_RELEASED = "DELIVERY_RELEASED"
    DELIVERY_RESCUED = "DELIVERY_RESCUED"
    CODE_SETTLED = "CODE_SETTLED"


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the stream. SQLite has one writer, so its counter is enough and `xid` is 0."""

    xid: int
    id: int


START = Position(0, 0)


class Progress(NamedTuple):
    """How far an audience has come, as an event tells it."""

    found: int
    queued: int
    done: int
    complete: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Happening:
    """An event as read."""

    position: Position
    tenant_id: int
    email_id: int | None
    delivery_id: int | None
    recipient_id: int | None
    kind: Kind
    state: str | None
    outcome: str | None
    phase: str | None
    server_id: int | None
    code: int | None
    enhanced: str | None
    ambiguous: bool
    time: Millis
    progress: Progress | None = None


def event(
    tenant_id: int,
    kind: Kind,
    time: Millis,
    *,
    email_id: int | None = None,
    delivery_id: int | None = None,
    recipient_id: int | None = None,
    state: str | None = None,
    outcome: str | None = None,
    phase: str | None = None,
    server_id: int | None = None,
    code: int | None = None,
    enhanced: str | None = None,
    ambiguous: bool = False,
    progress: Progress | None = None,
) -> tuple[Any, ...]:
    """A row for `append`. Never put an address, a subject, a parameter or a reply's text in one."""
    about = (tenant_id, email_id, delivery_id, recipient_id, str(kind))
    told = None if progress is None else json.dumps(progress)
    return (*about, state, outcome, phase, server_id, code, enhanced, ambiguous, time, told)


def append(rows: Sequence[tuple[Any, ...]]) -> None:
    _APPEND.many(rows)


def read_after(tenant_id: int, position: Position, limit: int) -> list[Happening]:
    """The tenant's events behind a position, oldest first.

    On PostgreSQL a transaction that took its numbers early may commit late. Events of transactions
    that began after the oldest one still running are held back, so that nothing ever appears behind
    a position that a reader has passed.
    """
    connection = bound.connection()
    if is_postgresql():
        rows = connection.execute(
            f"SELECT xid::text::bigint, id, {COLUMNS} FROM event"
            " WHERE tenant_id = %s AND (xid, id) > (%s::text::xid8, %s)"
            " AND xid < pg_snapshot_xmin(pg_current_snapshot())"
            " ORDER BY event.xid, event.id LIMIT %s",
            (tenant_id, str(position.xid), position.id, limit),
        ).fetchall()
    else:
        rows = connection.execute(
            f"SELECT 0, id, {COLUMNS} FROM event WHERE tenant_id = ? AND id > ? ORDER BY id LIMIT ?",
            (tenant_id, position.id, limit),
        ).fetchall()
    return [happening_of(row) for row in rows]


def happening_of(row: Sequence[Any]) -> Happening:
    """An event of a row of xid, id and `COLUMNS`."""
    told = dict(zip(_NAMES, row[2:], strict=True))
    told["kind"], told["ambiguous"] = Kind(told["kind"]), bool(told["ambiguous"])
    if told["progress"] is not None:
        told["progress"] = Progress(*json.loads(told["progress"]))
    return Happening(Position(row[0], row[1]), **told)


def read_end(tenant_id: int) -> Position:
    """The position behind everything that is readable now."""
    connection = bound.connection()
    if is_postgresql():
        row = connection.execute(
            "SELECT xid::text::bigint, id FROM event WHERE tenant_id = %s"
            " AND xid < pg_snapshot_xmin(pg_current_snapshot())"
            " ORDER BY event.xid DESC, event.id DESC LIMIT 1",
            (tenant_id,),
        ).fetchone()
        return START if row is None else Position(row[0], row[1])
    row = connection.execute(
        "SELECT id FROM event WHERE tenant_id = ? ORDER BY id DESC LIMIT 1", (tenant_id,)
    ).fetchone()
    return START if row is None else Position(0, row[0])
