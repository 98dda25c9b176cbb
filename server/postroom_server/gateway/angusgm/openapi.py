"""The description of this dialect in OpenAPI 3.1: every path with every answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from postroom_server.gateway.angusgm import words
from postroom_server.gateway.angusgm.filter_keys import KEYS, Kind
from postroom_server.gateway.angusgm.openapi_answers import FILTER_PROBLEMS, WITH_BODY, responses
from postroom_server.gateway.angusgm.openapi_schemas import (
    DETAIL_EXAMPLE,
    SCHEMAS,
    SEND_EXAMPLE,
    Schema,
    one_of,
    ref,
    text,
)

_TAG = "AngusGM email"


def _query(name: str, schema: Schema, description: str = "", *, required: bool = False) -> Schema:
    described = {"description": description} if description else {}
    return {"name": name, "in": "query", "required": required, "schema": schema, **described}


def _schema_of(kind: Kind, allowed: Iterable[str]) -> Schema:
    match kind:
        case Kind.NUMBER:
            return {"type": "integer", "format": "int64", "minimum": -(1 << 63), "maximum": (1 << 63) - 1}
        case Kind.BOOLEAN:
            return {"type": "boolean"}
        case Kind.WORD:
            return one_of(tuple(allowed))
        case Kind.DATE:
            return ref("Date")
        case _:
            return text()


def _list_parameters() -> list[Schema]:
    filters = [
        _query(f"filters[{i}].{part}", schema, description)
        for i in range(20)
        for part, schema, description in (
            ("key", one_of(tuple(KEYS)), "The field that is tested."),
            ("op", one_of(tuple(words.OPERATORS)), "MATCH is contains, MATCH_END is begins with."),
            ("value", text(), 'For IN and NOT_IN `1,2,3`, `[1,2,3]` or `["a","b"]`.'),
        )
    ]
    return [
        *(_query(name, _schema_of(key.kind, key.words)) for name, key in KEYS.items()),
        _query("pageNo", {"type": "integer", "minimum": 1, "maximum": 100_000, "default": 1}),
        _query("pageSize", {"type": "integer", "minimum": 1, "maximum": 2000, "default": 10}),
        _query("orderBy", one_of(("id", "actualSendDate", "expectedSendDate"), default="id")),
        _query("orderSort", one_of(words.ORDER_SORTS, default="DESC")),
        *filters,
        _query("infoScope", one_of(words.INFO_SCOPES, default="DETAIL")),
    ]


def _operation(summary: str, operation_id: str, answers: Schema, **more: Any) -> Schema:
    parameters = [
        *more.pop("parameters", []),
        *({"$ref": f"#/components/parameters/AngusGm{name}"} for name in ("Lang", "Locale", "XLang")),
    ]
    return {
        "tags": [_TAG],
        "summary": summary,
        "operationId": operation_id,
        "security": [{"UserHttpBearer": []}],
        "parameters": parameters,
        **more,
        "responses": answers,
    }


def _body(name: str, example: Schema) -> Schema:
    return {
        "required": True,
        "content": {"application/json": {"schema": ref(name), "examples": {"seed": {"value": example}}}},
    }


_TO_DETAIL = {
    "detail": {"operationId": "angusgmGetEmail", "parameters": {"id": "$response.body#/data/id"}},
    "delete": {"operationId": "angusgmDeleteEmails", "parameters": {"ids": "$response.body#/data/id"}},
}
_INVALID = "param_validation_error"
_TEMPLATE_PROBLEMS = ("template_variable_missing", "template_not_approved", "resource_not_found")

OPENAPI: dict[str, Any] = {
    "tags": [{"name": _TAG, "description": "Sends email, reads it back, checks verification codes."}],
    "paths": {
        "/api/v1/email": {
            "get": _operation(
                "Query the list of email",
                "angusgmListEmails",
                responses(
                    ref("Page"), {"total": "1", "list": [DETAIL_EXAMPLE]}, (_INVALID, *FILTER_PROBLEMS)
                ),
                parameters=_list_parameters(),
            ),
            "post": _operation(
                "Send email",
                "angusgmSendEmail",
                responses(
                    ref("Id"),
                    {"id": "301"},
                    (
                        _INVALID,
                        "protocol_error",
                        "BEM4001",
                        *_TEMPLATE_PROBLEMS,
                        "resource_already_exists",
                        *WITH_BODY,
                    ),
                    links=_TO_DETAIL,
                ),
                parameters=[{"$ref": "#/components/parameters/AngusGmIdempotencyKey"}],
                requestBody=_body("Send", SEND_EXAMPLE),
            ),
            "delete": _operation(
                "Delete emails",
                "angusgmDeleteEmails",
                responses(ref("Nothing"), {}, (_INVALID, "param_missing")),
                parameters=[
                    _query(
                        "ids",
                        {"type": "array", "items": _schema_of(Kind.NUMBER, ())},
                        "At most 200 different ones, repeated or by commas; unknown ones are passed over.",
                        required=True,
                    )
                ],
            ),
        },
        "/api/v1/email/{id}": {
            "get": _operation(
                "Query the detail of email",
                "angusgmGetEmail",
                responses(ref("Detail"), DETAIL_EXAMPLE, (_INVALID, "resource_not_found")),
                parameters=[
                    {
                        "name": "id",
                        "in": "path",
                        "required": True,
                        "description": "Email id",
                        "schema": _schema_of(Kind.NUMBER, ()),
                    }
                ],
            )
        },
        "/api/v1/email/server/test": {
            "post": _operation(
                "Send the test email to server",
                "angusgmTestServer",
                responses(
                    ref("Id"),
                    {"id": "301"},
                    (_INVALID, "protocol_error", "BEM305", *_TEMPLATE_PROBLEMS, *WITH_BODY),
                ),
                requestBody=_body("ServerTest", {"serverId": 1, "toAddress": [["james@xcan.cloud"]]}),
            )
        },
        "/api/v1/email/verificationCode/check": {
            "get": _operation(
                "Check the email verification code is valid",
                "angusgmCheckVerificationCode",
                responses(
                    ref("Nothing"),
                    {},
                    (
                        _INVALID,
                        "verification_code_wrong",
                        "verification_code_expired",
                        "verification_code_locked",
                    ),
                    headers=["Cache-Control"],
                ),
                parameters=[
                    _query("bizKey", one_of(words.BIZ_KEYS), "Email business key.", required=True),
                    _query(
                        "email",
                        text(254, minLength=1, format="email"),
                        "Verification email address.",
                        required=True,
                    ),
                    _query("verificationCode", text(160, minLength=1), "The code.", required=True),
                ],
            )
        },
    },
    "components": {
        "schemas": SCHEMAS,
        "securitySchemes": {
            "UserHttpBearer": {"type": "http", "scheme": "bearer", "description": "An opaque token."}
        },
        "parameters": {
            "AngusGmLang": _query("lang", text(), "The language of `msg`, such as `en` or `zh_CN`."),
            "AngusGmLocale": _query("locale", text(), "The same; `lang` goes before."),
            "AngusGmXLang": {
                "name": "X-Lang",
                "in": "header",
                "required": False,
                "description": "The same; after it comes Accept-Language, then zh_CN.",
                "schema": text(),
            },
            "AngusGmIdempotencyKey": {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "Makes the call repeatable: with the same body it answers what it did first.",
                "schema": text(255),
            },
        },
        "headers": {
            f"AngusGm{name.replace('-', '')}": {"description": description, "schema": schema}
            for name, description, schema in (
                ("XC-Request-Id", "The caller's X-Request-Id, or one of ours.", text()),
                ("XC-E-Key", "The eKey of `ext`.", text()),
                ("WWW-Authenticate", "Always `Bearer`.", {"const": "Bearer"}),
                ("Retry-After", "Seconds.", {"type": "string", "pattern": "^[0-9]+$"}),
                ("Cache-Control", "Always `no-store`.", {"const": "no-store"}),
            )
        },
    },
}
