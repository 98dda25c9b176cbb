"""The rows that Postroom writes for its mails, written without it: what the database alone can take."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.children import Child
from bench.served import Postroom

from postroom_server.store.sqlite import PRAGMAS

_TABLES = ("email", "content", "delivery", "recipient", "event")
_IN_TRANSACTION = 1000
_ID_COLUMNS = {"id", "email_id", "delivery_id", "recipient_id"}


class Rows:
    """A thousand mails' rows, and an empty database with the same schema."""

    def __init__(self, server: Postroom, loader: Child, folder: Path) -> None:
        self._server = server
        self._loader = loader
        self._connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
        self._written = 0
        self._rows: dict[str, list[list[object]]] = {}
        self._ids: dict[str, list[int]] = {}

    def read(self) -> None:
        """Has Postroom accept the mails, and reads what it wrote."""
        self._loader.ask(
            do="batches", target=self._server.target, token=self._server.token, mails=_IN_TRANSACTION,
            first=9_000_000, per_call=_IN_TRANSACTION, in_flight=1, later=True,
        )  # fmt: skip
        source = sqlite3.connect(f"file:{self._server.database}?mode=ro", uri=True)
        for name, value in PRAGMAS.items():
            self._connection.execute(f"PRAGMA {name}={value}")
        for kind in ("table", "index", "trigger"):
            for (sql,) in source.execute(
                "SELECT sql FROM sqlite_master"
                " WHERE type = ? AND sql IS NOT NULL AND name NOT LIKE 'sqlite%'",
                (kind,),
            ):
                self._connection.execute(sql)
        for table in _TABLES:
            found = source.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in found.description]
            self._ids[table] = [i for i, name in enumerate(columns) if name in _ID_COLUMNS]
            self._rows[table] = [list(row) for row in found]
        source.close()

    def rate(self, mails: int) -> float:
        """Mails a second."""
        spent = 0.0
        for _ in range(mails // _IN_TRANSACTION):
            # Ids grow from mail to mail as in real use; making them is not part of the time.
            step = 1 << 40
            for table, rows in self._rows.items():
                for row in rows:
                    for i in self._ids[table]:
                        if row[i] is not None:
                            row[i] = int(str(row[i])) + step
            began = time.perf_counter()
            self._connection.execute("BEGIN IMMEDIATE")
            for table, rows in self._rows.items():
                places = ", ".join("?" * len(rows[0]))
                self._connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
            self._connection.execute("COMMIT")
            spent += time.perf_counter() - began
        return mails / spent

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def rows_of(server: Postroom, loader: Child) -> Iterator[Rows]:
    folder = Path(tempfile.mkdtemp(prefix="postroom-bench-raw-"))
    rows = Rows(server, loader, folder)
    try:
        yield rows
    finally:
        rows.close()
        shutil.rmtree(folder, ignore_errors=True)
