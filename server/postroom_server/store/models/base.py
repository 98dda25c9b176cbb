"""The bound database and the field types that every model shares."""

from __future__ import annotations

from typing import Any

import peewee

# One process serves one database; `store.database.open_database` binds it here.
bound = peewee.DatabaseProxy()


class IdField(peewee.BigIntegerField):
    """A 64-bit id that we make ourselves (store/ids.py), or one that points at such a row."""


class TimeField(peewee.BigIntegerField):
    """Milliseconds since the Unix epoch, UTC (clock.Millis)."""


class JsonField(peewee.TextField):
    """JSON text, written and read by the code that knows its shape."""


class Row(peewee.Model):
    """A row. Tables are named in the singular, like the contract's resources."""

    class Meta:
        database = bound
        legacy_table_names = False


def add_index(
    model: type[Row], name: str, *columns: peewee.Field[Any], where: peewee.Expression | None = None
) -> None:
    """Declares an index with a name of its own; `where` makes it partial."""
    model.add_index(model.index(*columns, where=where, name=name))
