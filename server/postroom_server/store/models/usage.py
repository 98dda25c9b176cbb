"""What templates are called with: shapes of parameters without their values, and who sends them."""

from __future__ import annotations

import peewee

from postroom_server.store.models.base import IdField, JsonField, Row, TimeField


class TemplateCall(Row):
    """A kind of call that a template was sent with. `digest` stands for all of the following but the time."""

    template_id = IdField()
    digest = peewee.TextField()
    language = peewee.TextField()  # as asked for, or the tenant's
    circumstances = peewee.SmallIntegerField()  # mail/template_usage.py
    shape = JsonField()  # mail/call_shape.py
    partial = peewee.BooleanField()
    seen_time = TimeField()  # to within a day

    class Meta:
        table_name = "template_call"
        primary_key = peewee.CompositeKey("template_id", "digest")
        indexes = ((("seen_time",), False),)


class TemplateCaller(Row):
    """A token that makes such calls, and some of the labels that it gives them."""

    template_id = IdField()
    digest = peewee.TextField()
    token_id = IdField()
    tenant_id = IdField()  # whose mail it is
    name = peewee.TextField()  # the token's
    labels = JsonField()  # a list of objects
    seen_time = TimeField()  # to within a day

    class Meta:
        table_name = "template_caller"
        primary_key = peewee.CompositeKey("template_id", "digest", "token_id")
        indexes = ((("seen_time",), False),)
