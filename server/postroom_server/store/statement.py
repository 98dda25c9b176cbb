"""Hot statements: built from the models once, then executed with many rows and no query building.

Building any Peewee query costs hundreds of microseconds; executing its SQL again costs ten.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import peewee

from postroom_server.store.models.base import Row, bound


class _Bind:
    """Marks the place of a value in a query that is compiled before its values are known."""

    def __init__(self, name: str) -> None:
        self.name = name


def bind(name: str) -> peewee.Value:
    """A place for the value `name`, to be given at each execution."""
    return peewee.Value(_Bind(name), converter=False, unpack=False)


def is_postgresql() -> bool:
    return isinstance(bound.obj, peewee.PostgresqlDatabase)


def one_of(field: peewee.Field, name: str) -> peewee.Expression | peewee.NodeList:
    """`field IN (the list given as name)`: one parameter, whatever the list's length.

    SQLite takes the list as JSON text, PostgreSQL as an array; `as_list` makes either.
    """
    if is_postgresql():
        return peewee.NodeList((field, peewee.SQL("= ANY("), bind(name), peewee.SQL(")")))
    each = peewee.NodeList((peewee.SQL("SELECT value FROM json_each("), bind(name), peewee.SQL(")")))
    return peewee.NodeList((field, peewee.SQL("IN ("), each, peewee.SQL(")")))


def as_list(values: Iterable[int | str]) -> Any:
    """The value that `one_of` expects."""
    listed = list(values)
    return listed if is_postgresql() else json.dumps(listed)


class Statement:
    """A query with named places. `build` runs once per kind of database."""

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build
        self._compiled: dict[bool, tuple[str, tuple[Any, ...]]] = {}

    def _sql(self) -> tuple[str, tuple[Any, ...]]:
        kind = is_postgresql()
        if kind not in self._compiled:
            sql, values = self._build().sql()
            self._compiled[kind] = sql, tuple(values)
        return self._compiled[kind]

    def text(self) -> str:
        return self._sql()[0]

    def values(self, **given: Any) -> list[Any]:
        return [given[v.name] if isinstance(v, _Bind) else v for v in self._sql()[1]]

    def execute(self, **given: Any) -> Any:
        """Runs once and returns the driver's cursor."""
        sql, places = self._sql()
        return bound.connection().execute(sql, [given[v.name] if isinstance(v, _Bind) else v for v in places])

    def change(self, **given: Any) -> int:
        """Runs an UPDATE, DELETE or INSERT without RETURNING once; returns how many rows it changed."""
        cursor = self.execute(**given)
        return int(cursor.rowcount if is_postgresql() else cursor.connection.changes())

    def rows(self, **given: Any) -> list[tuple[Any, ...]]:
        return self.execute(**given).fetchall()  # type: ignore[no-any-return]

    def execute_many(self, rows: Sequence[dict[str, Any]]) -> None:
        """Runs for every row of named values."""
        if not rows:
            return
        sql, places = self._sql()
        names = [v.name if isinstance(v, _Bind) else None for v in places]
        if None in names:
            listed = [
                [row[name] if name is not None else fixed for name, fixed in zip(names, places, strict=True)]
                for row in rows
            ]
        else:
            listed = [[row[name] for name in names] for row in rows]  # type: ignore[index]
        bound.connection().cursor().executemany(sql, listed)


# By peewee's names for the types of columns.
_ARRAYS = {"BIGINT": "bigint", "INT": "integer", "SMALLINT": "smallint", "BOOL": "boolean", "TEXT": "text"}

# Rows in one step of SQLite; few sizes, so that the statements are compiled once. It takes 32766 values in
# one, and the widest table has fewer than fifty columns.
_STEPS = (64, 16, 4)


class Insert:
    """Inserts rows given as tuples in the order of `fields`."""

    def __init__(self, model: type[Row], fields: Sequence[peewee.Field], *, suffix: str = "") -> None:
        self.fields = tuple(fields)
        columns = ", ".join(f'"{field.column_name}"' for field in fields)
        self._head = f'INSERT INTO "{model._meta.table_name}" ({columns}) VALUES '  # noqa: S608 - names of ours
        self._suffix = f" {suffix}" if suffix else ""
        self._width = len(self.fields)
        self._made: dict[tuple[str, int], str] = {}  # by placeholder and rows

    def many(self, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        cursor = bound.connection().cursor()
        if is_postgresql():
            cursor.executemany(self._sql("%s", 1), rows)
            return
        # SQLite's driver gives the interpreter up at every step, and an event loop that is busy keeps it for
        # milliseconds: a step takes many rows.
        done = 0
        for size in _STEPS:
            sql = self._sql("?", size)
            while len(rows) - done >= size:
                cursor.execute(sql, tuple(itertools.chain.from_iterable(rows[done : done + size])))
                done += size
        if done < len(rows):
            cursor.executemany(self._sql("?", 1), rows[done:])

    def _sql(self, place: str, rows: int) -> str:
        if (place, rows) not in self._made:
            row = f"({', '.join([place] * self._width)})"
            self._made[place, rows] = f"{self._head}{', '.join([row] * rows)}{self._suffix}"
        return self._made[place, rows]

    def together(self, rows: Sequence[Sequence[Any]]) -> None:
        """As `many`; to PostgreSQL hundreds of rows go as one message, whose columns are arrays."""
        if not is_postgresql():
            self.many(rows)
        elif rows:
            arrays = ", ".join(f"%s::{_ARRAYS[field.field_type]}[]" for field in self.fields)
            sql = f"{self._head.removesuffix(' VALUES ')} SELECT * FROM unnest({arrays}){self._suffix}"  # noqa: S608
            bound.connection().execute(sql, [list(column) for column in zip(*rows, strict=True)])


def insert(model: type[Row], *, without: Sequence[peewee.Field] = (), suffix: str = "") -> Insert:
    """An Insert of every column of the model, in the order of its declaration, but those of `without`."""
    # By name: `==` between fields is not a comparison but an expression, and true.
    left_out = {field.name for field in without}
    fields = [field for field in model._meta.sorted_fields if field.name not in left_out]
    return Insert(model, fields, suffix=suffix)
