"""The SQL text beside a migration, in the words of the database at hand (docs/adr/0004)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peewee


def beside(migration: str) -> Callable[[Any, Any], None]:
    """The `up` of the migration in this file, as Peewee's runner wants it."""

    def up(migrator: Any, db: Any) -> None:
        del migrator
        execute = db.execute_sql
        if isinstance(db, peewee.PostgresqlDatabase):
            execute(_read(migration, "postgresql"))
            return
        # sqlite3 takes one statement a call, and a trigger has semicolons within.
        statement = ""
        for line in _read(migration, "sqlite").splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                execute(statement)
                statement = ""

    return up


def _read(migration: str, kind: str) -> str:
    return Path(migration).with_suffix(f".{kind}.sql").read_text(encoding="utf-8")
