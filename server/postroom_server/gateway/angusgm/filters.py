"""The conditions of a list, all ANDed: plain parameters and `filters[i].key/op/value`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from postroom.v1 import filter_pb2
from postroom_server.gateway.angusgm.dates import Dates
from postroom_server.gateway.angusgm.filter_keys import KEYS, Key, Kind, Unreadable, read
from postroom_server.gateway.angusgm.problem import Problem, Violation
from postroom_server.gateway.angusgm.query import Query
from postroom_server.gateway.angusgm.texts import Text
from postroom_server.gateway.angusgm.words import OPERATORS
from postroom_server.gateway.body import BodyError, Spelled, parse_json

_PREFIX = "filters"
_NAME = re.compile(r"filters\[(0|[1-9][0-9]{0,2})\]\.(key|op|value)", re.ASCII)
_MOST_FILTERS = 20
_MOST_VALUES = 1000

_RANGES = {"GREATER_THAN", "LESS_THAN", "GREATER_THAN_EQUAL", "LESS_THAN_EQUAL"}
_MATCHES = {"MATCH", "MATCH_END", "NOT_MATCH", "NOT_MATCH_END"}
_LISTS = {"IN", "NOT_IN"}
_NULLS = {"IS_NULL", "IS_NOT_NULL"}


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One condition in the product's words. `name` is the parameter that its value came in."""

    name: str
    field: str
    operator: filter_pb2.FilterOperator
    values: tuple[str, ...] = ()


class Conditions:
    """All conditions of a query. Raises Problem; the first thing that is wrong gives it its eKey."""

    def __init__(self, query: Query, dates: Dates) -> None:
        self._dates = dates
        self._wrong: list[tuple[str, Violation]] = [
            ("param_validation_error", violation) for violation in query.wrong
        ]
        self.all: list[Condition] = []
        self._read_plain(query)
        for place, asked in sorted(self._collected(query).items()):
            self._read_filter(f"{_PREFIX}[{place}]", asked)
        if self._wrong:
            key = self._wrong[0][0]
            raise Problem(key, [violation for _, violation in self._wrong])

    def _read_plain(self, query: Query) -> None:
        for name, key in KEYS.items():
            text = query.text(name)
            if not text:
                continue
            try:
                self.all += self._conditions(name, key, "EQUAL", (read(key, text, self._dates),))
            except Unreadable as error:
                self._break_rule("param_validation_error", name, error.reason)

    def _collected(self, query: Query) -> dict[int, dict[str, str]]:
        found: dict[int, dict[str, str]] = {}
        for name, value in query.pairs:
            if not name.startswith(_PREFIX):
                continue
            matched = _NAME.fullmatch(name)
            if matched is None or int(matched[1]) >= _MOST_FILTERS:
                # A condition that is passed over would answer with everything.
                self._break_rule("param_validation_error", name[:50], "no_such_filter")
            else:
                found.setdefault(int(matched[1]), {}).setdefault(matched[2], value)
        return found

    def _read_filter(self, name: str, asked: dict[str, str]) -> None:
        given = {part: text for part, text in asked.items() if text.strip()}
        key_name, operator = given.get("key", ""), given.get("op", "")
        needs_value = operator not in _NULLS
        missing = [part for part in ("key", "op", "value") if part not in given]
        if missing and (missing != ["value"] or needs_value):
            for part in missing:
                if part != "value" or needs_value:
                    self._break_rule("param_validation_error", f"{name}.{part}", "required")
            return
        key = KEYS.get(key_name)
        if key is None:
            self._break_rule("unsupported_filter_field", f"{name}.key", ("not_a_word", ", ".join(KEYS)))
        elif operator not in OPERATORS:
            words = ", ".join(OPERATORS)
            self._break_rule("param_validation_error", f"{name}.op", ("not_a_word", words))
        elif (misuse := _misuse(key, operator)) is not None:
            self._break_rule(misuse, f"{name}.op", f"{key_name} {operator}")
        elif operator in _NULLS:
            self.all += self._conditions(f"{name}.value", key, operator, ())
        else:
            self._read_value(f"{name}.value", key, operator, given["value"])

    def _read_value(self, name: str, key: Key, operator: str, text: str) -> None:
        try:
            texts = _listed(text) if operator in _LISTS else [text]
            values = tuple(dict.fromkeys(read(key, each, self._dates) for each in texts))
        except Unreadable as error:
            found = "param_format_error" if error.is_malformed else "param_validation_error"
            self._break_rule(found, name, error.reason)
            return
        if len(values) > _MOST_VALUES:
            self._break_rule("param_validation_error", name, ("too_many", _MOST_VALUES))
        elif not values:
            self._break_rule("param_validation_error", name, "required")
        else:
            self.all += self._conditions(name, key, operator, values)

    def _conditions(self, name: str, key: Key, operator: str, values: tuple[str, ...]) -> Sequence[Condition]:
        if key.kind is Kind.DATE and values:
            operator, values = self._by_seconds(operator, values[0])
        return [Condition(name, key.field, OPERATORS[operator], values)]

    def _by_seconds(self, operator: str, value: str) -> tuple[str, tuple[str, ...]]:
        """Dates of this API are whole seconds: what is equal to one is neither before nor after it."""
        moment = self._dates.read(value)
        assert moment is not None
        if operator in ("EQUAL", "NOT_EQUAL"):
            return operator, (moment.begin().rfc3339(),)
        if moment.nanos == 0 and operator in ("GREATER_THAN", "LESS_THAN_EQUAL"):
            return operator, (moment.end().rfc3339(),)
        return operator, (value,)

    def _break_rule(self, key: str, name: str, reason: Text) -> None:
        self._wrong.append((key, Violation(name, reason)))


def _misuse(key: Key, operator: str) -> str | None:
    if operator in _RANGES and not key.has_ranges:
        return "unsupported_range_filter"
    if operator in _MATCHES and not key.has_matches:
        return "unsupported_match_filter"
    if operator in _LISTS and not key.has_lists:
        return "unsupported_in_filter"
    return None


def _listed(text: str) -> list[str]:
    """`1,2,3`, `[1,2,3]` or `["a","b"]`."""
    if not text.strip().startswith("["):
        parts = [part.strip() for part in text.split(",")]
        if "" in parts:
            raise Unreadable("not_an_array_of_values", is_malformed=True)
        return parts
    try:
        items = parse_json(text.strip().encode())
    except BodyError:
        items = None
    if not isinstance(items, list) or not all(isinstance(item, str | int | float) for item in items):
        raise Unreadable("not_an_array_of_values", is_malformed=True)
    return [_text_of(item) for item in items]


def _text_of(item: Any) -> str:
    if isinstance(item, bool):
        return str(item).lower()
    return item.text if isinstance(item, Spelled) else str(item)
