"""The answers in the description of this dialect: the envelope of every status, an example of each eKey."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from postroom_server.gateway.angusgm.openapi_schemas import Schema, closed, one_of, ref, text
from postroom_server.gateway.angusgm.problem import ANSWERS
from postroom_server.gateway.angusgm.texts import say

_NOW = "2026-06-01 12:00:00"
_WHEREVER = (
    "unauthorized",
    "invalid_token",
    "forbidden",
    "too_many_requests",
    "internal_error",
    "unavailable",
)
WITH_BODY = ("param_parsing_error", "payload_too_large", "media_type_not_supported")
_DESCRIPTIONS = {
    200: "Done, or a business error, which `code` tells.",
    400: "The request breaks a rule.",
    401: "No token came, or it is not in force.",
    403: "The token lacks the scope that this needs.",
    404: "There is no such thing, or it is another tenant's.",
    409: "The Idempotency-Key was used for another request.",
    413: "The body is larger than 26 MiB.",
    415: "The body is not application/json in UTF-8.",
    429: "Too many calls, wrong tokens, or verification codes for an address.",
    500: "A fault of the server.",
    503: "Overloaded, or the store does not answer.",
}
FILTER_PROBLEMS = (
    "param_format_error", "unsupported_filter_field", "unsupported_range_filter", "unsupported_match_filter",
    "unsupported_in_filter", "unsupported_order_by",
)  # fmt: skip


def _envelope(code: Schema, data: Schema, ext: Schema) -> Schema:
    return closed({"code": code, "msg": text(), "data": data, "datetime": ref("AnsweredDate"), "ext": ext})


def _problem(keys: Iterable[str]) -> Schema:
    """The envelope of these eKeys, which are all of one status."""
    names = list(keys)
    codes = list(dict.fromkeys(ANSWERS[key].code for key in names))
    violations = {"type": "array", "items": ref("Violation")}
    ext = closed({"eKey": one_of(names), "violations": violations}, ["violations"])
    return _envelope(one_of(codes), {"type": "null"}, ext)


def _problem_example(key: str) -> Schema:
    return {
        "value": {
            "code": ANSWERS[key].code,
            "msg": say(key, "zh"),
            "data": None,
            "datetime": _NOW,
            "ext": {"eKey": key},
        }
    }


def _header(name: str) -> Schema:
    return {"$ref": f"#/components/headers/AngusGm{name}"}


def _response(status: int, schema: Schema, examples: Schema, headers: Iterable[str]) -> Schema:
    return {
        "description": _DESCRIPTIONS[status],
        "headers": {name: _header(name.replace("-", "")) for name in ("XC-Request-Id", *headers)},
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }


def responses(
    data: Schema,
    example: Any,
    keys: Iterable[str],
    *,
    headers: Iterable[str] = (),
    links: Schema | None = None,
) -> Schema:
    """All answers of a call: `data` on success, and the problems of these eKeys."""
    by_status: dict[int, list[str]] = {}
    for key in (*keys, *_WHEREVER):
        by_status.setdefault(ANSWERS[key].status, []).append(key)
    business = by_status.pop(200, [])
    success = _envelope({"const": "S"}, data, ref("Nothing"))
    done = {"code": "S", "msg": say("success", "zh"), "data": example, "datetime": _NOW, "ext": {}}
    found = {
        "200": _response(
            200,
            {"oneOf": [success, _problem(business)]} if business else success,
            {"success": {"value": done}, **{key: _problem_example(key) for key in business}},
            [*headers, *(["XC-E-Key"] if business else [])],
        )
    }
    if links:
        found["200"]["links"] = links
    more = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}
    for status, names in sorted(by_status.items()):
        examples = {key: _problem_example(key) for key in names}
        told = ["XC-E-Key", *headers, *more.get(status, [])]
        found[str(status)] = _response(status, _problem(names), examples, told)
    return found
