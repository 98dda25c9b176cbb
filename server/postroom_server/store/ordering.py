"""Orders: `order_by` made into keys, ORDER BY and the condition "behind this position".

Rows without a value come last in either direction, on both databases; the id breaks ties, in the direction of
the first key.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import peewee

from postroom_server.refusals import Reason, Violation

_TERM = re.compile(r"\s*([a-z_]{1,40})(\s+desc)?\s*", re.ASCII)
_MOST_CHARACTERS = 200

Position = tuple[int | str | None, ...]  # the values of the keys, the id last


@dataclasses.dataclass(frozen=True, slots=True)
class Sortable:
    """A column that a list may be ordered by. A time that ids are given at is ordered by the id."""

    column: peewee.Field
    nullable: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """One column of an order."""

    name: str
    column: peewee.Field
    nullable: bool
    descending: bool

    def term(self) -> Any:
        order = self.column.desc if self.descending else self.column.asc
        return order(nulls="LAST") if self.nullable else order()

    def equals(self, value: Any) -> Any:
        return self.column.is_null() if value is None else self.column == value

    def behind(self, value: Any) -> Any:
        """Rows that come after those with this value; None when there are none."""
        if value is None:
            return None
        beyond = self.column < value if self.descending else self.column > value
        return beyond | self.column.is_null() if self.nullable else beyond


Order = tuple[Key, ...]  # ends with the id


def parse(text: str, sortable: Mapping[str, Sortable], default: str, violations: list[Violation]) -> Order:
    """Reads an order such as `schedule_time desc, id`; the table's `id` is added when it is not named."""
    keys: list[Key] = []
    text = text if text.strip() else default
    for term in text.split(",") if len(text) <= _MOST_CHARACTERS else [text]:
        matched = _TERM.fullmatch(term) if len(text) <= _MOST_CHARACTERS else None
        name = matched[1] if matched else ""
        if matched is None or name not in sortable or name in (key.name for key in keys):
            problem = f"must be like `{default}`, each once of {', '.join(sortable)}"
            violations.append(Violation("order_by", problem, Reason.UNSUPPORTED_ORDER_BY))
            return ()
        column = sortable[name]
        keys.append(Key(name, column.column, column.nullable, matched[2] is not None))
    id_column = sortable["id"].column
    if all(key.column is not id_column for key in keys):
        keys.append(Key("id", id_column, False, keys[0].descending))
    # The id is unique: what is named behind it, by whatever name, decides nothing.
    return tuple(keys[: [key.column is id_column for key in keys].index(True) + 1])


def as_text(order: Order) -> str:
    """One spelling for every spelling of the same order."""
    return ",".join(f"{key.name} desc" if key.descending else key.name for key in order)


def behind(order: Sequence[Key], position: Sequence[Any]) -> Any:
    """The condition that rows come after a position."""
    first = order[0]
    if len(order) == 1:
        return first.behind(position[0])
    alike = all(key.descending is first.descending and not key.nullable for key in order)
    if alike:
        # Both databases begin to read an index here; the same said with ANDs and ORs they do not.
        row, place = peewee.Tuple(*(key.column for key in order)), peewee.Tuple(*position)
        return row < place if first.descending else row > place
    choices = []
    for depth, key in enumerate(order):
        beyond = key.behind(position[depth])
        if beyond is None:
            continue
        for earlier, value in zip(order[:depth], position, strict=False):
            beyond = earlier.equals(value) & beyond
        choices.append(beyond)
    condition = choices[0]
    for choice in choices[1:]:
        condition = condition | choice
    if first.nullable:
        return condition
    # Follows from the rest, and gives an index its beginning.
    return (first.column <= position[0] if first.descending else first.column >= position[0]) & condition
