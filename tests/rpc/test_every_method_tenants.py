"""Every method of the contract with two tenants: everything of ACME is asked for by OTHER (E2, E3, E4)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from neighbours import (
    BLOCKED,
    BY_LINK,
    MEMBERS,
    SCOPES,
    UNSERVED,
    Neighbours,
    in_an_hour,
    neighbouring,
    send_as,
    template_of,
)
from postroom.v1 import (
    email_service_pb2,
    filter_pb2,
    mail_server_pb2,
    template_pb2,
    template_service_pb2,
    token_pb2,
)
from postroom_server.mail.caller import Scope
from serving import ACME, METHODS, Told


@pytest.fixture
async def neighbours(database: str) -> AsyncIterator[Neighbours]:
    async with neighbouring(database) as made:
        yield made


Asked = Callable[[Neighbours], dict[str, Any]]
EMPTY: Asked = lambda _: {}  # noqa: E731
BY_NAME: Asked = lambda _: {"invoke_name": "acme-secret"}  # noqa: E731
BY_EMAIL: Asked = lambda n: {"id": n.email_id}  # noqa: E731
BY_SERVER: Asked = lambda n: {"id": n.server_id}  # noqa: E731
SEND: Asked = lambda _: {  # noqa: E731
    "to": ["x@example.com"],
    "template": email_service_pb2.TemplateBody(invoke_name="acme-secret"),
}
NOT_FOUND = {
    "EmailService.SendEmail": (SEND, "TEMPLATE_NOT_FOUND"),
    "EmailService.GetEmail": (BY_EMAIL, "EMAIL_NOT_FOUND"),
    "EmailService.ListRecipients": (lambda n: {"email_id": n.email_id}, "EMAIL_NOT_FOUND"),
    "EmailService.CancelEmail": (BY_EMAIL, "EMAIL_NOT_FOUND"),
    "EmailService.RescheduleEmail": (
        lambda n: {"id": n.email_id, "schedule_time": in_an_hour()},
        "EMAIL_NOT_FOUND",
    ),
    "EmailService.RetryEmail": (BY_EMAIL, "EMAIL_NOT_FOUND"),
    "EmailService.ReleaseEmail": (BY_EMAIL, "EMAIL_NOT_FOUND"),
    "EmailService.ReportBounce": (lambda n: {"delivery_id": n.delivery_id}, "DELIVERY_NOT_FOUND"),
    "SuppressionService.RemoveSuppressions": (
        lambda _: {"addresses": ["acme-blocked@example.com"]},
        "SUPPRESSION_NOT_FOUND",
    ),
    "DirectoryService.BatchDeleteMembers": (lambda _: {"user_ids": [7007]}, "MEMBER_NOT_FOUND"),
    "EmailService.SendTestEmail": (
        lambda n: {"server_id": n.server_id, "to": ["x@example.com"]},
        "MAIL_SERVER_NOT_FOUND",
    ),
    "TemplateService.GetTemplate": (BY_NAME, "TEMPLATE_NOT_FOUND"),
    "TemplateService.UpdateTemplate": (
        lambda _: {
            "template": template_pb2.Template(invoke_name="acme-secret", name="stolen"),
            "update_mask": {"paths": ["name"]},
        },
        "TEMPLATE_NOT_FOUND",
    ),
    "TemplateService.DeleteTemplate": (BY_NAME, "TEMPLATE_NOT_FOUND"),
    "TemplateService.SubmitTemplate": (BY_NAME, "TEMPLATE_NOT_FOUND"),
    "TemplateService.WithdrawTemplate": (BY_NAME, "TEMPLATE_NOT_FOUND"),
    "TemplateService.ApproveTemplate": (BY_NAME, "TEMPLATE_NOT_FOUND"),
    "TemplateService.RejectTemplate": (
        lambda _: {"invoke_name": "acme-secret", "reason": "r"},
        "TEMPLATE_NOT_FOUND",
    ),
    "TemplateService.ListTemplateVersions": (BY_NAME, "TEMPLATE_NOT_FOUND"),
    "TemplateService.RestoreTemplateVersion": (
        lambda _: {"invoke_name": "acme-secret", "version": 1},
        "TEMPLATE_NOT_FOUND",
    ),
    "TemplateService.RenderTemplate": (
        lambda _: {"stored": template_service_pb2.StoredTemplate(invoke_name="acme-secret")},
        "TEMPLATE_NOT_FOUND",
    ),
    "TemplateService.Bind": (
        lambda _: {"biz_key": "MINE", "invoke_name": "acme-secret"},
        "TEMPLATE_NOT_FOUND",
    ),
    "TemplateService.Unbind": (lambda _: {"biz_key": "ACME_KEY"}, "BINDING_NOT_FOUND"),
    "MailServerService.GetMailServer": (BY_SERVER, "MAIL_SERVER_NOT_FOUND"),
    "MailServerService.UpdateMailServer": (
        lambda n: {
            "mail_server": mail_server_pb2.MailServer(id=n.server_id, name="stolen"),
            "update_mask": {"paths": ["name"]},
        },
        "MAIL_SERVER_NOT_FOUND",
    ),
    "MailServerService.DeleteMailServer": (BY_SERVER, "MAIL_SERVER_NOT_FOUND"),
    "TokenService.RevokeToken": (lambda n: {"id": n.token_id}, "TOKEN_NOT_FOUND"),
}  # fmt: skip
# What answers OK, and must not know anything of ACME.
SILENT: dict[str, Asked] = {
    "EmailService.BatchSendEmails": lambda n: {"items": [email_service_pb2.SendEmailRequest(**SEND(n))]},
    "EmailService.ListEmails": EMPTY,
    "EmailService.BatchDeleteEmails": lambda n: {"ids": [n.email_id]},
    "EmailService.ListEvents": EMPTY,
    "EmailService.WatchEvents": EMPTY,
    "EmailService.CheckVerificationCode": lambda _: {
        "biz_key": "ACME_KEY", "address": "x@example.com", "code": "000000",
    },
    "TemplateService.ListTemplates": lambda _: {"include_platform": True},
    "TemplateService.ListBindings": lambda _: {"include_platform": True},
    "MailServerService.ListMailServers": EMPTY,
    "TokenService.ListTokens": EMPTY,
    "SuppressionService.ListSuppressions": EMPTY,
    "DirectoryService.ListMembers": EMPTY,
}  # fmt: skip
# What names nobody's row: it makes one.
MAKERS: dict[str, Asked] = {
    "TemplateService.CreateTemplate": lambda _: {
        "template": template_of("Other"),
    },
    "MailServerService.CreateMailServer": lambda _: {
        "mail_server": mail_server_pb2.MailServer(name="acme-line", host="smtp.example.com"),
    },
    "SuppressionService.AddSuppressions": lambda _: BLOCKED,
    "DirectoryService.BatchUpsertMembers": lambda _: MEMBERS,
    "TokenService.CreateToken": lambda _: {
        "token": token_pb2.Token(name="mine", scopes=[token_pb2.TOKEN_SCOPE_SEND]),
    },
}
NEEDS_PLATFORM = set(SCOPES[Scope.PLATFORM].split())


def test_e2_every_method_is_placed() -> None:
    # Those of links take no caller: whose row it is, the link says (tests/rpc/test_unsubscribing.py).
    placed = [set(NOT_FOUND), set(SILENT), set(MAKERS), NEEDS_PLATFORM, UNSERVED - NEEDS_PLATFORM, BY_LINK]
    assert sum(map(len, placed)) == len(METHODS)
    assert set.union(*placed) == set(METHODS)


async def test_e2_foreign_ids_and_names_are_not_found(neighbours: Neighbours) -> None:
    before = await neighbours.rows()
    for method, (asked, reason) in NOT_FOUND.items():
        told = await neighbours.served.call(method, neighbours.theirs, **asked(neighbours))
        assert (told.code, told.reason) == ("NOT_FOUND", reason), (method, told)
    assert await neighbours.rows() == before


async def test_e2_a_foreign_id_is_told_apart_from_no_id_by_nothing(neighbours: Neighbours) -> None:
    for method, (asked, _) in NOT_FOUND.items():
        foreign = await neighbours.served.call(method, neighbours.theirs, **asked(neighbours))
        nobody = dataclasses.replace(
            neighbours, email_id=4711, delivery_id=4711, server_id=4711, token_id=4711
        )
        unknown = await neighbours.served.call(method, neighbours.theirs, **asked(nobody))
        assert _without_numbers(foreign) == _without_numbers(unknown), method


def _without_numbers(told: Told) -> tuple[Any, ...]:
    names = [name for name, _ in told.metadata]
    return told.code, told.reason, re.sub(r"\d+", "n", told.details), names, told.fields


async def test_e2_lists_know_nothing_of_other_tenants(neighbours: Neighbours) -> None:
    before = await neighbours.rows()
    served, theirs = neighbours.served, neighbours.theirs
    await send_as(neighbours, theirs)
    for method, asked in SILENT.items():
        told = await served.call(method, theirs, **asked(neighbours))
        assert told.code == "OK", (method, told)
        text = "".join(map(str, told.messages)).replace("there is no template acme-secret", "")
        text = text.replace('value: "acme-secret"', "")
        assert not [word for word in neighbours.words if word in text], (method, text)
    deleted = await served.call("EmailService.BatchDeleteEmails", theirs, ids=[neighbours.email_id])
    assert deleted.message.deleted_count == 0
    assert await neighbours.rows() == before


async def test_e2_filters_do_not_reach_other_tenants(neighbours: Neighbours) -> None:
    for field, value in (
        ("id", str(neighbours.email_id)),
        ("recipient_address", "acme-reader@example.com"),
        ("tenant_id", str(ACME)),
    ):
        wanted = filter_pb2.Filter(field=field, operator=filter_pb2.FILTER_OPERATOR_EQUAL, values=[value])
        fields = {"filters": [wanted], "count": filter_pb2.COUNT_EXACT}
        told = await neighbours.served.call("EmailService.ListEmails", neighbours.theirs, **fields)
        assert (len(told.message.emails), told.message.total_size) == (0, 0), field
        told = await neighbours.served.call("EmailService.ListEmails", neighbours.mine, **fields)
        assert [email.id for email in told.message.emails] == [neighbours.email_id], field


async def test_e2_a_cursor_of_another_tenant_is_a_place_and_no_key(neighbours: Neighbours) -> None:
    email_id = await send_as(neighbours, neighbours.theirs)
    await neighbours.served.call("EmailService.CancelEmail", neighbours.mine, id=neighbours.email_id)
    for method in ("EmailService.ListEvents", "EmailService.WatchEvents"):
        told = await neighbours.served.call(method, neighbours.theirs, cursor=neighbours.cursor)
        events = (
            [message.event for message in told.messages]
            if method == "EmailService.WatchEvents"
            else told.message.events
        )
        assert {event.email_id for event in events} == {email_id}, method


async def test_e2_names_are_each_tenants_own(neighbours: Neighbours) -> None:
    before = await neighbours.rows()
    for method, asked in MAKERS.items():
        told = await neighbours.served.call(method, neighbours.theirs, **asked(neighbours))
        assert told.code == "OK", (method, told)
    assert await neighbours.rows() == before


async def test_e3_the_platforms_methods_are_the_platforms(neighbours: Neighbours) -> None:
    for method in NEEDS_PLATFORM:
        told = await neighbours.served.call(method, neighbours.theirs)
        assert (told.code, told.reason) == ("PERMISSION_DENIED", "SCOPE_MISSING"), method


def named(method: str, asked: dict[str, Any], tenant_id: int) -> dict[str, Any]:
    if method != "EmailService.BatchSendEmails":
        return {**asked, "tenant_id": tenant_id}
    for item in asked["items"]:
        item.tenant_id = tenant_id
    return asked


def placed() -> dict[str, Asked]:
    return {**{method: asked for method, (asked, _) in NOT_FOUND.items()}, **SILENT, **MAKERS}


async def test_e4_naming_another_tenant_is_forbidden(neighbours: Neighbours) -> None:
    before = await neighbours.rows()
    for method, asked in placed().items():
        for tenant_id in (ACME, 0, 99):
            fields = named(method, asked(neighbours), tenant_id)
            told = await neighbours.served.call(method, neighbours.theirs, **fields)
            if method == "EmailService.BatchSendEmails":
                (result,) = told.message.results
                outcome = (result.refusal.code, result.refusal.reason)
                assert outcome == ("PERMISSION_DENIED", FORBIDDEN), told
            else:
                assert (told.code, told.reason) == ("PERMISSION_DENIED", "TENANT_FORBIDDEN"), (method, told)
    assert await neighbours.rows() == before


FORBIDDEN = email_service_pb2.BatchSendEmailsResult().refusal.DESCRIPTOR.fields_by_name[
    "reason"
].enum_type.values_by_name["ERROR_REASON_TENANT_FORBIDDEN"].number  # fmt: skip


async def test_e4_the_platform_may_name_a_tenant_and_acts_as_it(neighbours: Neighbours) -> None:
    platform = await neighbours.served.token("platform", 0, Scope)
    told = await neighbours.served.call(
        "EmailService.GetEmail", platform, id=neighbours.email_id, tenant_id=ACME
    )
    assert told.message.email.tenant_id == ACME
    told = await neighbours.served.call("EmailService.GetEmail", platform, id=neighbours.email_id)
    assert told.reason == "EMAIL_NOT_FOUND"
    told = await neighbours.served.call("TokenService.ListTokens", platform, tenant_id=ACME)
    assert [row.id for row in told.message.tokens] == [neighbours.token_id]


def test_e4_every_request_of_a_tenant_can_name_it() -> None:
    without = {
        method
        for method, described in METHODS.items()
        if "tenant_id" not in described.input_type.fields_by_name
    }  # fmt: skip
    # The platform's own, by the tenant's id; a batch, whose items name it; and links, which are a tenant's.
    assert without == BY_LINK | {
        "EmailService.BatchSendEmails",
        "TenantService.CreateTenant",
        "TenantService.GetTenant",
        "TenantService.ListTenants",
        "TenantService.UpdateTenant",
    }
