"""The text of a template parameter: what a Struct-like value looks like in a mail."""

from __future__ import annotations

import decimal
import json
import math

# Doubles hold every integer below this; from here on neighbours coincide (2^53 + 1 arrives as 2^53).
_FIRST_INEXACT = 2**53


def text_of(value: object) -> str:
    """Writes a parameter value (str, bool, int, float, list, dict) as a reader expects to see it.

    Doubles that are integers print without ".0", other doubles without exponent; lists and dicts are compact
    JSON. Raises ValueError for None (a missing value is never "None"), for NaN and infinities, for integral
    doubles too large to be exact, and for foreign types.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _text_of_double(value)
    if isinstance(value, (list, tuple, dict)):
        try:
            return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except RecursionError:
            raise ValueError("is nested too deeply") from None
    if value is None:
        raise ValueError("has no value")
    raise ValueError(f"has a value of type {type(value).__name__}, which has no text")


def _text_of_double(value: float) -> str:
    _refuse_inexact(value)
    if value.is_integer():
        return str(int(value))
    shortest = repr(value)
    return format(decimal.Decimal(shortest), "f") if "e" in shortest else shortest


def _refuse_inexact(value: float) -> None:
    if not math.isfinite(value):
        raise ValueError("is not a finite number")
    if value.is_integer() and abs(value) >= _FIRST_INEXACT:
        raise ValueError("is an integer beyond 2^53, which must be passed as a string")


def _plain(value: object) -> object:
    """The same list or dict with doubles that are integers as integers."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        _refuse_inexact(value)
        return int(value) if value.is_integer() else value
    if value is None or isinstance(value, (str, bool, int)):
        return value
    raise ValueError(f"holds a value of type {type(value).__name__}, which has no text")
