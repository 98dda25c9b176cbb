"""Pages: the positions of the rows that match, from a position on or after a number of rows, and their count.

Only keys and ids are selected here, mostly out of an index; the rows themselves are loaded by id.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import peewee

from postroom_server.store.models import Row, bound
from postroom_server.store.ordering import Key, Order, Position, behind


def select(
    model: type[Row],
    conditions: Sequence[Any],
    order: Order,
    *,
    after: Position | None,
    skip: int,
    limit: int,
) -> list[Position]:
    """At most `limit` positions in order, behind `after` when it is given, else after the first `skip`."""
    first = order[0]
    if not first.nullable:
        return _select(model, conditions, order, order, after, skip, limit)
    # No index has its nulls last in both directions on both databases, and a sort would touch every row. Rows
    # with the first key and rows without are each in the order of an index, so they are read one by one.
    rows: list[Position] = []
    if after is None or after[0] is not None:
        with_value = (dataclasses.replace(first, nullable=False), *order[1:])
        has_value = [*conditions, first.column.is_null(False)]
        rows = _select(model, has_value, order, with_value, after, skip, limit)
        if len(rows) == limit:
            return rows
        after = None
        if rows or not skip:
            skip = 0
        else:
            skip -= count(model, has_value, at_most=skip)
    without_value = [*conditions, first.column.is_null()]
    rest = None if after is None else after[1:]
    return rows + _select(model, without_value, order, order[1:], rest, skip, limit - len(rows))


def _select(
    model: type[Row],
    conditions: Sequence[Any],
    columns: Order,
    order: Sequence[Key],
    after: Sequence[Any] | None,
    skip: int,
    limit: int,
) -> list[Position]:
    query = model.select(*(key.column for key in columns)).where(*conditions)
    if after is not None:
        query = query.where(behind(order, after))
    query = query.order_by(*(key.term() for key in order)).limit(limit)
    if skip:
        query = query.offset(skip)
    return rows_of(query)


def count(model: type[Row], conditions: Sequence[Any], *, at_most: int | None = None) -> int:
    """How many rows match; counting ends at `at_most`."""
    matching = model.select(peewee.SQL("1")).where(*conditions)
    if at_most is not None:
        matching = matching.limit(at_most)
    return int(rows_of(peewee.Select([matching], [peewee.fn.COUNT(peewee.SQL("*"))]).bind(bound))[0][0])


def rows_of(query: Any) -> list[Any]:
    """Runs a query past Peewee's cursors: they cost more than the rows."""
    sql, values = query.sql()
    return list(bound.connection().execute(sql, values).fetchall())
