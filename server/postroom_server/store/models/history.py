"""What happened, appended and never edited, and the ticket that lets retention remove it."""

from __future__ import annotations

import peewee

from postroom_server.store.models.base import IdField, JsonField, Row, TimeField


class Event(Row):
    """One thing that happened. Holds ids, states and codes; never addresses, subjects, parameters or replies.

    `id` is the database's own counter (SQLite AUTOINCREMENT, a PostgreSQL sequence). PostgreSQL adds a
    column `xid`, without which a reader would lose the events of a slower writer (store/history.py).
    """

    id = peewee.BigAutoField()
    tenant_id = IdField()
    email_id = IdField(null=True)
    delivery_id = IdField(null=True)
    recipient_id = IdField(null=True)
    kind = peewee.TextField()
    state = peewee.TextField(null=True)
    outcome = peewee.TextField(null=True)
    phase = peewee.TextField(null=True)
    server_id = IdField(null=True)
    code = peewee.SmallIntegerField(null=True)
    enhanced = peewee.TextField(null=True)
    ambiguous = peewee.BooleanField(default=False)
    time = TimeField()
    progress = JsonField(null=True)  # of an audience: found, queued, done, and whether it is complete

    class Meta:
        table_name = "event"


class PurgeTicket(Row):
    """Lets the transaction that holds it delete events; only retention writes one."""

    id = IdField(primary_key=True)
    create_time = TimeField()

    class Meta:
        table_name = "purge_ticket"
