"""The table of the plain worker: one row a mail, in SQLite, through Peewee."""

from __future__ import annotations

import time

import peewee

database = peewee.SqliteDatabase(None)


class Mail(peewee.Model):
    recipient = peewee.TextField()
    subject = peewee.TextField()
    text = peewee.TextField()
    html = peewee.TextField()
    state = peewee.TextField(default="new", index=True)
    due = peewee.FloatField(default=time.time)

    class Meta:
        database = database


def connect(path: str) -> None:
    """Synced at each commit, as SQLite is unless told otherwise."""
    database.init(path, pragmas={"journal_mode": "wal", "synchronous": "full"}, timeout=60)
    database.connect()
    database.create_tables([Mail])
