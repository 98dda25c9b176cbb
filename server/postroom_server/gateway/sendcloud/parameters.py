"""Parameters: out of the query, an urlencoded, multipart or JSON body, or several of them at once.

The first of a name wins, and the query comes before the body. Names that no call knows are passed over.
"""

from __future__ import annotations

import asyncio
import string
import urllib.parse
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request

from postroom_server.gateway.body import BodyError, BodyFault, Spelled, parse_json, read_body
from postroom_server.gateway.content_type import ContentType
from postroom_server.gateway.multipart import MalformedMultipart, parts_of
from postroom_server.gateway.sendcloud.codes import (
    MALFORMED,
    NO_SUCH_TYPE,
    PARAMETERS,
    TOO_HASTY,
    TOO_LARGE,
    TOO_SLOW,
    Failure,
)

T = TypeVar("T")

# By name. None: it is there, but is no text: not UTF-8, or an array or object of JSON.
Values = dict[str, str | None]

_NAMES = {parameter.name.encode(): parameter.name for parameter in PARAMETERS}
_MOST_FIELDS = 1000
_LONGEST_NAME = 3 * max(map(len, _NAMES))  # every character percent-encoded
# Bodies beyond this are read in a thread: decoding megabytes of %XX would hold up everybody else's requests.
_QUICK_BYTES = 64 * 1024


async def read_parameters(request: Request) -> Values:
    """Raises Failure: MALFORMED, TOO_LARGE, TOO_SLOW or NO_SUCH_TYPE."""
    values: Values = {}
    try:
        _add_form(values, request.scope["query_string"])
        raw = await read_body(request)
        # "POST, everything in the query" comes with any content type, or none.
        if raw and not raw.isspace():
            content_type = ContentType.of(request.headers)
            if len(raw) > _QUICK_BYTES:
                await asyncio.to_thread(_add_body, values, content_type, raw)
            else:
                _add_body(values, content_type, raw)
    except BodyError as error:
        raise Failure(_BODY_FAULTS.get(error.kind, MALFORMED)) from None
    except MalformedMultipart:
        raise Failure(MALFORMED) from None
    return values


def is_blank(value: str | None) -> bool:
    """Whether nothing is left of a text without its ASCII white space."""
    return value is not None and not value.strip(string.whitespace)


def without_blanks(values: Values) -> Values:
    """In an update, clients that always send every parameter leave unchanged ones blank."""
    return {name: value for name, value in values.items() if not is_blank(value)}


_BODY_FAULTS = {
    BodyFault.TOO_LARGE: TOO_LARGE,
    BodyFault.TOO_SLOW: TOO_SLOW,
    BodyFault.OVERLOADED: TOO_HASTY,
}


def _add_body(values: Values, content_type: ContentType, raw: bytes) -> None:
    if content_type.is_form:
        _add_form(values, raw)
    elif content_type.is_json:
        _add_json(values, raw)
    elif content_type.is_multipart:
        for name, value in parts_of(raw, content_type.boundary, most=_MOST_FIELDS):
            _add(values, name, _text, value)
    else:
        raise Failure(NO_SUCH_TYPE)


def _add_form(values: Values, raw: bytes) -> None:
    if raw.count(b"&") >= _MOST_FIELDS:
        raise Failure(MALFORMED)
    for field in raw.split(b"&"):
        name, _, value = field.partition(b"=")
        if len(name) <= _LONGEST_NAME:
            _add(values, _unquoted(name), _quoted_text, value)


def _add_json(values: Values, raw: bytes) -> None:
    given = parse_json(raw)
    if not isinstance(given, dict):
        raise Failure(MALFORMED)
    for name, value in given.items():
        # null is what serializers write for what was never set.
        if value is not None:
            _add(values, name.encode(), _scalar, value)


def _add(values: Values, name: bytes, read: Callable[[T], str | None], value: T) -> None:
    known = _NAMES.get(name)
    if known is not None and known not in values:
        values[known] = read(value)


def _unquoted(raw: bytes) -> bytes:
    raw = raw.replace(b"+", b" ")
    if b"%" not in raw:
        return raw
    # Piece by piece: one call for all would keep every other thread waiting until it is done.
    pieces = bytearray()
    at = 0
    while at < len(raw):
        end = at + _QUICK_BYTES
        cut = raw.find(b"%", end - 2, end)  # an escape that would be torn apart
        end = cut if cut >= 0 else end
        pieces += urllib.parse.unquote_to_bytes(raw[at:end])
        at = end
    return bytes(pieces)


def _quoted_text(raw: bytes) -> str | None:
    return _text(_unquoted(raw))


def _text(raw: bytes) -> str | None:
    try:
        return _whole(raw.decode())
    except UnicodeDecodeError:
        return None


def _scalar(value: Any) -> str | None:
    match value:
        case str():
            return _whole(value)
        case bool():
            return "true" if value else "false"
        case Spelled():
            return value.text
        case int():
            return str(value)
        case _:
            return None


def _whole(text: str) -> str | None:
    # What a decoder leaves behind that could not read its input is never stored.
    return None if "\ufffd" in text else text
