"""Variable types: whether a value is of its variable's type. Strings that parse count as what they spell."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from typing import Any

from postroom_server.mail.template_form import VariableType
from postroom_server.message.values import text_of

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_FIRST_INEXACT = 2**53


def problem_of(type_: VariableType, value: Any) -> str | None:
    """Says why a value is not of this type, or None. Whether a value may be absent is another question."""
    try:
        text = text_of(value)
    except ValueError as error:
        return str(error)
    if _is_of(type_, value, text):
        return None
    return f"is not of type {type_}"


def wrongly_typed(types: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, str]:
    """The values that are not of their variables' types, each with what is wrong with it."""
    problems: dict[str, str] = {}
    for name, type_ in types.items():
        value = params.get(name)
        if value is not None and (problem := problem_of(VariableType(type_), value)):
            problems[name] = problem
    return problems


def value_of(type_: VariableType, text: str) -> Any:
    """A value of this type from the text that is kept of it."""
    if type_ is VariableType.BOOLEAN:
        return text == "true"
    if type_ in (VariableType.INTEGER, VariableType.NUMBER):
        number = float(text)
        # Beyond 2^53 doubles are not exact; such numbers travel as strings.
        return number if abs(number) < _FIRST_INEXACT else text
    return text


def _is_of(type_: VariableType, value: Any, text: str) -> bool:
    if type_ is VariableType.INTEGER:
        return not isinstance(value, bool) and _INTEGER.fullmatch(text) is not None
    if type_ is VariableType.NUMBER:
        parses = _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))
        return not isinstance(value, bool) and parses
    if type_ is VariableType.BOOLEAN:
        return text in ("true", "false")
    if type_ is VariableType.TIMESTAMP:
        return isinstance(value, str) and _is_rfc_3339(text)
    if type_ is VariableType.LIST:
        return isinstance(value, list | tuple)
    if type_ is VariableType.OBJECT:
        return isinstance(value, dict)
    return type_ is VariableType.ANY or not isinstance(value, list | tuple | dict)


_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _is_rfc_3339(text: str) -> bool:
    found = _RFC_3339.fullmatch(text)
    if found is None:
        return False
    try:
        datetime.datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00")
    except ValueError:
        return False
    return True
