"""Refusals: what the product says no with, typed and with a reason that machines can read.

A refusal is expected. Everything else that is raised is a bug and reaches callers as INTERNAL without text.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Self


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
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    UNIMPLEMENTED = "UNIMPLEMENTED"


class Reason(enum.StrEnum):
    """Why, in one word. The contract's ErrorReason lists the same words with their meaning."""

    code: Code

    def __new__(cls, name: str, code: Code) -> Self:
        reason = str.__new__(cls, name)
        reason._value_ = name
        reason.code = code
        return reason

    INVALID_FIELD = "INVALID_FIELD", Code.INVALID_ARGUMENT
    NO_RECIPIENTS = "NO_RECIPIENTS", Code.INVALID_ARGUMENT
    BIZ_KEY_REQUIRED = "BIZ_KEY_REQUIRED", Code.INVALID_ARGUMENT
    SENDER_NOT_ALLOWED = "SENDER_NOT_ALLOWED", Code.INVALID_ARGUMENT
    TEMPLATE_VARIABLE_INVALID = "TEMPLATE_VARIABLE_INVALID", Code.INVALID_ARGUMENT
    TEMPLATE_CONTENT_INVALID = "TEMPLATE_CONTENT_INVALID", Code.INVALID_ARGUMENT
    UNSAFE_CONTENT = "UNSAFE_CONTENT", Code.INVALID_ARGUMENT
    ATTACHMENT_REFUSED = "ATTACHMENT_REFUSED", Code.INVALID_ARGUMENT
    INVALID_PAGE_TOKEN = "INVALID_PAGE_TOKEN", Code.INVALID_ARGUMENT
    INVALID_CURSOR = "INVALID_CURSOR", Code.INVALID_ARGUMENT
    UNSUPPORTED_FILTER = "UNSUPPORTED_FILTER", Code.INVALID_ARGUMENT
    UNSUPPORTED_ORDER_BY = "UNSUPPORTED_ORDER_BY", Code.INVALID_ARGUMENT

    EMAIL_NOT_FOUND = "EMAIL_NOT_FOUND", Code.NOT_FOUND
    DELIVERY_NOT_FOUND = "DELIVERY_NOT_FOUND", Code.NOT_FOUND
    TEMPLATE_NOT_FOUND = "TEMPLATE_NOT_FOUND", Code.NOT_FOUND
    TEMPLATE_VERSION_NOT_FOUND = "TEMPLATE_VERSION_NOT_FOUND", Code.NOT_FOUND
    BINDING_NOT_FOUND = "BINDING_NOT_FOUND", Code.NOT_FOUND
    MAIL_SERVER_NOT_FOUND = "MAIL_SERVER_NOT_FOUND", Code.NOT_FOUND
    TENANT_NOT_FOUND = "TENANT_NOT_FOUND", Code.NOT_FOUND
    TOKEN_NOT_FOUND = "TOKEN_NOT_FOUND", Code.NOT_FOUND
    SUPPRESSION_NOT_FOUND = "SUPPRESSION_NOT_FOUND", Code.NOT_FOUND
    MEMBER_NOT_FOUND = "MEMBER_NOT_FOUND", Code.NOT_FOUND
    DKIM_KEY_NOT_FOUND = "DKIM_KEY_NOT_FOUND", Code.NOT_FOUND

    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH", Code.ALREADY_EXISTS
    TEMPLATE_EXISTS = "TEMPLATE_EXISTS", Code.ALREADY_EXISTS
    MAIL_SERVER_EXISTS = "MAIL_SERVER_EXISTS", Code.ALREADY_EXISTS
    TENANT_EXISTS = "TENANT_EXISTS", Code.ALREADY_EXISTS
    TOKEN_EXISTS = "TOKEN_EXISTS", Code.ALREADY_EXISTS
    DKIM_KEY_EXISTS = "DKIM_KEY_EXISTS", Code.ALREADY_EXISTS

    NO_MAIL_SERVER = "NO_MAIL_SERVER", Code.FAILED_PRECONDITION
    NOT_BOUND = "NOT_BOUND", Code.FAILED_PRECONDITION
    TEMPLATE_NOT_APPROVED = "TEMPLATE_NOT_APPROVED", Code.FAILED_PRECONDITION
    TEMPLATE_REVIEW_STATE = "TEMPLATE_REVIEW_STATE", Code.FAILED_PRECONDITION
    TEMPLATE_BREAKING_CHANGE = "TEMPLATE_BREAKING_CHANGE", Code.FAILED_PRECONDITION
    TOO_LATE = "TOO_LATE", Code.FAILED_PRECONDITION
    NOT_HELD = "NOT_HELD", Code.FAILED_PRECONDITION
    NOTHING_TO_RETRY = "NOTHING_TO_RETRY", Code.FAILED_PRECONDITION
    TENANT_PAUSED = "TENANT_PAUSED", Code.FAILED_PRECONDITION
    CURSOR_EXPIRED = "CURSOR_EXPIRED", Code.FAILED_PRECONDITION

    VERSION_MISMATCH = "VERSION_MISMATCH", Code.ABORTED

    TOKEN_MISSING = "TOKEN_MISSING", Code.UNAUTHENTICATED
    TOKEN_INVALID = "TOKEN_INVALID", Code.UNAUTHENTICATED

    SCOPE_MISSING = "SCOPE_MISSING", Code.PERMISSION_DENIED
    TENANT_FORBIDDEN = "TENANT_FORBIDDEN", Code.PERMISSION_DENIED

    RATE_LIMITED = "RATE_LIMITED", Code.RESOURCE_EXHAUSTED
    CODE_RATE_LIMITED = "CODE_RATE_LIMITED", Code.RESOURCE_EXHAUSTED
    BACKLOG_FULL = "BACKLOG_FULL", Code.RESOURCE_EXHAUSTED
    TEMPLATE_LIMIT = "TEMPLATE_LIMIT", Code.RESOURCE_EXHAUSTED
    MAIL_SERVER_LIMIT = "MAIL_SERVER_LIMIT", Code.RESOURCE_EXHAUSTED
    READER_TOO_SLOW = "READER_TOO_SLOW", Code.RESOURCE_EXHAUSTED
    OVERLOADED = "OVERLOADED", Code.RESOURCE_EXHAUSTED

    STORE_UNAVAILABLE = "STORE_UNAVAILABLE", Code.UNAVAILABLE
    SHUTTING_DOWN = "SHUTTING_DOWN", Code.UNAVAILABLE
    DISK_FULL = "DISK_FULL", Code.UNAVAILABLE

    INTERNAL = "INTERNAL", Code.INTERNAL
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED", Code.DEADLINE_EXCEEDED
    UNIMPLEMENTED = "UNIMPLEMENTED", Code.UNIMPLEMENTED


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks a rule. `field` is its path in the contract, such as `to[2]`."""

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
