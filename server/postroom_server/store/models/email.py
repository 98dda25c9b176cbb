"""An accepted email and what becomes of it: email, content, delivery, recipient, attempt, attachment, blob.

delivery.md §1 says which of these ever change.
"""

from __future__ import annotations

import enum

import peewee

from postroom_server.store.models.base import IdField, JsonField, Row, TimeField, add_index


class EmailState(enum.StrEnum):
    PENDING = "PENDING"
    SUCCESS = "SUCCESS"  # the next SMTP server accepted the mail for every recipient
    FAILURE = "FAILURE"


class DeliveryState(enum.StrEnum):
    PREPARING = "PREPARING"  # attachments are being fetched
    READY = "READY"  # due when run_at has come
    LEASED = "LEASED"  # in the hands of lease_owner, under lease_token
    DONE = "DONE"
    HELD = "HELD"  # crashed its process three times; waits for ReleaseEmail or expiry
    CANCELLED = "CANCELLED"


class RecipientState(enum.StrEnum):
    OPEN = "OPEN"
    DELIVERED = "DELIVERED"
    REFUSED = "REFUSED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    SUPPRESSED = "SUPPRESSED"
    UNKNOWN = "UNKNOWN"  # AT_MOST_ONCE and the outcome was lost
    BOUNCED = "BOUNCED"  # reported after DELIVERED


class AudienceState(enum.StrEnum):
    """How it stands with the look-up of an email's audience."""

    EXPANDING = "EXPANDING"  # waits or is under way; the email cannot settle
    COMPLETE = "COMPLETE"  # everybody was found
    CANCELLED = "CANCELLED"  # by the caller, before everybody was found
    EXPIRED = "EXPIRED"  # time ran out before everybody was found
    ABANDONED = "ABANDONED"  # an attachment could not be had


class Role(enum.StrEnum):
    TO = "TO"
    CC = "CC"
    BCC = "BCC"


class Lane(enum.IntEnum):
    URGENT = 0
    NORMAL = 1
    BULK = 2


class Email(Row):
    """One accepted request: what was asked, by whom, and how it ended."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    token_id = IdField()
    sender_user_id = IdField()
    out_id = peewee.TextField()
    biz_key = peewee.TextField(null=True)
    language = peewee.TextField(null=True)  # as asked
    template_language = peewee.TextField(null=True)  # the variant used
    invoke_name = peewee.TextField(null=True)  # null: a custom body
    template_version_id = IdField(null=True)
    html = peewee.BooleanField()
    subject = peewee.TextField(null=True)  # null: the template's
    subject_prefix = peewee.TextField(null=True)  # of the first server in line at accept
    from_address = peewee.TextField()
    from_name = peewee.TextField()
    reply_to = JsonField(null=True)
    ignore_suppression = peewee.BooleanField()
    separate = peewee.BooleanField()  # one copy per recipient
    at_most_once = peewee.BooleanField()
    urgent = peewee.BooleanField()
    test = peewee.BooleanField()  # accepted, never handed over
    verification = peewee.BooleanField()
    validity = peewee.BigIntegerField(null=True)  # milliseconds
    labels = JsonField(null=True)
    headers = JsonField(null=True)
    audience = JsonField(null=True)  # mail/audience.py knows its shape
    audience_cursor = IdField(null=True)  # not used: the cursor is the expansion's
    audience_state = peewee.TextField(null=True)
    audience_found = peewee.IntegerField(null=True)  # members; each has a copy
    audience_unknown = JsonField(null=True)  # what of the audience names nobody
    state = peewee.TextField()
    failure_reason = peewee.TextField(null=True)
    recipient_count = peewee.IntegerField()
    open_count = peewee.IntegerField()
    delivered_count = peewee.IntegerField()
    refused_count = peewee.IntegerField(default=0)
    expired_count = peewee.IntegerField(default=0)
    cancelled_count = peewee.IntegerField(default=0)
    suppressed_count = peewee.IntegerField(default=0)
    unknown_count = peewee.IntegerField(default=0)
    bounced_count = peewee.IntegerField(default=0)
    ambiguous_count = peewee.IntegerField(default=0)
    accept_time = TimeField()
    schedule_time = TimeField(null=True)
    expire_time = TimeField()
    expire_fixed = peewee.BooleanField(null=True)  # by the caller; null: accepted before that was noted
    settle_time = TimeField(null=True)
    delete_time = TimeField(null=True)

    class Meta:
        table_name = "email"


# Lists see only what is not deleted; every order ends in the id.
_VISIBLE = Email.delete_time.is_null()
add_index(Email, "email_list", Email.tenant_id, Email.id, where=_VISIBLE)
add_index(Email, "email_list_state", Email.tenant_id, Email.state, Email.id, where=_VISIBLE)
add_index(Email, "email_list_biz_key", Email.tenant_id, Email.biz_key, Email.id, where=_VISIBLE)
add_index(Email, "email_list_out_id", Email.tenant_id, Email.out_id, Email.id, where=_VISIBLE)
add_index(Email, "email_list_schedule", Email.tenant_id, Email.schedule_time, Email.id, where=_VISIBLE)
add_index(Email, "email_list_settle", Email.tenant_id, Email.settle_time, Email.id, where=_VISIBLE)


class Content(Row):
    """The bodies and parameters of an email, apart from it so that lists stay skinny."""

    email_id = IdField(primary_key=True)
    tenant_id = IdField()
    html = peewee.TextField(null=True)
    text = peewee.TextField(null=True)
    params = JsonField(null=True)  # {name: value}
    recipient_params = JsonField(null=True)  # {address: {name: value}}

    class Meta:
        table_name = "content"


class Delivery(Row):
    """One message to hand to SMTP: the unit of leasing. Its Message-ID and Date never change."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    email_id = IdField()
    lane = peewee.SmallIntegerField()
    position = peewee.IntegerField()  # which copy of the email: 0 is the first
    message_id = peewee.TextField()  # without angle brackets; the MIME boundaries derive from it
    date_time = TimeField()  # the Date header
    at_most_once = peewee.BooleanField()
    state = peewee.TextField()
    run_at = TimeField()
    expire_time = TimeField()
    lease_owner = IdField(null=True)
    lease_token = peewee.IntegerField(default=0)
    cancel_requested = peewee.BooleanField(default=False)
    phase = peewee.TextField(null=True)  # DOT once the dot mark is durable
    dot_time = TimeField(null=True)
    transactions = peewee.IntegerField(default=0)  # leases begun; finds crash loops
    tries = peewee.IntegerField(default=0)  # message-level results; drives the retry delay
    crash_count = peewee.IntegerField(default=0)

    class Meta:
        table_name = "delivery"


def _in_state(state: DeliveryState) -> peewee.Expression:
    # A literal: SQLite uses a partial index only where the statement says the same constant.
    return Delivery.state == peewee.SQL(f"'{state}'")


add_index(Delivery, "delivery_email", Delivery.email_id, Delivery.position)
add_index(
    Delivery,
    "delivery_due",
    *(Delivery.lane, Delivery.tenant_id, Delivery.run_at, Delivery.id),
    where=_in_state(DeliveryState.READY),
)
add_index(
    Delivery, "delivery_leased", Delivery.lease_owner, Delivery.id, where=_in_state(DeliveryState.LEASED)
)
add_index(Delivery, "delivery_held", Delivery.expire_time, Delivery.id, where=_in_state(DeliveryState.HELD))


class Recipient(Row):
    """One address of one delivery, with its own outcome."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    email_id = IdField()
    delivery_id = IdField()
    role = peewee.TextField()
    address = peewee.TextField()
    state = peewee.TextField()
    last_code = peewee.SmallIntegerField(null=True)
    last_enhanced = peewee.TextField(null=True)
    last_reply = peewee.TextField(null=True)
    settle_time = TimeField(null=True)

    class Meta:
        table_name = "recipient"


add_index(Recipient, "recipient_email", Recipient.email_id, Recipient.id)
add_index(Recipient, "recipient_delivery", Recipient.delivery_id, Recipient.id)
add_index(Recipient, "recipient_address", Recipient.tenant_id, Recipient.address, Recipient.email_id)


class Attempt(Row):
    """One finished SMTP transaction. Inserted once, whole."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    email_id = IdField()
    delivery_id = IdField()
    server_id = IdField(null=True)
    worker_id = IdField()
    outcome = peewee.TextField()
    phase = peewee.TextField(null=True)
    code = peewee.SmallIntegerField(null=True)
    enhanced = peewee.TextField(null=True)
    reply = peewee.TextField(null=True)
    tls_version = peewee.TextField(null=True)
    ambiguous = peewee.BooleanField()
    accepted_count = peewee.IntegerField()
    refused_count = peewee.IntegerField()
    start_time = TimeField()
    end_time = TimeField()

    class Meta:
        table_name = "attempt"


add_index(Attempt, "attempt_email", Attempt.email_id, Attempt.id)


class Blob(Row):
    """Attachment bytes, once per tenant and content."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    sha256 = peewee.BlobField()
    size = peewee.IntegerField()
    content = peewee.BlobField()

    class Meta:
        table_name = "blob"
        indexes = ((("tenant_id", "sha256"), True),)


class Attachment(Row):
    """A file that travels with an email: a blob, or an address it is still to be fetched from."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    email_id = IdField()
    position = peewee.SmallIntegerField()
    name = peewee.TextField()
    content_type = peewee.TextField()
    content_id = peewee.TextField(null=True)
    url = peewee.TextField(null=True)
    blob_id = IdField(null=True)

    class Meta:
        table_name = "attachment"
        indexes = ((("email_id", "position"), True),)
