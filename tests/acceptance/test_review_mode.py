"""Whether new template versions wait for a reviewer is a setting; a tenant's own word goes before it."""

from __future__ import annotations

import pytest

from postroom.v1 import template_pb2
from postroom_server.mail.caller import Scope
from serving import ACME, serving

TEMPLATE = template_pb2.Template(
    invoke_name="hello",
    name="Hello",
    kind=template_pb2.TEMPLATE_KIND_TRIGGER,
    content=template_pb2.TemplateContent(
        variants=[template_pb2.Variant(language="en", subject="Hi", text="Hello")]
    ),
)


@pytest.mark.parametrize(
    ("mode", "state", "outcome"),
    [
        ("auto", template_pb2.REVIEW_STATE_APPROVED, ""),
        ("manual", template_pb2.REVIEW_STATE_PENDING, "TEMPLATE_NOT_APPROVED"),
    ],
)
async def test_the_setting_decides_where_a_tenant_says_nothing(
    database: str, mode: str, state: int, outcome: str
) -> None:
    async with serving(database, review_mode=mode) as served:
        await served.add_server(ACME, from_address="noreply@acme.example")
        author = await served.token("author", ACME, {Scope.TEMPLATE, Scope.TEMPLATE_REVIEW, Scope.SEND})
        made = await served.call("TemplateService.CreateTemplate", author, template=TEMPLATE)
        assert made.message.template.review_state == state
        mail = {"to": ["ann@example.com"], "template": {"invoke_name": "hello"}}
        assert (await served.call("EmailService.SendEmail", author, **mail)).reason == outcome
        if outcome:
            await served.call("TemplateService.ApproveTemplate", author, invoke_name="hello", version=1)
            assert (await served.call("EmailService.SendEmail", author, **mail)).code == "OK"
