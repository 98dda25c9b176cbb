"""Compares an answer with what a case expects of it; player.py says what the matchers are."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from typing import Any

MORE = "..."
ABSENT = "<absent>"


def differences(expected: Any, actual: Any, path: str = "", *, partly: bool = False) -> Iterator[str]:
    """One line per difference. With `partly`, tables may hold more than is expected of them, at any depth."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        yield from _tables(expected, actual, path, partly)
    elif isinstance(expected, list) and isinstance(actual, list):
        yield from _lists(expected, actual, path, partly)
    elif not _fits(expected, actual):
        yield f"{path or 'the answer'}: expected {expected!r}, got {actual!r}"


def _tables(expected: dict[str, Any], actual: dict[str, Any], path: str, partly: bool) -> Iterator[str]:
    for key, value in expected.items():
        if key == MORE:
            continue
        if value == ABSENT:
            if key in actual:
                yield f"{path}.{key}: expected to be absent, got {actual[key]!r}"
        elif key not in actual:
            yield f"{path}.{key}: is missing"
        else:
            yield from differences(value, actual[key], f"{path}.{key}", partly=partly)
    if not partly and MORE not in expected:
        for key in actual.keys() - expected.keys():
            yield f"{path}.{key}: is not expected, and is {actual[key]!r}"


def _lists(expected: list[Any], actual: list[Any], path: str, partly: bool) -> Iterator[str]:
    wanted = expected[:-1] if expected and expected[-1] == MORE else expected
    if len(actual) < len(wanted) or (wanted is expected and len(actual) != len(wanted)):
        yield f"{path}: expected {len(wanted)} items, got {len(actual)}: {actual!r}"
        return
    for i, (one, other) in enumerate(zip(wanted, actual, strict=False)):
        yield from differences(one, other, f"{path}[{i}]", partly=partly)


def _fits(expected: Any, actual: Any) -> bool:
    if isinstance(expected, str) and expected.startswith("<") and expected.endswith(">"):
        kind, _, argument = expected[1:-1].partition(":")
        if kind in _MATCHERS:
            return _MATCHERS[kind](actual, argument)
    # 1 is not True, and 1.0 is not 1: JSON tells them apart.
    return type(expected) is type(actual) and bool(expected == actual)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[1-9][0-9]{0,18}", value)) and int(value) < 2**63


def _is_datetime(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", value):
        return False
    datetime.datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=datetime.UTC)
    return True


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_MATCHERS: dict[str, Callable[[Any, str], bool]] = {
    "any": lambda value, _: True,
    "id": lambda value, _: _is_id(value),
    "integer": lambda value, _: _is_integer(value),
    "number": lambda value, _: _is_integer(value) or isinstance(value, float),
    "bool": lambda value, _: isinstance(value, bool),
    "string": lambda value, _: isinstance(value, str),
    "text": lambda value, _: isinstance(value, str) and value != "",
    "datetime": lambda value, _: _is_datetime(value),
    "null": lambda value, _: value is None,
    "re": lambda value, wanted: isinstance(value, str) and bool(re.fullmatch(wanted, value, re.DOTALL)),
    "has": lambda value, wanted: isinstance(value, str) and wanted in value,
    "count": lambda value, wanted: isinstance(value, list) and len(value) == int(wanted),
}
