"""Whether the caller of an email fixed its expire_time."""

from pathlib import Path
from typing import Any

import peewee


def up(migrator: Any, db: Any) -> None:
    del migrator
    kind = "postgresql" if isinstance(db, peewee.PostgresqlDatabase) else "sqlite"
    db.execute_sql(Path(__file__).with_suffix(f".{kind}.sql").read_text(encoding="utf-8"))
