"""Fills a database with very many emails that are over: one that Postroom accepted, again and again.

By statements that insert all rows at once, without the indexes, which are made afterwards. Contents, events
and attempts are not copied: nothing that is measured here looks at more than one email's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import apsw
import psycopg
from bench.children import Child
from bench.served import SEND, Postroom

BIZ_KEY = "EVENT_NOTICE"
_TABLES = ("email", "delivery", "recipient")


def fill(server: Postroom, loader: Child, *, rows: int, narrow: int, first: int) -> None:
    """Every (rows / narrow)-th email has BIZ_KEY; the server is stopped meanwhile."""
    loader.ask(
        do="unary", target=server.target, method=SEND, token=server.token, mails=2, first=first, in_flight=1,
        later=True,
    )  # fmt: skip
    server.end()
    with contextlib.closing(_opened(server.database_url)) as database:
        email = database.one("SELECT MAX(id) FROM email")
        # Below the oldest id there is room: ids are milliseconds times four million.
        oldest = min(database.one(f"SELECT MIN(id) FROM {table}") for table in _TABLES)
        new_id = f"{oldest} - ({rows} - s.n) * 8 - 8"
        values = {
            "email": {
                "id": new_id,
                "out_id": "'bench-' || s.n",
                "biz_key": f"CASE WHEN s.n % {max(1, rows // narrow)} = 0 THEN '{BIZ_KEY}' END",
                "state": "'SUCCESS'",
                "open_count": "0",
                "delivered_count": "1",
                "settle_time": "p.accept_time + s.n",
            },
            "delivery": {"id": f"{new_id} + 1", "email_id": new_id, "state": "'DONE'", "tries": "1"},
            "recipient": {
                "id": f"{new_id} + 2",
                "email_id": new_id,
                "delivery_id": f"{new_id} + 1",
                "address": "'reader' || s.n || '@example.com'",
                "state": "'DELIVERED'",
            },
        }
        with database.without_indexes():
            for table in _TABLES:
                column = "id" if table == "email" else "email_id"
                database.run(
                    f"CREATE TEMPORARY TABLE pattern_{table} AS"
                    f" SELECT * FROM {table} WHERE {column} = {email}"
                )
                columns = database.columns(table)
                made = ", ".join(values[table].get(name, f'p."{name}"') for name in columns)
                names = ", ".join(f'"{name}"' for name in columns)
                database.run(
                    f"INSERT INTO {table} ({names})"
                    f" SELECT {made} FROM pattern_{table} p, {database.series(rows)}"
                )
        database.finish()
    server.start()


class _Database(Protocol):
    """What both databases are asked in the same way."""

    # The names and texts of the indexes of these tables, but for those that constraints bring.
    _indexes: str
    _connection: Any

    def run(self, sql: str) -> Any:
        return self._connection.execute(sql)

    def one(self, sql: str) -> int:
        return int(self.run(sql).fetchone()[0])

    def columns(self, table: str) -> list[str]: ...

    def series(self, rows: int) -> str: ...

    @contextlib.contextmanager
    def without_indexes(self) -> Iterator[None]:
        tables = ", ".join(f"'{table}'" for table in _TABLES)
        indexes = self.run(self._indexes.format(tables=tables)).fetchall()
        for name, _ in indexes:
            self.run(f'DROP INDEX "{name}"')
        yield
        for _, sql in indexes:
            self.run(sql)

    def finish(self) -> None: ...

    def close(self) -> None:
        self._connection.close()


class _Sqlite(_Database):
    _indexes = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        " AND tbl_name IN ({tables})"
    )

    def __init__(self, path: str) -> None:
        self._connection = apsw.Connection(path)
        self._connection.set_busy_timeout(5000)
        for pragma in ("synchronous=OFF", "cache_size=-256000", "temp_store=memory"):
            self.run(f"PRAGMA {pragma}")

    def columns(self, table: str) -> list[str]:
        return [row[1] for row in self.run(f"PRAGMA table_info({table})")]

    def series(self, rows: int) -> str:
        return (
            f"(WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {rows})"
            " SELECT n FROM n) s"
        )

    def finish(self) -> None:
        self.run("ANALYZE")
        self.run("PRAGMA wal_checkpoint(TRUNCATE)")


class _Postgresql(_Database):
    _indexes = (
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ({tables})"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname)"
    )

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self.run("SET synchronous_commit = off")

    def columns(self, table: str) -> list[str]:
        found = self.run(
            f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"
            " AND table_schema = current_schema() ORDER BY ordinal_position"
        )
        return [row[0] for row in found]

    def series(self, rows: int) -> str:
        return f"generate_series(1, {rows}) AS s(n)"

    def finish(self) -> None:
        self.run("VACUUM ANALYZE")
        self.run("CHECKPOINT")


def _opened(url: str) -> _Database:
    return _Sqlite(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else _Postgresql(url)
