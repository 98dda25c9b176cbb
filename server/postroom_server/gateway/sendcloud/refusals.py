"""From what the product refuses to the document's codes."""

from __future__ import annotations

import re
from collections.abc import Mapping

import grpc
import structlog

from postroom_server.gateway.refused import Refused, Violation
from postroom_server.gateway.sendcloud.codes import (
    ADD_FAILED,
    EXISTS,
    HTML,
    INTERNAL,
    INVOKE_NAME,
    NAME,
    NO_SCOPE,
    NOT_FOUND,
    NOT_RECOGNISED,
    PARAMETERS,
    PENDING,
    SUBJECT,
    TEMPLATE_TYPE,
    TEXT,
    TOO_HASTY,
    UPDATE_FAILED,
    Code,
    Failure,
    Parameter,
    too_many,
)

_log = structlog.get_logger("postroom.http")

_BY_REASON = {
    "TEMPLATE_NOT_FOUND": NOT_FOUND,
    "TEMPLATE_EXISTS": EXISTS,
    "TEMPLATE_REVIEW_STATE": PENDING,
}
_BY_STATUS = {
    grpc.StatusCode.UNAUTHENTICATED: NOT_RECOGNISED,
    grpc.StatusCode.PERMISSION_DENIED: NO_SCOPE,
}
# The database did not answer, not in time, or others were always faster: the call's own code.
_FAILED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED)

_PATHS = {"invoke_name": INVOKE_NAME, "kind": TEMPLATE_TYPE, "name": NAME}
_PARTS = {"subject": SUBJECT, "text": TEXT}
_PART = re.compile(r"template\.content\.variants\[\d+\]\.(\w+)")
_MOST_DETAILS = 5


def failure_of(refused: Refused, failed: Code) -> Failure:
    """The answer to a refused call. `failed` is its code when the store fails."""
    if refused.reason in _BY_REASON:
        return Failure(_BY_REASON[refused.reason])
    if refused.reason == "TEMPLATE_LIMIT":
        return Failure(too_many(refused.metadata["limit"]))
    if refused.code in _BY_STATUS:
        return Failure(_BY_STATUS[refused.code])
    if refused.code in _FAILED:
        return Failure(failed)
    if refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        # Without a reason it is the transport's own word: no message may be so large. What is large is the
        # content.
        is_too_large = not refused.reason and failed in (ADD_FAILED, UPDATE_FAILED)
        return Failure(HTML.malformed if is_too_large else TOO_HASTY)
    if refused.violations:
        return first_fault({}, refused.violations)
    if refused.reason != "INTERNAL":
        # A bug is logged where it happened; this is something that the document has no word for.
        _log.error("unexpected_refusal", code=refused.code.name, reason=refused.reason)
    return Failure(INTERNAL)


def first_fault(faults: Mapping[Parameter, Code], violations: tuple[Violation, ...]) -> Failure:
    """Of what we found and what the product found, what comes first in the order of checks."""
    found: dict[Parameter, Failure] = {}
    for violation in violations:
        parameter = _parameter_of(violation)
        found.setdefault(parameter, Failure(parameter.malformed, _detail_of(parameter, violations)))
    # Where we found a fault the product has seen nothing, or something in its place.
    found |= {parameter: Failure(code) for parameter, code in faults.items()}
    return next(found[parameter] for parameter in PARAMETERS if parameter in found)


def _parameter_of(violation: Violation) -> Parameter:
    path = violation.field.removeprefix("template.")
    if path in _PATHS:
        return _PATHS[path]
    part = _PART.fullmatch(violation.field)
    # Whatever else content can have wrong, such as samples that do not render with it, came with the html.
    return _PARTS.get(part[1], HTML) if part else HTML


def _detail_of(parameter: Parameter, violations: tuple[Violation, ...]) -> str:
    """Why content is refused that has the right form; nobody could guess it."""
    if parameter is not HTML:
        return ""
    refused = [violation for violation in violations if violation.reason == "TEMPLATE_CONTENT_INVALID"]
    return "; ".join(_told(violation) for violation in refused[:_MOST_DETAILS])


def _told(violation: Violation) -> str:
    if violation.field.endswith(".html"):
        return violation.description
    return f"{violation.field.removeprefix('template.content.')} {violation.description}"
