"""Fills a database with very many emails that are over: one that Postroom accepted, again and again."""

from __future__ import annotations

import contextlib
import sqlite3

from bench.children import Child
from bench.served import Postroom


def fill(server: Postroom, loader: Child, *, rows: int, narrow: int, biz_key: str) -> None:
    """Every (rows / narrow)-th has `biz_key`; the server is stopped meanwhile. Contents are not copied."""
    loader.ask(
        do="unary", target=server.target, method="/postroom.v1.EmailService/SendEmail", token=server.token,
        calls=4, first=1, in_flight=1, later=True,
    )  # fmt: skip
    server.end()
    with contextlib.closing(sqlite3.connect(server.database)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        email, recipient = (_pattern(connection, table) for table in ("email", "recipient"))
        # Below the pattern's own id there is room: ids are milliseconds times four million.
        numbers = f"WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {rows})"
        email |= {
            "id": f"{email['id']} - ({rows} - n) * 8 - 8",
            "out_id": "'bench-' || n",
            "biz_key": f"iif(n % {rows // narrow} = 0, '{biz_key}', NULL)",
            "state": "'SUCCESS'",
            "open_count": "0",
            "delivered_count": "1",
            "settle_time": f"{email['accept_time']} + n",
        }
        recipient |= {
            "id": f"{email['id']} + 2",
            "email_id": str(email["id"]),
            "delivery_id": f"{email['id']} + 1",
            "address": "'reader' || n || '@example.com'",
            "state": "'DELIVERED'",
        }
        for table, pattern in (("email", email), ("recipient", recipient)):
            columns = ", ".join(f'"{name}"' for name in pattern)
            connection.execute(
                f"INSERT INTO {table} ({columns}) {numbers} SELECT {', '.join(pattern.values())} FROM n"
            )
        connection.commit()
        connection.execute("ANALYZE")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    server.start()


def _pattern(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """The newest row's columns as SQL literals."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    quoted = ", ".join(f'quote("{name}")' for name in columns)
    row = connection.execute(f"SELECT {quoted} FROM {table} ORDER BY id DESC LIMIT 1").fetchone()
    return dict(zip(columns, row, strict=True))
