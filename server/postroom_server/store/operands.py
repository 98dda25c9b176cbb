"""The values of filters: written as strings, read by the type of the field they are compared with."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import re
from collections.abc import Mapping
from typing import Any

from postroom_server.clock import Millis

_NUMBER = re.compile(r"-?[0-9]{1,19}")
# RFC 3339, section 5.6. fromisoformat alone takes much that is not in it.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND = datetime.timedelta(milliseconds=1)


class Type(enum.Enum):
    """What a field holds; it decides which operators are allowed and how values are read."""

    ID = enum.auto()
    NUMBER = enum.auto()
    STRING = enum.auto()
    ENUM = enum.auto()
    BOOLEAN = enum.auto()
    TIME = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """A time as written: without a fraction it can stand for its whole second."""

    time: Millis
    whole_second: bool


def parse(kind: Type, text: str, words: Mapping[str, Any] | None = None) -> Any:
    """The value of a string; `words` gives an ENUM's values by their names. Raises ValueError."""
    match kind:
        case Type.ID | Type.NUMBER:
            return _number(text)
        case Type.BOOLEAN:
            return _word(text, {"true": True, "false": False})
        case Type.ENUM:
            return _word(text, words or {})
        case Type.TIME:
            return _moment(text)
        case Type.STRING:
            # PostgreSQL has no NUL in text: no row can hold one.
            if "\0" in text:
                raise ValueError("holds a NUL character")
            return text


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text) or not -(1 << 63) <= int(text) < 1 << 63:
        raise ValueError("is not a decimal number of 64 bits")
    return int(text)


def _word(text: str, words: Mapping[str, Any]) -> Any:
    if text not in words:
        raise ValueError(f"is none of {', '.join(words)}")
    return words[text]


def _moment(text: str) -> Moment:
    matched = _TIME.fullmatch(text)
    if matched is None:
        raise ValueError("is not an RFC 3339 time such as 2026-06-01T12:00:00Z")
    try:
        # Python reads six digits of a fraction; we keep three.
        fraction = matched[1] or ""
        read = datetime.datetime.fromisoformat((text[:19] + matched[2]).upper())
        time = (read - _EPOCH) // _MILLISECOND + int((fraction[1:] + "000")[:3])
    except (ValueError, OverflowError):
        raise ValueError("is not a date and time of the calendar") from None
    return Moment(time, whole_second=not fraction)
