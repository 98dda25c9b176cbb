"""Who sends and through what: tenants, tokens, mail servers, members, suppressions, codes."""

from __future__ import annotations

import enum

import peewee

from postroom_server.store.models.base import IdField, JsonField, Row, TimeField

PLATFORM_TENANT = 0


class TenantState(enum.StrEnum):
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"


class MailServerState(enum.StrEnum):
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    PAUSED = "PAUSED"


class SuppressionReason(enum.StrEnum):
    MANUAL = "MANUAL"
    REFUSED = "REFUSED"  # an SMTP server said that there is no such address
    BOUNCED = "BOUNCED"  # a bounce said so
    UNSUBSCRIBED = "UNSUBSCRIBED"  # stops BATCH templates only
    COMPLAINED = "COMPLAINED"


class MembershipKind(enum.StrEnum):
    """What a member belongs to or holds; each kind has object keys of its own."""

    DEPT = "DEPT"
    GROUP = "GROUP"
    POLICY = "POLICY"
    TO_POLICY = "TO_POLICY"  # the operator's policies


class Tenant(Row):
    """A customer of this deployment. Tenant 0 is the platform itself."""

    id = IdField(primary_key=True)
    name = peewee.TextField(unique=True)
    state = peewee.TextField()
    sender_domains = JsonField()  # [] allows every domain
    review_mode = peewee.TextField()
    default_language = peewee.TextField()
    from_address = peewee.TextField(null=True)
    from_name = peewee.TextField(null=True)
    content_retention = peewee.BigIntegerField()  # milliseconds
    metadata_retention = peewee.BigIntegerField()
    limits = JsonField()
    create_time = TimeField()
    update_time = TimeField()

    class Meta:
        table_name = "tenant"


class Token(Row):
    """A caller's credential. The secret itself is not here, only its SHA-256."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    name = peewee.TextField()
    secret_hash = peewee.BlobField(unique=True)
    api_user = peewee.TextField(null=True, unique=True)  # dialect B signs in with a pair
    scopes = JsonField()
    test = peewee.BooleanField()
    user_id = IdField()
    calls_per_minute = peewee.IntegerField()  # 0: unlimited
    create_time = TimeField()
    expire_time = TimeField(null=True)
    revoke_time = TimeField(null=True)
    last_used_time = TimeField(null=True)

    class Meta:
        table_name = "token"
        indexes = ((("tenant_id", "id"), False),)


class MailServer(Row):
    """A next hop. The password is sealed (store/sealing.py)."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    name = peewee.TextField()
    host = peewee.TextField()
    port = peewee.IntegerField()
    tls_mode = peewee.TextField()
    auth_mechanism = peewee.TextField()
    username = peewee.TextField(null=True)
    sealed_password = peewee.BlobField(null=True)
    priority = peewee.IntegerField()
    weight = peewee.IntegerField()
    max_connections = peewee.IntegerField()
    messages_per_second = peewee.DoubleField(null=True)
    allowed_senders = JsonField()  # addresses and @domains; [] allows every sender
    from_address = peewee.TextField(null=True)
    from_name = peewee.TextField(null=True)
    subject_prefix = peewee.TextField(null=True)
    state = peewee.TextField()
    create_time = TimeField()
    update_time = TimeField()

    class Meta:
        table_name = "mail_server"
        indexes = ((("tenant_id", "name"), True),)


class Member(Row):
    """A person that an audience can name."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    user_id = IdField()
    address = peewee.TextField()
    language = peewee.TextField(null=True)
    enabled = peewee.BooleanField()
    attributes = JsonField()
    create_time = TimeField()
    update_time = TimeField()

    class Meta:
        table_name = "member"
        indexes = (
            (("tenant_id", "user_id"), True),
            (("tenant_id", "id"), False),
            (("tenant_id", "address", "user_id"), False),
            (("tenant_id", "update_time", "user_id"), False),
        )


class Membership(Row):
    """That a member belongs to a department or group, or holds a policy."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    kind = peewee.TextField()  # MembershipKind
    object_key = peewee.TextField()  # a decimal id without zeros in front, or a policy's code as it was given
    member_id = IdField()

    class Meta:
        table_name = "membership"
        indexes = ((("tenant_id", "kind", "object_key", "member_id"), True), (("member_id",), False))


class Suppression(Row):
    """An address that gets no mail from this tenant."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    address_key = peewee.TextField()  # what mail is compared with
    address = peewee.TextField(null=True)  # as it was listed; null once erased
    reason = peewee.TextField()
    email_id = IdField(null=True)
    note = peewee.TextField(null=True)
    create_time = TimeField()

    class Meta:
        table_name = "suppression"
        indexes = ((("tenant_id", "address_key"), True), (("tenant_id", "id"), False))


class Code(Row):
    """A verification code's nonce and limits; the code itself is derived, never stored."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    biz_key = peewee.TextField()
    address_key = peewee.TextField()
    email_id = IdField()
    delivery_id = IdField()
    nonce = peewee.BlobField()
    key_id = peewee.TextField()
    validity = peewee.BigIntegerField()  # milliseconds, counted from hand_over_time
    create_time = TimeField()
    hand_over_time = TimeField(null=True)
    consume_time = TimeField(null=True)

    class Meta:
        table_name = "code"
        indexes = (
            (("tenant_id", "biz_key", "address_key", "create_time"), False),
            (("tenant_id", "address_key", "create_time"), False),
            (("delivery_id",), False),
        )


class CodeGuess(Row):
    """How often an address was guessed wrong for one purpose."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    biz_key = peewee.TextField()
    address_key = peewee.TextField()
    wrong_count = peewee.IntegerField()
    window_start_time = TimeField()

    class Meta:
        table_name = "code_guess"
        indexes = ((("tenant_id", "biz_key", "address_key"), True),)
