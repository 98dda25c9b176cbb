"""What time the database says it is: the one clock that all processes on PostgreSQL share."""

from __future__ import annotations

from postroom_server.clock import Millis
from postroom_server.store.models.base import bound


def database_now() -> Millis:
    """PostgreSQL's clock. Call it inside a unit."""
    row = (
        bound.connection().execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
    )
    return int(row[0])
