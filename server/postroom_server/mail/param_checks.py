"""The rules of a mail's parameters, and their spelling in the database."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from postroom_server.mail.limits import Limits
from postroom_server.refusals import Violation

PATH_CHARACTERS = 254  # of a name in a path: as long as an address
# Messages nest at most a hundred deep, an object is three of these, and answers wrap more around it.
_PARAMS_DEPTH = 16


def params_as_json(
    field: str, params: Mapping[str, Any], limits: Limits, found: list[Violation]
) -> str | None:
    """The parameters as JSON; what is wrong with them goes to `found`. None: there are none, or no JSON."""
    if not params:
        return None
    if len(params) > limits.params_names:
        found.append(Violation(field, f"{len(params)} names; at most {limits.params_names}"))
    try:
        text = json.dumps(params, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        found.extend(
            Violation(f"{field}.{name[:PATH_CHARACTERS]}", "holds a number that is not finite")
            for name, value in params.items()
            if not _is_finite(value)
        )
        return None
    found.extend(
        Violation(f"{field}.{name[:PATH_CHARACTERS]}", f"is nested deeper than {_PARAMS_DEPTH} levels")
        for name, value in params.items()
        if isinstance(value, dict | list) and _is_deeper(value, _PARAMS_DEPTH)
    )
    if len(text) > limits.params_bytes // 4 and len(text.encode("utf-8", "replace")) > limits.params_bytes:
        found.append(Violation(field, f"at most {limits.params_bytes} bytes as JSON"))
    return text


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is not None and (levels == 0 or any(_is_deeper(each, levels - 1) for each in inner))


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    return not isinstance(value, list) or all(map(_is_finite, value))


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
