"""The scope that each method needs. A method of the contract that is missing here stops a server at start.

The methods of unsubscribe links need none (`rpc/call.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from postroom_server.mail.caller import Scope

_TABLE: Mapping[str, Mapping[Scope, tuple[str, ...]]] = {
    "EmailService": {
        Scope.SEND: (
            "SendEmail",
            "BatchSendEmails",
            "BatchDeleteEmails",
            "CancelEmail",
            "RescheduleEmail",
            "RetryEmail",
            "ReleaseEmail",
            "ReportBounce",
        ),
        Scope.READ: ("GetEmail", "ListEmails", "ListRecipients", "ListEvents", "WatchEvents"),
        Scope.SERVER: ("SendTestEmail",),
        Scope.CODE: ("CheckVerificationCode",),
    },
    "TemplateService": {
        Scope.TEMPLATE: (
            "CreateTemplate",
            "GetTemplate",
            "ListTemplates",
            "UpdateTemplate",
            "DeleteTemplate",
            "SubmitTemplate",
            "WithdrawTemplate",
            "ListTemplateVersions",
            "RestoreTemplateVersion",
            "RenderTemplate",
            "Bind",
            "Unbind",
            "ListBindings",
        ),
        Scope.TEMPLATE_REVIEW: ("ApproveTemplate", "RejectTemplate"),
    },
    "MailServerService": {
        Scope.SERVER: (
            "CreateMailServer",
            "GetMailServer",
            "ListMailServers",
            "UpdateMailServer",
            "DeleteMailServer",
        ),
    },
    "DirectoryService": {
        Scope.DIRECTORY: ("BatchUpsertMembers", "ListMembers", "BatchDeleteMembers"),
    },
    "SuppressionService": {
        Scope.DIRECTORY: ("AddSuppressions", "ListSuppressions", "RemoveSuppressions"),
    },
    "TenantService": {
        Scope.PLATFORM: (
            "CreateTenant",
            "GetTenant",
            "ListTenants",
            "UpdateTenant",
            "CreateDkimKey",
            "ListDkimKeys",
            "DeleteDkimKey",
            "EraseAddress",
        ),
    },
    "TokenService": {
        Scope.ADMIN: ("CreateToken", "ListTokens", "RevokeToken"),
    },
}

SCOPES: Mapping[str, Scope] = {
    f"/postroom.v1.{service}/{method}": scope
    for service, by_scope in _TABLE.items()
    for scope, methods in by_scope.items()
    for method in methods
}
