"""The SQL text beside a migration, in the words of the database at hand (docs/adr/0004)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import peewee


def beside(migration: str) -> Callable[[Any, Any], None]:
    """The `up` of the migration in this file, as Peewee's runner wants it."""

    def up(migrator: Any, db: Any) -> None:
        del migrator
        kind = "postgresql" if isinstance(db, peewee.PostgresqlDatabase) else "sqlite"
        cursor = db.execute_sql(Path(migration).with_suffix(f".{kind}.sql").read_text(encoding="utf-8"))
        if kind == "sqlite":
            # A statement that gives rows would keep those behind it waiting.
            cursor.fetchall()

    return up
