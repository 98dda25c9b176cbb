"""What of an accepted email is still to be had: files to be fetched, an audience to be looked up."""

from __future__ import annotations

import peewee

from postroom_server.store.models.base import IdField, JsonField, Row, TimeField, add_index


class Preparation(Row):
    """An email that waits for attachments to be fetched, and when it is tried next."""

    email_id = IdField(primary_key=True)
    tenant_id = IdField()
    lane = peewee.SmallIntegerField()
    fetch_time = TimeField()
    tries = peewee.IntegerField(default=0)

    class Meta:
        table_name = "preparation"


add_index(
    Preparation,
    "preparation_due",
    *(Preparation.lane, Preparation.tenant_id, Preparation.fetch_time, Preparation.email_id),
)


class Expansion(Row):
    """An email whose audience is still to be looked up, how far that has come and when it goes on.

    The row goes when the look-up ends, however it ends; whoever moves its cursor holds its lock.
    """

    email_id = IdField(primary_key=True)
    tenant_id = IdField()
    expand_time = TimeField()
    cursor = IdField(default=0)  # the last member looked at
    position = peewee.IntegerField(default=0)  # of the next copy
    extras_placed = peewee.BooleanField(default=False)  # Cc and Bcc travel with a copy already

    class Meta:
        table_name = "expansion"


add_index(Expansion, "expansion_due", Expansion.tenant_id, Expansion.expand_time, Expansion.email_id)


class MemberCopy(Row):
    """What is a member's own in a copy, as it was when they were found: all attempts say the same."""

    delivery_id = IdField(primary_key=True)
    tenant_id = IdField()
    email_id = IdField()
    user_id = IdField()
    language = peewee.TextField(null=True)  # of the template's variant; null: a custom body
    member = JsonField(null=True)  # what of them the template shows; null: nothing
    problem = peewee.TextField(null=True)  # why it cannot be written; null: it can

    class Meta:
        table_name = "member_copy"
