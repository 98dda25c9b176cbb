"""What this dialect says of itself: OpenAPI 3.1 of its five calls."""

from __future__ import annotations

from typing import Any

from postroom_server.gateway.sendcloud.codes import (
    API_KEY,
    API_USER,
    HTML,
    INVOKE_NAME,
    IS_SUBMIT_AUDIT,
    LIMIT,
    NAME,
    NO_SUCH_TYPE,
    START,
    SUBJECT,
    TEMPLATE_STAT,
    TEMPLATE_TYPE,
    TEXT,
    TOO_LARGE,
    TOO_SLOW,
    Code,
    Parameter,
)
from postroom_server.gateway.sendcloud.openapi_answers import (
    CODES,
    INFOS,
    Schema,
    described,
    failure,
    success,
)

_TAG = "SendCloud templates"
_ANYWHERE = (
    "Parameters may stand in the query, in the body, or in both; of one that comes twice the first is taken, "
    "the query before the body. GET and POST are alike. Business errors answer HTTP 200."
)
_BODIES = ("application/x-www-form-urlencoded", "multipart/form-data", "application/json")
_REFUSALS = {
    TOO_SLOW: "The body took too long to arrive.",
    TOO_LARGE: "The body is larger than 26 MiB.",
    NO_SUCH_TYPE: "The body is neither urlencoded nor multipart nor JSON.",
}

_PARAMETERS: dict[Parameter, Schema] = {
    API_USER: {"type": "string", "description": "The apiUser of a pair that `postroom token create` made."},
    API_KEY: {"type": "string", "description": "Its apiKey."},
    INVOKE_NAME: {
        "type": "string",
        "pattern": "^[A-Za-z0-9_.-]{1,64}$",
        "description": "The name that senders use; case-sensitive.",
    },
    TEMPLATE_TYPE: {"type": "integer", "enum": [0, 1], "description": "0 trigger, 1 batch."},
    TEMPLATE_STAT: {
        "type": "integer",
        "enum": [-2, -1, 0, 1],
        "description": "-2 not submitted, -1 rejected, 0 pending, 1 approved.",
    },
    START: {"type": "integer", "minimum": 0, "default": 0, "description": "How many to pass over."},
    LIMIT: {
        "type": "integer",
        "minimum": 0,
        "maximum": 100,
        "default": 100,
        "description": "How many at most; 0 only counts.",
    },
    NAME: {"type": "string", "minLength": 1, "maxLength": 255, "description": "The name for people."},
    SUBJECT: {
        "type": "string",
        "minLength": 1,
        "maxLength": 256,
        "description": "The subject; `%name%` is a variable.",
    },
    HTML: {
        "type": "string",
        "minLength": 1,
        "description": "The HTML part, at most 1 MiB of UTF-8; `%name%` is a variable; values are escaped.",
    },
    TEXT: {
        "type": "string",
        "minLength": 1,
        "description": "The text part, at most 1 MiB of UTF-8; without one it is derived from the HTML.",
    },
    IS_SUBMIT_AUDIT: {
        "type": "integer",
        "enum": [0, 1],
        "description": "Whether to submit it for review: 1, or 0 to keep it aside. In add 1 unless given.",
    },
}


def _call(
    name: str, summary: str, *, required: tuple[Parameter, ...] = (), optional: tuple[Parameter, ...] = ()
) -> Schema:
    required = (API_USER, API_KEY, *required)
    common = {"tags": [_TAG], "summary": summary, "description": _ANYWHERE, "security": []}
    responses = {
        "200": {
            "description": f"The answer, or what is wrong: {described(CODES[name])}.",
            "content": _json({"oneOf": [_schema(name, "Answer"), _schema(name, "Failure")]}),
        },
        **{str(code.number): {"$ref": f"#/components/responses/{_named(code)}"} for code in _REFUSALS},
    }
    form = {
        "type": "object",
        "properties": {parameter.name: _PARAMETERS[parameter] for parameter in (*required, *optional)},
        "description": f"Required, here or in the query: {', '.join(one.name for one in required)}.",
    }
    in_query = [_in_query(parameter) for parameter in (*required, *optional)]
    return {
        "get": {
            **common,
            "operationId": f"sendcloud_{name}_by_get",
            "parameters": [
                {**described, "required": parameter in required}
                for parameter, described in zip((*required, *optional), in_query, strict=True)
            ],
            "responses": responses,
        },
        "post": {
            **common,
            "operationId": f"sendcloud_{name}",
            "parameters": in_query,
            "requestBody": {"required": False, "content": {body: {"schema": form} for body in _BODIES}},
            "responses": responses,
        },
    }


def _in_query(parameter: Parameter) -> Schema:
    schema = dict(_PARAMETERS[parameter])
    return {
        "name": parameter.name,
        "in": "query",
        "required": False,
        "description": schema.pop("description"),
        "schema": schema,
    }


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _schema(call: str, kind: str) -> Schema:
    return {"$ref": f"#/components/schemas/SendCloud{call.capitalize()}{kind}"}


def _named(code: Code) -> str:
    return f"SendCloud{code.number}"


OPENAPI: dict[str, Any] = {
    "tags": [
        {
            "name": _TAG,
            "description": "The vendor's apiv2/template calls. A template made here is an ordinary one: the "
            "other APIs show and send it.",
        }
    ],
    "paths": {
        "/apiv2/template/list": _call(
            "list",
            "Lists the tenant's own templates, oldest first.",
            optional=(INVOKE_NAME, TEMPLATE_TYPE, TEMPLATE_STAT, START, LIMIT),
        ),
        "/apiv2/template/get": _call("get", "Shows one template.", required=(INVOKE_NAME,)),
        "/apiv2/template/add": _call(
            "add",
            "Adds a template.",
            required=(INVOKE_NAME, NAME, HTML, SUBJECT, TEMPLATE_TYPE),
            optional=(TEXT, IS_SUBMIT_AUDIT),
        ),
        "/apiv2/template/update": _call(
            "update",
            "Changes a template; what is absent or blank stays as it is.",
            required=(INVOKE_NAME,),
            optional=(NAME, HTML, SUBJECT, TEMPLATE_TYPE, TEXT, IS_SUBMIT_AUDIT),
        ),
        "/apiv2/template/delete": _call("delete", "Deletes a template.", required=(INVOKE_NAME,)),
    },
    "components": {
        "schemas": {
            **{f"SendCloud{call.capitalize()}Answer": success(info) for call, info in INFOS.items()},
            **{f"SendCloud{call.capitalize()}Failure": failure(codes) for call, codes in CODES.items()},
        },
        "responses": {
            _named(code): {"description": description, "content": _json(failure([code]))}
            for code, description in _REFUSALS.items()
        },
    },
}
