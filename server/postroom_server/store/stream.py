"""Reads the events of a few emails, which lie far apart in the stream, through an index of their own."""

from __future__ import annotations

from collections.abc import Sequence

from postroom_server.store.history import Happening, Kind, Position
from postroom_server.store.models import bound
from postroom_server.store.statement import as_list, is_postgresql

_COLUMNS = (
    "id, tenant_id, email_id, delivery_id, recipient_id, kind, state, outcome, phase, server_id, code,"
    " enhanced, ambiguous, time"
)
# INDEXED BY: SQLite would rather walk the tenant's whole stream, which is in the wanted order.
_SQLITE = (
    f"SELECT 0, {_COLUMNS} FROM event INDEXED BY event_email"  # noqa: S608 - fixed text
    " WHERE email_id IN (SELECT value FROM json_each(?)) AND tenant_id = ? AND id > ? ORDER BY id LIMIT ?"
)
_POSTGRESQL = (
    f"SELECT xid::text::bigint, {_COLUMNS} FROM event"  # noqa: S608 - fixed text
    " WHERE email_id = ANY(%s) AND tenant_id = %s AND (xid, id) > (%s::text::xid8, %s)"
    " AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY event.xid, event.id LIMIT %s"
)


def read_of_emails(
    tenant_id: int, email_ids: Sequence[int], position: Position, limit: int
) -> list[Happening]:
    """The events of these emails behind a position, oldest first; held back as `history.read_after` does."""
    if is_postgresql():
        sql, place = _POSTGRESQL, (str(position.xid), position.id)
    else:
        sql, place = _SQLITE, (position.id,)  # type: ignore[assignment]
    rows = bound.connection().execute(sql, (as_list(email_ids), tenant_id, *place, limit)).fetchall()
    return [
        Happening(
            position=Position(xid, number),
            tenant_id=tenant,
            email_id=email_id,
            delivery_id=delivery_id,
            recipient_id=recipient_id,
            kind=Kind(kind),
            state=state,
            outcome=outcome,
            phase=phase,
            server_id=server_id,
            code=code,
            enhanced=enhanced,
            ambiguous=bool(ambiguous),
            time=time,
        )
        for (
            xid, number, tenant, email_id, delivery_id, recipient_id, kind, state, outcome, phase, server_id,
            code, enhanced, ambiguous, time,
        ) in rows
    ]  # fmt: skip
