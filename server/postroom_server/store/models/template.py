"""Templates: immutable versions, a variant per language, variables, and the keys bound to them."""

from __future__ import annotations

import enum

import peewee

from postroom_server.store.models.base import IdField, JsonField, Row, TimeField


class ReviewState(enum.StrEnum):
    NOT_SUBMITTED = "NOT_SUBMITTED"
    PENDING = "PENDING"
    REJECTED = "REJECTED"
    APPROVED = "APPROVED"


class TemplateKind(enum.StrEnum):
    TRIGGER = "TRIGGER"
    BATCH = "BATCH"


class Syntax(enum.StrEnum):
    PERCENT = "PERCENT"
    LIQUID = "LIQUID"


class Template(Row):
    """(tenant, invoke_name) and which of its versions are the newest and the one that is sent.

    Name and kind are the newest version's, kept here for lists.
    """

    id = IdField(primary_key=True)
    tenant_id = IdField()
    invoke_name = peewee.TextField()
    name = peewee.TextField()
    kind = peewee.TextField()
    latest_version_id = IdField()
    approved_version_id = IdField(null=True)
    create_time = TimeField()
    update_time = TimeField(null=True)  # null until the first update

    class Meta:
        table_name = "template"
        indexes = ((("tenant_id", "invoke_name"), True),)


class TemplateVersion(Row):
    """What a template said at one time. Only its review changes."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    template_id = IdField()
    number = peewee.IntegerField()
    name = peewee.TextField()
    kind = peewee.TextField()
    restored_number = peewee.IntegerField(null=True)
    syntax = peewee.TextField()
    default_language = peewee.TextField()
    samples = JsonField(null=True)
    validity = peewee.BigIntegerField(null=True)  # of a verification code, milliseconds
    author = peewee.TextField()
    create_time = TimeField()
    review_state = peewee.TextField()
    submit_time = TimeField(null=True)
    reviewer = peewee.TextField(null=True)
    review_time = TimeField(null=True)
    review_reason = peewee.TextField(null=True)

    class Meta:
        table_name = "template_version"
        indexes = ((("template_id", "number"), True),)


class TemplateVariant(Row):
    """A version in one language."""

    id = IdField(primary_key=True)
    version_id = IdField()
    position = peewee.SmallIntegerField()
    language = peewee.TextField()
    subject = peewee.TextField()
    html = peewee.TextField(null=True)
    text = peewee.TextField(null=True)

    class Meta:
        table_name = "template_variant"
        indexes = ((("version_id", "language"), True),)


class TemplateVariable(Row):
    """A name that a version takes."""

    id = IdField(primary_key=True)
    version_id = IdField()
    position = peewee.SmallIntegerField()
    name = peewee.TextField()
    type = peewee.TextField()
    required = peewee.BooleanField()
    declared = peewee.BooleanField()  # false: discovered in the content
    literal = peewee.BooleanField()
    raw = peewee.BooleanField()  # type: ignore[assignment] # hides Model.raw, which nobody needs here
    default_value = JsonField(null=True)

    class Meta:
        table_name = "template_variable"
        indexes = ((("version_id", "name"), True),)


class Binding(Row):
    """Which template a business key sends."""

    id = IdField(primary_key=True)
    tenant_id = IdField()
    biz_key = peewee.TextField()
    invoke_name = peewee.TextField()
    create_time = TimeField()

    class Meta:
        table_name = "binding"
        indexes = ((("tenant_id", "biz_key"), True),)
