"""Eyes outside the store, on connections it does not know of; and SQLite stores made to a test's measure."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

from postroom_server.store import sqlite_writer
from postroom_server.store.models import bound
from postroom_server.store.opening import Address
from postroom_server.store.sqlite import SqliteStore, sqlite_database

Outside = Callable[[str], list[tuple[Any, ...]]]
MakeStore = Callable[..., SqliteStore]


@pytest.fixture
def outside(database: str) -> Outside:
    """Runs SQL on a connection of its own, and sees what others have committed."""
    return looking_at(database)


def looking_at(url: str) -> Outside:
    def run(sql: str) -> list[tuple[Any, ...]]:
        path = Address(url).sqlite_path
        if path:
            with connected(path) as connection:
                return connection.execute(sql).fetchall()
        with psycopg.connect(url, autocommit=True) as line:
            cursor = line.execute(sql)
            return cursor.fetchall() if cursor.description else []

    return run


@contextlib.contextmanager
def connected(path: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5000)
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def path(sqlite_database: str) -> Path:
    path = Address(sqlite_database).sqlite_path
    assert path
    return path


@pytest.fixture
def make_store(path: Path) -> Iterator[MakeStore]:
    """Makes a store with settings of the test's own."""
    with contextlib.ExitStack() as closing:

        def make(
            *, busy_seconds: float = 5.0, pragmas: dict[str, Any] | None = None, **settings: Any
        ) -> SqliteStore:
            handle = sqlite_database(path, busy_seconds=busy_seconds)
            for name, value in (pragmas or {}).items():
                handle.pragma(name, value, permanent=True)
            handle.close()
            bound.initialize(handle)
            store = SqliteStore(handle, **settings)
            closing.callback(store.close)
            return store

        yield make


@pytest.fixture
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a group take as long as it likes, so that its size alone ends it."""
    monkeypatch.setattr(sqlite_writer, "GROUP_SECONDS", 600.0)
