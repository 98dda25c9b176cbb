"""Two tenants on one server, and what each method of the contract needs (security.md E2, E3, E4)."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from postroom.v1 import email_service_pb2, member_pb2, suppression_pb2, template_pb2
from postroom_server.clock import Clock
from postroom_server.mail.caller import Scope
from postroom_server.store.models import ALL
from serving import ACME, OTHER, WITHOUT_PLATFORM, Served, serving

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
# A link out of a mail entitles to these, and no token.
BY_LINK = {"SuppressionService.DescribeUnsubscription", "SuppressionService.Unsubscribe"}

UNSERVED = {
    "TenantService.CreateDkimKey",
    "TenantService.ListDkimKeys",
    "TenantService.DeleteDkimKey",
    "TenantService.EraseAddress",
}


@dataclasses.dataclass
class Neighbours:
    served: Served
    mine: str  # a token of ACME, whose rows these are
    theirs: str  # a token of OTHER, which may do everything but name another tenant
    email_id: int = 0
    recipient_ids: tuple[int, ...] = ()
    delivery_id: int = 0
    server_id: int = 0
    token_id: int = 0
    cursor: str = ""
    words: tuple[str, ...] = ()

    async def rows(self) -> dict[str, list[Any]]:
        """Every row of ACME, whole."""
        return await self.served.store.read(_rows_of, ACME)


def _rows_of(tenant_id: int) -> dict[str, list[Any]]:
    return {
        model._meta.table_name: sorted(
            repr(row) for row in model.select().where(model.tenant_id == tenant_id).tuples()
        )
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
MEMBERS = {
    "members": [
        member_pb2.Member(user_id=7007, address="acme-member@example.com", policy_codes=["acme-policy"])
    ]
}
BLOCKED = {"suppressions": [suppression_pb2.Suppression(address="acme-blocked@example.com")]}


def in_an_hour() -> Timestamp:
    return Timestamp(seconds=Clock().now() // 1000 + 3600)


@contextlib.asynccontextmanager
async def neighbouring(database: str) -> AsyncIterator[Neighbours]:
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
            ("SuppressionService.AddSuppressions", BLOCKED),
            ("DirectoryService.BatchUpsertMembers", MEMBERS),
        ):
            assert (await served.call(method, made.mine, **fields)).code == "OK"
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
        (made.delivery_id,) = {row.delivery_id for row in listed.message.recipients}
        events = await served.call("EmailService.ListEvents", made.mine)
        assert len(events.message.events) == 1
        made.cursor = events.message.next_cursor
        tokens = await served.call("TokenService.ListTokens", made.mine)
        (made.token_id,) = (row.id for row in tokens.message.tokens)
        made.words = (
            "acme-secret", "acme-reader", "acme-blocked", "acme-subject", "ACME_KEY", "acme-line",
            "acme-member", "acme-policy", "acme.example",
            str(made.email_id), str(made.server_id), str(made.token_id),
        )  # fmt: skip
        yield made


async def send_as(neighbours: Neighbours, secret: str) -> int:
    told = await neighbours.served.call(
        "EmailService.SendEmail",
        secret,
        to=["other-reader@example.com"],
        subject="s",
        custom=CUSTOM,
        schedule_time=in_an_hour(),
    )
    return int(told.message.id)
