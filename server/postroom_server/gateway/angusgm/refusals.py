"""What the product refuses, as this dialect says it: which eKey, and which field of the document."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import grpc

from postroom_server.gateway.angusgm import texts
from postroom_server.gateway.angusgm.problem import Problem, Violation
from postroom_server.gateway.angusgm.texts import Text
from postroom_server.gateway.refused import Refused

# In the order in which this API checks. The product tells all violations of a request at once.
_KEYS_OF_VIOLATIONS: Mapping[str, str] = {
    "INVALID_FIELD": "param_validation_error",
    "UNSAFE_CONTENT": "param_validation_error",
    "NO_RECIPIENTS": "protocol_error",
    "BIZ_KEY_REQUIRED": "protocol_error",
    "SENDER_NOT_ALLOWED": "protocol_error",
    "ATTACHMENT_REFUSED": "protocol_error",
    "TEMPLATE_VARIABLE_INVALID": "template_variable_missing",
    "UNSUPPORTED_FILTER": "unsupported_filter_field",
    "UNSUPPORTED_ORDER_BY": "unsupported_order_by",
}
_RANK = {reason: rank for rank, reason in enumerate(_KEYS_OF_VIOLATIONS)}

_KEYS_OF_REASONS: Mapping[str, str] = {
    "NOT_BOUND": "BEM4001",
    "TEMPLATE_NOT_APPROVED": "template_not_approved",
    "TOKEN_MISSING": "unauthorized",
    "CODE_RATE_LIMITED": "too_many_requests",
    "RATE_LIMITED": "too_many_requests",
    "TEMPLATE_LIMIT": "quota_exceeded",
    "MAIL_SERVER_LIMIT": "BEM103",
    "OVERLOADED": "unavailable",
    "BACKLOG_FULL": "unavailable",
}
_KEYS_OF_CODES: Mapping[grpc.StatusCode, str] = {
    grpc.StatusCode.INVALID_ARGUMENT: "param_validation_error",
    grpc.StatusCode.FAILED_PRECONDITION: "protocol_error",
    grpc.StatusCode.NOT_FOUND: "resource_not_found",
    grpc.StatusCode.ALREADY_EXISTS: "resource_already_exists",
    grpc.StatusCode.UNAUTHENTICATED: "invalid_token",
    grpc.StatusCode.PERMISSION_DENIED: "forbidden",
    grpc.StatusCode.UNAVAILABLE: "unavailable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "unavailable",
}
# What either channel says of an answer that it does not carry.
_ANSWER_TOO_LARGE = ("Sent message larger than max", "CLIENT: Received message larger than max")
_WAIT = {"too_many_requests", "unavailable"}

Rename = Callable[[str], str]


def problem_of(refused: Refused, rename: Rename = lambda path: path) -> Problem:
    """The answer to a refusal. `rename` gives the document's name of a path of the contract."""
    found = sorted(refused.violations, key=lambda violation: _RANK.get(violation.reason, 0))
    key = _key_of(refused, found[0].reason if found else refused.reason)
    return Problem(
        key,
        [Violation(rename(violation.field), violation.description) for violation in found],
        told=_told(refused, found[0].reason if found else refused.reason, key),
        headers=_headers(key, refused.retry_after),
    )


def _key_of(refused: Refused, reason: str) -> str:
    if refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _KEYS_OF_REASONS.get(refused.reason) or _key_of_transport(refused)
    if refused.code is grpc.StatusCode.INVALID_ARGUMENT:
        return _KEYS_OF_VIOLATIONS.get(reason, "param_validation_error")
    return _KEYS_OF_REASONS.get(reason) or _KEYS_OF_CODES.get(refused.code, "internal_error")


def _key_of_transport(refused: Refused) -> str:
    """What is too much without one of our reasons is a message over the limit: the request, or the answer."""
    if refused.reason:
        return "unavailable"
    return "internal_error" if refused.message.startswith(_ANSWER_TOO_LARGE) else "payload_too_large"


def _told(refused: Refused, reason: str, key: str) -> Text:
    """The reason's own text, where there is one and the eKey alone says less."""
    if reason == "SCOPE_MISSING":
        return reason, refused.metadata.get("scope", "")
    return reason if texts.is_known(reason) else key


def _headers(key: str, retry_after: float | None) -> dict[str, str]:
    if key in _WAIT:
        return {"Retry-After": str(max(1, math.ceil(retry_after or 1)))}
    if key in ("unauthorized", "invalid_token"):
        return {"WWW-Authenticate": "Bearer"}
    return {}
