"""Reads the events of a few emails, which lie far apart in the stream, through an index of their own."""

from __future__ import annotations

from collections.abc import Sequence

from postroom_server.store.history import COLUMNS, Happening, Position, happening_of
from postroom_server.store.models import bound
from postroom_server.store.statement import as_list, is_postgresql

# INDEXED BY: SQLite would rather walk the tenant's whole stream, which is in the wanted order.
_SQLITE = (
    f"SELECT 0, id, {COLUMNS} FROM event INDEXED BY event_email"  # noqa: S608 - fixed text
    " WHERE email_id IN (SELECT value FROM json_each(?)) AND tenant_id = ? AND id > ? ORDER BY id LIMIT ?"
)
_POSTGRESQL = (
    f"SELECT xid::text::bigint, id, {COLUMNS} FROM event"  # noqa: S608 - fixed text
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
    return [happening_of(row) for row in rows]
