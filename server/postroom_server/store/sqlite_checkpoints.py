"""Moves what a SQLite file's write-ahead log holds into the file, on a thread and a connection of its own.

Left to itself, SQLite does that inside the COMMIT that finds the log long enough, and whoever waits for this
COMMIT waits for the copying and its sync too. It needs neither the write lock nor the interpreter, so it can
as well go on beside the next units (https://www.sqlite.org/c3ref/wal_checkpoint_v2.html: a passive checkpoint
blocks nobody). Should it fall behind, or fail, the writer's own wal_autocheckpoint steps in.
"""

from __future__ import annotations

import threading
from pathlib import Path

import apsw
import structlog

log = structlog.get_logger()

# The log grows by about three pages for four rows of mail.
ROWS_BETWEEN = 4000

_PATIENCE_MS = 5000


class Checkpoints:
    """`written` may be called from any thread, `close` once. The thread is a daemon."""

    def __init__(self, path: Path, *, rows_between: int = ROWS_BETWEEN) -> None:
        self._path = path
        self._rows_between = rows_between
        self._rows_at_last = 0
        self._wanted = threading.Event()
        self._closing = False
        self.count = 0  # how many have ended
        self._thread = threading.Thread(target=self._run, name="store-checkpoints", daemon=True)
        self._thread.start()

    def written(self, rows: int) -> None:
        """Says how many rows the writer's connection has changed in all, up to its last COMMIT."""
        if 0 <= rows - self._rows_at_last < self._rows_between:
            return  # fewer than before: by a new connection
        self._rows_at_last = rows
        self._wanted.set()

    def close(self) -> None:
        """Ends the thread, after the checkpoint under way. Blocks."""
        self._closing = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        connection: apsw.Connection | None = None
        while True:
            self._wanted.wait()
            self._wanted.clear()  # before the look: what is set from here on is seen at the next one
            if self._closing:
                break
            try:
                connection = connection or _connect(self._path)
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self.count += 1
            except apsw.Error as error:
                # Nothing is lost: the log keeps what it holds, and the next one takes it along.
                log.warning("store_checkpoint_failed", error=str(error))
        if connection is not None:
            connection.close()


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(_PATIENCE_MS)
    return connection
