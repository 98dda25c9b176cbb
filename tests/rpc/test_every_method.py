"""Every method of the contract: who may call it, whose rows it touches, and that both transports agree.

The lists here are exact: a method that is added to the contract fails a test until it is placed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from postroom.v1 import (
    email_pb2,
    email_service_pb2,
    filter_pb2,
    mail_server_pb2,
    template_pb2,
    template_service_pb2,
    token_pb2,
)
from postroom_server.clock import Clock
from postroom_server.mail.caller import Scope
from postroom_server.store.models import ALL
from serving import ACME, METHODS, OTHER, WITHOUT_PLATFORM, Served, Told, served, serving

__all__ = ["served"]

# security.md E3, once more and by hand: the table of the server is not its own witness.
SCOPES = {
    Scope.SEND: """EmailService.SendEmail EmailService.BatchSendEmails EmailService.BatchDeleteEmails
        EmailService.CancelEmail EmailService.RescheduleEmail EmailService.RetryEmail
        EmailService.ReleaseEmail EmailService.ReportBounce""",
    Scope.READ: """EmailService.GetEmail EmailService.ListEmails EmailService.ListRecipients
        EmailService.ListEvents EmailService.WatchEvents""",
    Scope.CODE: "EmailService.CheckVerificationCode",
    Scope.SERVER: """EmailService.SendTestEmail MailServerService.CreateMailServer
        MailServerService.GetMailServer MailServerService.ListMailServers
        MailServerService.UpdateMailServer MailServerService.DeleteMailServer""",
    Scope.TEMPLATE: """TemplateService.CreateTemplate TemplateService.GetTemplate
        TemplateService.ListTemplates TemplateService.UpdateTemplate TemplateService.DeleteTemplate
        TemplateService.SubmitTemplate TemplateService.WithdrawTemplate
        TemplateService.ListTemplateVersions TemplateService.RestoreTemplateVersion
        TemplateService.RenderTemplate TemplateService.Bind TemplateService.Unbind
        TemplateService.ListBindings""",
    Scope.TEMPLATE_REVIEW: "TemplateService.ApproveTemplate TemplateService.RejectTemplate",
    Scope.DIRECTORY: """DirectoryService.BatchUpsertMembers DirectoryService.ListMembers
        DirectoryService.BatchDeleteMembers SuppressionService.AddSuppressions
        SuppressionService.ListSuppressions SuppressionService.RemoveSuppressions""",
    Scope.PLATFORM: """TenantService.CreateTenant TenantService.GetTenant TenantService.ListTenants
        TenantService.UpdateTenant TenantService.CreateDkimKey TenantService.ListDkimKeys
        TenantService.DeleteDkimKey TenantService.EraseAddress""",
    Scope.ADMIN: "TokenService.CreateToken TokenService.ListTokens TokenService.RevokeToken",
}
NEEDED = {method: scope for scope, methods in SCOPES.items() for method in methods.split()}

UNSERVED = {
    "EmailService.RetryEmail",
    "EmailService.ReleaseEmail",
    "EmailService.ReportBounce",
    "TenantService.CreateDkimKey",
    "TenantService.ListDkimKeys",
    "TenantService.DeleteDkimKey",
    "TenantService.EraseAddress",
    "DirectoryService.BatchUpsertMembers",
    "DirectoryService.ListMembers",
    "DirectoryService.BatchDeleteMembers",
    "SuppressionService.AddSuppressions",
    "SuppressionService.ListSuppressions",
    "SuppressionService.RemoveSuppressions",
}
# What ends at once whatever is stored: a watch would wait for events.
HARMLESS: dict[str, dict[str, Any]] = {"EmailService.WatchEvents": {"cursor": "none of ours"}}


def from_somewhere(number: int) -> tuple[tuple[str, str], ...]:
    """A client address of its own: who guesses tokens too often waits (E7)."""
    return (("x-postroom-client-address", f"192.0.2.{number}"),)


def test_every_method_of_the_contract_is_placed() -> None:
    assert set(NEEDED) == set(METHODS)
    assert len(METHODS) == 52


async def test_every_method_asks_for_a_token(served: Served) -> None:
    for number, method in enumerate(METHODS):
        for channel in (served.local, served.socket):
            told = await served.call(method, None, channel=channel)
            assert (told.code, told.reason) == ("UNAUTHENTICATED", "TOKEN_MISSING"), method
        for wrong in ("guess", "pr_" + "A" * 43):
            told = await served.call(method, wrong, metadata=from_somewhere(number))
            assert (told.code, told.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID"), method


@pytest.mark.parametrize("scope", list(SCOPES))
async def test_e3_a_method_needs_its_scope_and_no_other(served: Served, scope: Scope) -> None:
    others = await served.token("others", ACME, frozenset(Scope) - {scope})
    only = await served.token("only", ACME, {scope})
    for method in SCOPES[scope].split():
        fields = HARMLESS.get(method, {})
        told = await served.call(method, others, **fields)
        assert (told.code, told.reason) == ("PERMISSION_DENIED", "SCOPE_MISSING"), method
        assert told.metadata == (("scope", scope.value),)
        told = await served.call(method, only, **fields)
        assert told.code not in ("UNAUTHENTICATED", "PERMISSION_DENIED", "INTERNAL"), (method, told)


async def test_exactly_these_methods_are_not_served_yet(served: Served) -> None:
    everything = await served.token("everything", 0, Scope)
    unserved = set()
    for method in METHODS:
        told = await served.call(method, everything, **HARMLESS.get(method, {}))
        assert (told.code == "UNIMPLEMENTED") is (told.reason == "UNIMPLEMENTED")
        if told.code == "UNIMPLEMENTED":
            unserved.add(method)
    assert unserved == UNSERVED


# E2, E4: two tenants. Everything of ACME is asked for by OTHER.


@dataclasses.dataclass
class Neighbours:
    served: Served
    mine: str  # a token of ACME, whose rows these are
    theirs: str  # a token of OTHER, which may do everything but name another tenant
    email_id: int = 0
    recipient_ids: tuple[int, ...] = ()
    server_id: int = 0
    token_id: int = 0
    cursor: str = ""
    words: tuple[str, ...] = ()

    async def rows(self) -> dict[str, list[Any]]:
        """Every row of ACME, whole."""
        return await self.served.store.read(_rows_of, ACME)


def _rows_of(tenant_id: int) -> dict[str, list[Any]]:
    return {
        model._meta.table_name: sorted(repr(row) for row in model.select().where(model.tenant_id == tenant_id).tuples())
        for model in ALL
        if "tenant_id" in model._meta.fields and model._meta.table_name != "token"
    }  # fmt: skip


def template_of(subject: str) -> template_pb2.Template:
    variant = template_pb2.Variant(language="en", subject=subject, html="<p>%name%</p>")
    return template_pb2.Template(
        invoke_name="acme-secret",
        name="n",
        kind=template_pb2.TEMPLATE_KIND_TRIGGER,
        content=template_pb2.TemplateContent(default_language="en", variants=[variant]),
    )


CUSTOM = email_service_pb2.CustomBody(text="Hello")


def in_an_hour() -> Timestamp:
    return Timestamp(seconds=Clock().now() // 1000 + 3600)


@pytest.fixture
async def neighbours(database: str) -> AsyncIterator[Neighbours]:
    async with serving(database) as served:
        made = Neighbours(
            served, await served.token("mine", ACME), await served.token("theirs", OTHER, WITHOUT_PLATFORM)
        )
        made.server_id = await served.add_server(ACME, "acme-line", from_address="acme@acme.example")
        await served.add_server(OTHER, "other-line", from_address="other@other.example")
        template = template_of("Acme %name%")
        for method, fields in (
            ("TemplateService.CreateTemplate", {"template": template}),
            ("TemplateService.Bind", {"biz_key": "ACME_KEY", "invoke_name": "acme-secret"}),
        ):
            (await served.call(method, made.mine, **fields)).message
        sent = await served.call(
            "EmailService.SendEmail",
            made.mine,
            to=["acme-reader@example.com"],
            subject="acme-subject",
            custom=CUSTOM,
            schedule_time=in_an_hour(),
        )
        made.email_id = sent.message.id
        listed = await served.call("EmailService.ListRecipients", made.mine, email_id=made.email_id)
        made.recipient_ids = tuple(row.id for row in listed.message.recipients)
        events = await served.call("EmailService.ListEvents", made.mine)
        assert len(events.message.events) == 1
        made.cursor = events.message.next_cursor
        tokens = await served.call("TokenService.ListTokens", made.mine)
        (made.token_id,) = (row.id for row in tokens.message.tokens)
        made.words = (
            "acme-secret", "acme-reader", "acme-subject", "ACME_KEY", "acme-line", "acme.example",
            str(made.email_id), str(made.server_id), str(made.token_id),
        )  # fmt: skip
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
}  # fmt: skip
# What names nobody's row: it makes one.
MAKERS: dict[str, Asked] = {
    "TemplateService.CreateTemplate": lambda _: {
        "template": template_of("Other"),
    },
    "MailServerService.CreateMailServer": lambda _: {
        "mail_server": mail_server_pb2.MailServer(name="acme-line", host="smtp.example.com"),
    },
    "TokenService.CreateToken": lambda _: {
        "token": token_pb2.Token(name="mine", scopes=[token_pb2.TOKEN_SCOPE_SEND]),
    },
}
NEEDS_PLATFORM = set(SCOPES[Scope.PLATFORM].split())


def test_e2_every_method_is_placed() -> None:
    placed = [set(NOT_FOUND), set(SILENT), set(MAKERS), NEEDS_PLATFORM, UNSERVED - NEEDS_PLATFORM]
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
        nobody = dataclasses.replace(neighbours, email_id=4711, server_id=4711, token_id=4711)
        unknown = await neighbours.served.call(method, neighbours.theirs, **asked(nobody))
        assert _without_numbers(foreign) == _without_numbers(unknown), method


def _without_numbers(told: Told) -> tuple[Any, ...]:
    names = [name for name, _ in told.metadata]
    return told.code, told.reason, re.sub(r"\d+", "n", told.details), names, told.fields


async def test_e2_lists_know_nothing_of_other_tenants(neighbours: Neighbours) -> None:
    before = await neighbours.rows()
    served, theirs = neighbours.served, neighbours.theirs
    await _send_as(neighbours, theirs)
    for method, asked in SILENT.items():
        told = await served.call(method, theirs, **asked(neighbours))
        assert told.code == "OK", (method, told)
        text = "".join(map(str, told.messages)).replace("there is no template acme-secret", "")
        text = text.replace('value: "acme-secret"', "")
        assert not [word for word in neighbours.words if word in text], (method, text)
    deleted = await served.call("EmailService.BatchDeleteEmails", theirs, ids=[neighbours.email_id])
    assert deleted.message.deleted_count == 0
    assert await neighbours.rows() == before


async def _send_as(neighbours: Neighbours, secret: str) -> int:
    told = await neighbours.served.call(
        "EmailService.SendEmail",
        secret,
        to=["other-reader@example.com"],
        subject="s",
        custom=CUSTOM,
        schedule_time=in_an_hour(),
    )
    return int(told.message.id)


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
    email_id = await _send_as(neighbours, neighbours.theirs)
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
        method for method, described in METHODS.items() if "tenant_id" not in described.input_type.fields_by_name
    }  # fmt: skip
    # The platform's own, by the tenant's id; and a batch, whose items name it.
    assert without == {
        "EmailService.BatchSendEmails",
        "TenantService.CreateTenant",
        "TenantService.GetTenant",
        "TenantService.ListTenants",
        "TenantService.UpdateTenant",
    }


# LocalChannel and socket.


async def both(served: Served, *args: Any, **kwargs: Any) -> Told:
    local = await served.call(*args, **kwargs)
    socket = await served.call(*args, **kwargs, channel=served.socket)
    assert local == socket, (args, local, socket)
    return local


def filled(method: str) -> Message:
    """A request with something in every field, most of it wrong."""
    request = GetMessageClass(METHODS[method].input_type)()
    for field in request.DESCRIPTOR.fields:
        if field.is_repeated or field.type == field.TYPE_MESSAGE:
            continue
        if field.containing_oneof is not None and field.containing_oneof.name == "source":
            continue
        value: Any = {field.CPPTYPE_STRING: "字 nothing", field.CPPTYPE_BOOL: True}.get(field.cpp_type, 77)
        setattr(request, field.name, 1 if field.type == field.TYPE_ENUM else value)
    if METHODS[method].input_type.fields_by_name.get("tenant_id") is not None:
        request.ClearField("tenant_id")  # type: ignore[arg-type]
    return request


async def test_every_method_behaves_alike_over_both_transports(neighbours: Neighbours) -> None:
    served = neighbours.served
    reader = await served.token("reader", ACME, {Scope.READ})
    for number, method in enumerate(METHODS):
        await both(served, method, None)
        # Over a socket nobody is believed who says where a client is; one wrong token each is borne.
        for secret in (reader, neighbours.theirs):
            for request in (None, filled(method)):
                if method == "EmailService.WatchEvents" and request is None:
                    request = email_service_pb2.WatchEventsRequest(cursor="none of ours")
                told = await both(served, method, secret, request)
                assert told.code != "INTERNAL", (method, told)
        if number % 4 == 0:
            told = await both(served, method, f"guess {number}")
            assert (told.code, told.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID")


async def test_f3_garbage_is_internal_on_both_transports(neighbours: Neighbours) -> None:
    for method in METHODS:
        secret = neighbours.theirs if NEEDED[method] is not Scope.PLATFORM else None
        answers = [
            await neighbours.served.raw(method, secret, b"\xff\xff\xff", channel=channel)
            for channel in (neighbours.served.local, neighbours.served.socket)
        ]
        assert answers[0] == answers[1], method
        expected = "UNAUTHENTICATED" if secret is None else "INTERNAL"
        assert answers[0].code == expected, (method, answers[0])


async def test_what_is_read_is_the_same_over_both_transports(neighbours: Neighbours) -> None:
    served, mine = neighbours.served, neighbours.mine
    for method, fields in (
        ("EmailService.GetEmail", {"id": neighbours.email_id, "view": email_pb2.EMAIL_VIEW_DETAIL}),
        ("EmailService.ListEmails", {}),
        ("EmailService.ListRecipients", {"email_id": neighbours.email_id}),
        ("EmailService.ListEvents", {}),
        ("TemplateService.GetTemplate", {"invoke_name": "acme-secret"}),
        ("TemplateService.ListTemplates", {}),
        ("TemplateService.ListTemplateVersions", {"invoke_name": "acme-secret"}),
        ("TemplateService.ListBindings", {}),
        ("MailServerService.GetMailServer", {"id": neighbours.server_id}),
        ("MailServerService.ListMailServers", {}),
    ):
        told = await both(served, method, mine, **fields)
        assert told.message.ByteSize() > 0, method


async def test_streams_are_the_same_over_both_transports(neighbours: Neighbours) -> None:
    for _ in range(3):
        await _send_as(neighbours, neighbours.mine)
    told = await both(neighbours.served, "EmailService.WatchEvents", neighbours.mine, most=4)
    assert len(told.messages) == 4
    cut = told.messages[1].event.cursor  # type: ignore[attr-defined]
    again = await both(neighbours.served, "EmailService.WatchEvents", neighbours.mine, cursor=cut, most=2)
    assert again.messages == told.messages[2:]


async def test_sends_are_the_same_over_both_transports(neighbours: Neighbours) -> None:
    served, mine = neighbours.served, neighbours.mine
    fields: dict[str, Any] = {"to": ["x@example.com"], "subject": "s", "custom": CUSTOM, "request_id": "one"}
    first = (await served.call("EmailService.SendEmail", mine, **fields)).message.id
    told = await both(served, "EmailService.SendEmail", mine, **fields)
    assert (told.message.id, told.message.replayed) == (first, True)
    told = await both(served, "EmailService.SendEmail", mine, **{**fields, "subject": "other"})
    assert (told.code, told.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_MISMATCH")
    told = await both(served, "EmailService.SendEmail", mine, **{**fields, "validate_only": True})
    assert b"\r\nTo: x@example.com\r\n" in told.message.preview.copies[0].message
    item = email_service_pb2.SendEmailRequest(**fields)
    wrong = email_service_pb2.SendEmailRequest(to=["bad"], reply_to=["bad"])
    told = await both(served, "EmailService.BatchSendEmails", mine, items=[item, wrong, item])
    assert [result.WhichOneof("result") for result in told.message.results] == ["accepted", "refusal", "accepted"]


async def test_of_many_equal_calls_over_both_transports_one_stores(neighbours: Neighbours) -> None:
    fields: dict[str, Any] = {"to": ["x@example.com"], "subject": "s", "custom": CUSTOM, "request_id": "r"}
    served = neighbours.served
    answers = await asyncio.gather(
        *(
            served.call("EmailService.SendEmail", neighbours.mine, channel=channel, **fields)
            for channel in (served.local, served.socket) * 25
        )
    )
    assert len({answer.message.id for answer in answers}) == 1
    assert sum(not answer.message.replayed for answer in answers) == 1
