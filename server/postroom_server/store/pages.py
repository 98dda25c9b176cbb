"""Pages: the positions of the rows that match, from a position on or after a number of rows, and their count.

Only keys and ids are selected here, mostly out of an index; the rows themselves are loaded by id.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import peewee

from postroom_server.store.models import Row, bound
from postroom_server.store.ordering import Order, Position, behind
from postroom_server.store.statement import is_postgresql

_IDS = (-1, (1 << 63) - 1)


@dataclasses.dataclass(frozen=True, slots=True)
class Rows:
    """Which rows: those where every pinned column has its value, and the conditions hold.

    An index begins with the pinned columns, in their order, and ends with the id.
    """

    model: type[Row]
    pinned: tuple[tuple[peewee.Field, Any], ...] = ()
    conditions: tuple[Any, ...] = ()

    def all_conditions(self) -> list[Any]:
        return [*(column == value for column, value in self.pinned), *self.conditions]

    def where(self, *more: Any) -> Rows:
        return dataclasses.replace(self, conditions=(*self.conditions, *more))


def select(rows: Rows, order: Order, *, after: Position | None, skip: int, limit: int) -> list[Position]:
    """At most `limit` positions in order, behind `after` when it is given, else after the first `skip`."""
    first = order[0]
    if len(order) == 1:
        query = by_id(rows, first.column, descending=first.descending, after=after and after[0])
        return rows_of(_cut(query, skip, limit))
    if not first.nullable:
        return _select(rows, order, after, skip, limit)
    # No index has its nulls last in both directions on both databases, and a sort would touch every row. Rows
    # with the first key and rows without are each in the order of an index, so they are read one by one.
    found: list[Position] = []
    plain = (dataclasses.replace(first, nullable=False), *order[1:])
    if after is None or after[0] is not None:
        valued = rows.where(first.column.is_null(False))
        found = _select(valued, plain, after, skip, limit)
        if len(found) == limit:
            return found
        after = None
        if found or not skip:
            skip = 0
        else:
            skip -= count(valued, at_most=skip)
    return found + _select(rows.where(first.column.is_null()), plain, after, skip, limit - len(found))


def _select(rows: Rows, order: Order, after: Position | None, skip: int, limit: int) -> list[Position]:
    query = rows.model.select(*(key.column for key in order)).where(*rows.all_conditions())
    if after is not None:
        # Among rows without the first key only the others tell what is behind.
        deciding = order if after[0] is not None else order[1:]
        query = query.where(behind(deciding, after[-len(deciding) :]))
    return rows_of(_cut(query.order_by(*(key.term() for key in order)), skip, limit))


def by_id(rows: Rows, id_column: peewee.Field, *, descending: bool, after: Any = None) -> Any:
    """A query of ids in their order, behind `after`. The values may be places of a Statement.

    PostgreSQL, asked for `tenant_id = 7 ORDER BY id LIMIT 50`, likes to walk the primary key until it has met
    50 rows of the tenant, which for one that has been silent lately are millions. It cannot when the same is
    said as a range of the index and in the order of the index. With more columns than one pinned that would
    be worse: such a range ends for PostgreSQL only where its first column does, so that it reads on to the
    end of the tenant. Then the values are few enough for it to see by itself which index serves.
    """
    query = rows.model.select(id_column)
    if not is_postgresql() or len(rows.pinned) > 1:
        query = query.where(*rows.all_conditions()).order_by(_directed(id_column, descending))
        if after is not None:
            query = query.where(id_column < after if descending else id_column > after)
        return query
    columns = [*(column for column, _ in rows.pinned), id_column]
    values = [value for _, value in rows.pinned]
    place = peewee.Tuple(*columns)
    low, high = (peewee.Tuple(*values, end) for end in _IDS)
    if after is not None:
        low, high = (
            (low, peewee.Tuple(*values, after)) if descending else (peewee.Tuple(*values, after), high)
        )
    begin = place < high if descending and after is not None else place <= high
    end = place > low if not descending and after is not None else place >= low
    return query.where(begin, end, *rows.conditions).order_by(*(_directed(c, descending) for c in columns))


def count(rows: Rows, *, at_most: int | None = None) -> int:
    """How many rows match; counting ends at `at_most`."""
    id_column = rows.model._meta.primary_key
    if at_most is not None and isinstance(id_column, peewee.Field):
        matching = by_id(rows, id_column, descending=True).limit(at_most)
    else:
        matching = rows.model.select(peewee.SQL("1")).where(*rows.all_conditions())
    return int(rows_of(peewee.Select([matching], [peewee.fn.COUNT(peewee.SQL("*"))]).bind(bound))[0][0])


def _directed(column: peewee.Field, descending: bool) -> Any:
    return column.desc() if descending else column.asc()


def _cut(query: Any, skip: int, limit: int) -> Any:
    return query.limit(limit).offset(skip) if skip else query.limit(limit)


def rows_of(query: Any) -> list[Any]:
    """Runs a query past Peewee's cursors: they cost more than the rows."""
    sql, values = query.sql()
    return list(bound.connection().execute(sql, values).fetchall())
