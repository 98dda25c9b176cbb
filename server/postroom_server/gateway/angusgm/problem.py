"""What this dialect says no with: an eKey, and the status and code that belong to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from postroom_server.gateway.angusgm.texts import Text


class Answer(NamedTuple):
    status: int
    code: str


# Business errors answer 200: clients of this API look at `code`.
ANSWERS: Mapping[str, Answer] = {
    "param_validation_error": Answer(400, "E0"),
    "param_missing": Answer(400, "E0"),
    "param_parsing_error": Answer(400, "E0"),
    "param_format_error": Answer(400, "E0"),
    "protocol_error": Answer(400, "E0"),
    "unsupported_filter_field": Answer(400, "E0"),
    "unsupported_range_filter": Answer(400, "E0"),
    "unsupported_match_filter": Answer(400, "E0"),
    "unsupported_in_filter": Answer(400, "E0"),
    "unsupported_order_by": Answer(400, "E0"),
    "template_variable_missing": Answer(400, "E0"),
    "verification_code_wrong": Answer(400, "E0"),
    "verification_code_expired": Answer(400, "E0"),
    "verification_code_locked": Answer(400, "E0"),
    "unauthorized": Answer(401, "E0"),
    "invalid_token": Answer(401, "E0"),
    "forbidden": Answer(403, "E0"),
    "resource_not_found": Answer(404, "E0"),
    "method_not_supported": Answer(405, "E0"),
    "resource_already_exists": Answer(409, "E0"),
    "payload_too_large": Answer(413, "E0"),
    "media_type_not_supported": Answer(415, "E0"),
    "too_many_requests": Answer(429, "E0"),
    "template_not_approved": Answer(200, "E1"),
    "BEM305": Answer(200, "BEM305"),
    "BEM4001": Answer(200, "BEM4001"),
    "BEM103": Answer(200, "BEM103"),
    "quota_exceeded": Answer(200, "E3"),
    "internal_error": Answer(500, "E2"),
    "unavailable": Answer(503, "E2"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """One field, by its name in the document, and which rule it breaks."""

    field: str
    reason: Text


class Problem(Exception):  # noqa: N818 - it is an answer
    """`told`, where given, says more than the eKey's own text; `headers` go along."""

    def __init__(
        self,
        key: str,
        violations: Sequence[Violation] = (),
        *,
        told: Text = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(key)
        self.key = key
        self.violations = tuple(violations)
        self.told = told or key
        self.headers = dict(headers or {})


def invalid(field: str, reason: Text) -> Problem:
    return Problem("param_validation_error", [Violation(field, reason)])
