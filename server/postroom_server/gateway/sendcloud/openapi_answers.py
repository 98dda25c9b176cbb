"""The answers of the five calls as JSON schemas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from postroom_server.gateway.sendcloud.codes import (
    ADD_FAILED,
    DELETE_FAILED,
    EXISTS,
    HTML,
    INTERNAL,
    INVOKE_NAME,
    IS_SUBMIT_AUDIT,
    LIMIT,
    MALFORMED,
    NAME,
    NO_SCOPE,
    NOT_FOUND,
    NOT_RECOGNISED,
    PENDING,
    START,
    SUBJECT,
    SUCCESS,
    TEMPLATE_STAT,
    TEMPLATE_TYPE,
    TEXT,
    TOO_HASTY,
    UPDATE_FAILED,
    Code,
    Parameter,
    too_many,
)

Schema = dict[str, Any]


def success(info: Schema) -> Schema:
    return _object(
        {
            "result": {"const": True},
            "statusCode": {"const": SUCCESS.number},
            "message": {"const": SUCCESS.text},
            "info": info,
        }
    )


def failure(codes: Iterable[Code]) -> Schema:
    """The envelope of any of those codes."""
    return _object(
        {
            "result": {"const": False},
            "statusCode": {"enum": sorted(code.number for code in codes)},
            "message": {"type": "string", "description": "The code's text; a detail may follow after `. `."},
            "info": {"type": "object", "maxProperties": 0},
        }
    )


def described(codes: Iterable[Code]) -> str:
    """Codes and their texts."""
    ordered = sorted(codes, key=lambda code: code.number)
    return "; ".join(f"{code.number} {code.text}" for code in ordered)


def _object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$"
_ITEM: Schema = {
    "name": {"type": "string"},
    "invokeName": {"type": "string"},
    "templateType": {"enum": [0, 1]},
    "templateStat": {"enum": [-2, -1, 0, 1]},
    "gmtCreated": {"type": "string", "pattern": _TIME},
    "gmtUpdated": {"type": "string", "pattern": _TIME},
}
_TEXTS: Schema = {"html": {"type": "string"}, "subject": {"type": "string"}}
_FRESH: Schema = {
    "templateStat": {"enum": [-2, 0], "description": "0 also where it is approved at once."},
    "gmtUpdated": {"const": ""},
}
_COUNT = _object({"count": {"const": 1}})

# What `info` holds, by call.
INFOS: dict[str, Schema] = {
    "list": _object(
        {
            "dataList": {"type": "array", "maxItems": 100, "items": _object(_ITEM)},
            "total": {"type": "integer", "minimum": 0, "description": "How many match."},
            "count": {"type": "integer", "minimum": 0, "maximum": 100, "description": "How many are here."},
        }
    ),
    "get": _object({"data": _object(_ITEM | _TEXTS)}),
    "add": _object({"data": _object(_ITEM | _FRESH | _TEXTS)}),
    "update": _COUNT,
    "delete": _COUNT,
}


def _of(*parameters: Parameter) -> list[Code]:
    return [code for parameter in parameters for code in (parameter.blank, parameter.malformed)]


_ALWAYS = (MALFORMED, INTERNAL, NO_SCOPE, NOT_RECOGNISED, TOO_HASTY)
_WRITTEN = (TEMPLATE_TYPE, NAME, SUBJECT, HTML, TEXT, IS_SUBMIT_AUDIT)

# What can go wrong, by call. In an update a blank parameter is absent.
CODES: dict[str, list[Code]] = {
    "list": [*_ALWAYS, *_of(INVOKE_NAME, TEMPLATE_TYPE, TEMPLATE_STAT, START, LIMIT)],
    "get": [*_ALWAYS, *_of(INVOKE_NAME), NOT_FOUND],
    "add": [*_ALWAYS, *_of(INVOKE_NAME, *_WRITTEN), ADD_FAILED, EXISTS, too_many("N")],
    "update": [
        *_ALWAYS,
        *_of(INVOKE_NAME),
        *(parameter.malformed for parameter in _WRITTEN),
        UPDATE_FAILED,
        NOT_FOUND,
        PENDING,
    ],
    "delete": [*_ALWAYS, *_of(INVOKE_NAME), DELETE_FAILED, NOT_FOUND],
}
