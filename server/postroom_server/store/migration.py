"""Brings a database to the schema of this release. Migrations are additive for one release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peewee
from playhouse import migrations

DIRECTORY = Path(__file__).with_name("migrations")
# Any fixed number: processes that start together take turns on PostgreSQL.
_ADVISORY_LOCK = 0x706F7374726F6F6D


class OldDatabaseError(Exception):
    """The database's schema is not this release's."""


def pending(database: peewee.Database) -> list[str]:
    """The names of the migrations that this database has not had yet."""
    return [row.name for row in migrations.Runner(database, str(DIRECTORY)).status() if not row.applied]


def migrate(database: peewee.Database) -> list[str]:
    """Applies what is pending, each in a transaction, and returns the names."""
    runner = migrations.Runner(database, str(DIRECTORY))
    if not isinstance(database, peewee.PostgresqlDatabase):
        return list(runner.up())
    execute: Any = database.execute_sql
    # A migration takes as long as it takes, and the turn before it too.
    execute("SET statement_timeout = 0")
    execute("SELECT pg_advisory_lock(%s)", (_ADVISORY_LOCK,))
    try:
        return list(runner.up())
    finally:
        execute("SELECT pg_advisory_unlock(%s)", (_ADVISORY_LOCK,))
