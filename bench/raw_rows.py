"""The rows that Postroom writes for its mails, written without it: what the database alone can take.

A process of its own, which does nothing else and has the rows ready before the clock starts.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import apsw
from bench.children import answer, questions, tidy_when_ended

from postroom_server.store.sqlite import PRAGMAS

_TABLES = ("email", "content", "delivery", "recipient", "event")
IN_TRANSACTION = 1000
_ID_COLUMNS = {"id", "email_id", "delivery_id", "recipient_id"}


class Rows:
    """The rows of the mails in a database, and an empty database with the same schema."""

    def __init__(self, database: str, folder: Path) -> None:
        self._connection = apsw.Connection(str(folder / "raw.db"))
        self._rows: dict[str, list[list[object]]] = {}
        self._ids: dict[str, list[int]] = {}
        source = apsw.Connection(database, apsw.SQLITE_OPEN_READONLY)
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
            columns = [column[0] for column in found.get_description()]
            self._ids[table] = [i for i, name in enumerate(columns) if name in _ID_COLUMNS]
            self._rows[table] = [list(row) for row in found]
        source.close()

    def seconds(self, mails: int) -> float:
        """How long it takes to write so many mails, in transactions of a thousand."""
        spent = 0.0
        for _ in range(mails // IN_TRANSACTION):
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
        return spent


def main() -> None:
    tidy_when_ended()
    folder = Path(tempfile.mkdtemp(prefix="postroom-bench-raw-"))
    try:
        answer("ready")
        rows: Rows | None = None
        for asked in questions():
            if asked["do"] == "read":
                rows = Rows(asked["database"], folder)
                answer("ok")
            elif rows is not None:
                answer({"seconds": rows.seconds(asked["mails"])})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
