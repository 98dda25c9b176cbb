"""The deployment itself: its facts, live workers, cache generations and remembered requests."""

from __future__ import annotations

import peewee

from postroom_server.store.models.base import IdField, JsonField, Row, TimeField


class Fact(Row):
    """One thing that is true of this database: stream epoch, data key id and check value, who created it."""

    name = peewee.TextField(primary_key=True)
    value = peewee.TextField()

    class Meta:
        table_name = "fact"


class Generation(Row):
    """Raised by every change to tokens, templates, bindings, servers or tenants; caches compare it."""

    name = peewee.TextField(primary_key=True)
    value = peewee.BigIntegerField()

    class Meta:
        table_name = "generation"


class Worker(Row):
    """A live process. `id` is its node number in ids; `beat` grows while it lives."""

    id = peewee.IntegerField(primary_key=True)
    incarnation = peewee.TextField()
    beat = peewee.BigIntegerField()
    start_time = TimeField()
    beat_time = TimeField()

    class Meta:
        table_name = "worker"


class Idempotency(Row):
    """A remembered request, so that its repetition is answered and not repeated."""

    tenant_id = IdField()
    method = peewee.TextField()
    request_id = peewee.TextField()
    fingerprint = peewee.BlobField()
    answer = JsonField()
    create_time = TimeField()

    class Meta:
        table_name = "idempotency"
        primary_key = peewee.CompositeKey("tenant_id", "method", "request_id")
        indexes = ((("create_time",), False),)
