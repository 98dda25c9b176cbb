"""Default values of variables in their rows: PERCENT keeps the text put in place, LIQUID the value."""

from __future__ import annotations

import json
from typing import Any

from postroom_server.message.values import text_of
from postroom_server.message.variable_types import VariableType
from postroom_server.store.models import Syntax

_FIRST_INEXACT = 2**53


def stored_default(syntax: Syntax, value: Any) -> str:
    """A default value as JSON, as its row keeps it."""
    kept = text_of(value) if syntax is Syntax.PERCENT else value
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def read_default(syntax: Syntax, type_: VariableType, row_value: str) -> Any:
    """The default value that a row keeps, as a value of its type."""
    kept = json.loads(row_value)
    return value_of(type_, kept) if syntax is Syntax.PERCENT else kept


def value_of(type_: VariableType, text: str) -> Any:
    """A value of this type from the text that is kept of it."""
    if type_ is VariableType.BOOLEAN:
        return text == "true"
    if type_ in (VariableType.INTEGER, VariableType.NUMBER):
        number = float(text)
        # Beyond 2^53 doubles are not exact; such numbers travel as strings.
        return number if abs(number) < _FIRST_INEXACT else text
    return text
