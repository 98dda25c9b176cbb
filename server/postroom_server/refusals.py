"""Refusals: what the product says no with, typed and with a reason that machines can read.

A refusal is expected. Everything else that is raised is a bug and reaches callers as INTERNAL without text.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from datetime import timedelta


class Code(enum.StrEnum):
    """Canonical status codes, by the names of google.rpc.Code."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    INTERNAL = "INTERNAL"
    UNAVAILABLE = "UNAVAILABLE"
    UNAUTHENTICATED = "UNAUTHENTICATED"


class Reason(enum.StrEnum):
    """Why, in one word. The contract's ErrorReason lists the same words with their meaning."""

    INVALID_FIELD = "INVALID_FIELD"
    NO_RECIPIENTS = "NO_RECIPIENTS"
    BIZ_KEY_REQUIRED = "BIZ_KEY_REQUIRED"
    SENDER_NOT_ALLOWED = "SENDER_NOT_ALLOWED"
    TEMPLATE_VARIABLE_INVALID = "TEMPLATE_VARIABLE_INVALID"
    TEMPLATE_CONTENT_INVALID = "TEMPLATE_CONTENT_INVALID"
    UNSAFE_CONTENT = "UNSAFE_CONTENT"
    ATTACHMENT_REFUSED = "ATTACHMENT_REFUSED"
    INVALID_PAGE_TOKEN = "INVALID_PAGE_TOKEN"
    INVALID_CURSOR = "INVALID_CURSOR"
    UNSUPPORTED_FILTER = "UNSUPPORTED_FILTER"
    UNSUPPORTED_ORDER_BY = "UNSUPPORTED_ORDER_BY"

    EMAIL_NOT_FOUND = "EMAIL_NOT_FOUND"
    DELIVERY_NOT_FOUND = "DELIVERY_NOT_FOUND"
    TEMPLATE_NOT_FOUND = "TEMPLATE_NOT_FOUND"
    TEMPLATE_VERSION_NOT_FOUND = "TEMPLATE_VERSION_NOT_FOUND"
    BINDING_NOT_FOUND = "BINDING_NOT_FOUND"
    MAIL_SERVER_NOT_FOUND = "MAIL_SERVER_NOT_FOUND"
    TENANT_NOT_FOUND = "TENANT_NOT_FOUND"
    TOKEN_NOT_FOUND = "TOKEN_NOT_FOUND"
    SUPPRESSION_NOT_FOUND = "SUPPRESSION_NOT_FOUND"
    MEMBER_NOT_FOUND = "MEMBER_NOT_FOUND"
    DKIM_KEY_NOT_FOUND = "DKIM_KEY_NOT_FOUND"

    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    TEMPLATE_EXISTS = "TEMPLATE_EXISTS"
    MAIL_SERVER_EXISTS = "MAIL_SERVER_EXISTS"
    TENANT_EXISTS = "TENANT_EXISTS"
    TOKEN_EXISTS = "TOKEN_EXISTS"
    DKIM_KEY_EXISTS = "DKIM_KEY_EXISTS"

    NO_MAIL_SERVER = "NO_MAIL_SERVER"
    NOT_BOUND = "NOT_BOUND"
    TEMPLATE_NOT_APPROVED = "TEMPLATE_NOT_APPROVED"
    TEMPLATE_REVIEW_STATE = "TEMPLATE_REVIEW_STATE"
    TEMPLATE_BREAKING_CHANGE = "TEMPLATE_BREAKING_CHANGE"
    TOO_LATE = "TOO_LATE"
    NOT_HELD = "NOT_HELD"
    NOTHING_TO_RETRY = "NOTHING_TO_RETRY"
    TENANT_PAUSED = "TENANT_PAUSED"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"

    VERSION_MISMATCH = "VERSION_MISMATCH"

    TOKEN_MISSING = "TOKEN_MISSING"
    TOKEN_INVALID = "TOKEN_INVALID"
    SCOPE_MISSING = "SCOPE_MISSING"
    TENANT_FORBIDDEN = "TENANT_FORBIDDEN"

    RATE_LIMITED = "RATE_LIMITED"
    CODE_RATE_LIMITED = "CODE_RATE_LIMITED"
    BACKLOG_FULL = "BACKLOG_FULL"
    TEMPLATE_LIMIT = "TEMPLATE_LIMIT"
    MAIL_SERVER_LIMIT = "MAIL_SERVER_LIMIT"
    READER_TOO_SLOW = "READER_TOO_SLOW"
    OVERLOADED = "OVERLOADED"

    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    DISK_FULL = "DISK_FULL"

    INTERNAL = "INTERNAL"

    @property
    def code(self) -> Code:
        return _CODES[self]


def _codes() -> dict[Reason, Code]:
    # The reasons stand in groups above; each group ends where the next begins.
    ends = [
        (Code.INVALID_ARGUMENT, Reason.UNSUPPORTED_ORDER_BY),
        (Code.NOT_FOUND, Reason.DKIM_KEY_NOT_FOUND),
        (Code.ALREADY_EXISTS, Reason.DKIM_KEY_EXISTS),
        (Code.FAILED_PRECONDITION, Reason.CURSOR_EXPIRED),
        (Code.ABORTED, Reason.VERSION_MISMATCH),
        (Code.UNAUTHENTICATED, Reason.TOKEN_INVALID),
        (Code.PERMISSION_DENIED, Reason.TENANT_FORBIDDEN),
        (Code.RESOURCE_EXHAUSTED, Reason.OVERLOADED),
        (Code.UNAVAILABLE, Reason.DISK_FULL),
        (Code.INTERNAL, Reason.INTERNAL),
    ]
    table: dict[Reason, Code] = {}
    reasons = iter(Reason)
    for code, last in ends:
        for reason in reasons:
            table[reason] = code
            if reason is last:
                break
    return table


_CODES = _codes()


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks a rule. `field` is the path in the contract, such as `to[2]` or `template.params.name`."""

    field: str
    description: str
    reason: Reason = Reason.INVALID_FIELD


class Refusal(Exception):  # noqa: N818 - it is not an error, it is an answer
    """Says no to a request. Nothing was stored."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        violations: Sequence[Violation] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after

    @property
    def code(self) -> Code:
        return self.reason.code


def refuse_all(violations: Sequence[Violation]) -> None:
    """Raises one refusal that carries every violation, or returns when there are none."""
    if not violations:
        return
    first = violations[0]
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    raise Refusal(first.reason, f"{first.field}: {first.description}{more}", violations=violations)
