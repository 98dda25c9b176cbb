"""The first tables, indexes and triggers, as SQL that never changes again."""

import sqlite3
from pathlib import Path
from typing import Any

import peewee


def up(migrator: Any, db: Any) -> None:
    del migrator
    execute = db.execute_sql
    script = Path(__file__).with_suffix("")
    if isinstance(db, peewee.PostgresqlDatabase):
        execute(script.with_suffix(".postgresql.sql").read_text(encoding="utf-8"))
        return
    statement = ""
    for line in script.with_suffix(".sqlite.sql").read_text(encoding="utf-8").splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            execute(statement)
            statement = ""
