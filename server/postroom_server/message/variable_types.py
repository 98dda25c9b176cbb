"""Variable types: whether a value is of its variable's type. Strings that parse count as what they spell."""

from __future__ import annotations

import datetime
import enum
import math
import re

from postroom_server.message.values import text_of


class VariableType(enum.StrEnum):
    """What a variable's values must be. ANY is that of names which nobody gave a type."""

    ANY = ""
    STRING = "STRING"
    INTEGER = "INTEGER"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    TIMESTAMP = "TIMESTAMP"
    LIST = "LIST"
    OBJECT = "OBJECT"


STRUCTURED = frozenset({VariableType.LIST, VariableType.OBJECT})

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


def problem_of(type_: VariableType, value: object) -> str | None:
    """Says why a value is not of this type, or None. Whether a value may be absent is another question."""
    try:
        text = text_of(value)
    except ValueError as error:
        return str(error)
    if _is_of(type_, value, text):
        return None
    return f"is not of type {type_}"


def time_of(text: str) -> datetime.datetime | None:
    """The moment an RFC 3339 string names, in the offset it names; None for any other string.

    Fractions of a second beyond microseconds are cut off. A leap second is the second before it.
    """
    found = _RFC_3339.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, sign, hours, minutes = found.groups()
    seconds = "59" if clock.endswith(":60") else clock[6:]
    try:
        zone: datetime.timezone = datetime.UTC
        if sign:
            if int(hours) > 23 or int(minutes) > 59:
                return None
            offset = datetime.timedelta(hours=int(hours), minutes=int(minutes))
            zone = datetime.timezone(-offset if sign == "-" else offset)
        naive = datetime.datetime.fromisoformat(f"{day}T{clock[:6]}{seconds}")
        return naive.replace(microsecond=int((fraction or ".0")[1:7].ljust(6, "0")), tzinfo=zone)
    except ValueError:
        return None


def _is_of(type_: VariableType, value: object, text: str) -> bool:
    if type_ is VariableType.INTEGER:
        return not isinstance(value, bool) and _INTEGER.fullmatch(text) is not None
    if type_ is VariableType.NUMBER:
        parses = _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))
        return not isinstance(value, bool) and parses
    if type_ is VariableType.BOOLEAN:
        return text in ("true", "false")
    if type_ is VariableType.TIMESTAMP:
        return isinstance(value, str) and time_of(text) is not None
    if type_ is VariableType.LIST:
        return isinstance(value, list | tuple)
    if type_ is VariableType.OBJECT:
        return isinstance(value, dict)
    return type_ is VariableType.ANY or not isinstance(value, list | tuple | dict)
