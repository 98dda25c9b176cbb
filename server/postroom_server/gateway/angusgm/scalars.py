"""Numbers and booleans, which this API writes as strings as often as not."""

from __future__ import annotations

import re
from typing import Any

LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1
_NUMBER = re.compile(r"-?[0-9]{1,40}", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


def boolean(value: object) -> bool | None:
    """`true`, `"true"`, `"TRUE"`; None for anything else."""
    if value is True or value is False:
        return bool(value)
    return _BOOLEANS.get(value.lower()) if isinstance(value, str) else None


def integer(value: object) -> int | None:
    """`300`, `"300"`, `300.0`; None for anything else. It may be beyond 64 bits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        return int(value) if _NUMBER.fullmatch(value) else None
    # JSON knows one kind of numbers: 3e2 is 300.
    return int(value) if isinstance(value, float) and value.is_integer() else None


def fits(number: int) -> bool:
    """Whether it is one of the 64 bits that ids and numbers of this API have."""
    return LOWEST <= number <= HIGHEST


def spelled(number: float) -> str:
    """A double as JSON spells it, whole ones without `.0`."""
    return str(int(number)) if number.is_integer() else repr(number)


def written(value: Any, *, bare: bool) -> Any:
    """A number as answers write it: as a string, unless the settings want it bare."""
    if bare:
        return int(value) if isinstance(value, float) and value.is_integer() else value
    return str(value) if isinstance(value, int) else spelled(value)
