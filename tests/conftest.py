"""The matrix: which database and which transport a test runs on, and what of it runs every time.

SQLite over LocalChannel, sending by itself, always runs in full. A test that also takes PostgreSQL, a socket
or a sender runs there in a third of its cases, chosen by hash, so that each run has the same third on every
machine; `--all` runs everything, `@pytest.mark.every_database` exempts a test from the choice, and so does
naming a case in full.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import peewee
import psycopg
import pytest

from peers.postgresql import PostgresqlServer, running_postgresql
from postroom_server.store.migration import migrate
from postroom_server.store.models import bound
from postroom_server.store.opening import Address, OpenDatabase, open_database
from postroom_server.store.unit import Store

# PostgreSQL is started as another user, for which Python forks; and then gRPC's handlers, which want to bring
# its threads over into the child, now and then take the child down before it has become PostgreSQL. It asks
# when it is imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

DATA_KEY = "5a" * 32
ALWAYS = {"database": "sqlite", "transport": "local", "sender": "own"}
SHARE = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run every combination of database and transport")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every_database: always runs on every database and transport")
    # The same examples in each run; `--all` looks for new ones. No deadline, for machines are shared.
    hypothesis.settings.register_profile("postroom", deadline=None, derandomize=not config.getoption("--all"))
    hypothesis.settings.load_profile("postroom")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--all") or any("[" in argument for argument in config.args):
        return
    chosen = [item for item in items if _is_chosen(item)]
    config.hook.pytest_deselected(items=[item for item in items if not _is_chosen(item)])
    items[:] = chosen


def _is_chosen(item: pytest.Item) -> bool:
    parameters = (
        item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    )
    if all(parameters.get(name, usual) == usual for name, usual in ALWAYS.items()):
        return True
    if item.get_closest_marker("every_database"):
        return True
    # The whole node id: each case and each combination of a test draws its own lot.
    return hashlib.sha256(item.nodeid.encode()).digest()[0] % SHARE == 0


@pytest.fixture(params=["local", "socket"])
def transport(request: pytest.FixtureRequest) -> str:
    """How a client reaches the services: through LocalChannel, or over loopback."""
    return str(request.param)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, migrated database."""
    return str(request.getfixturevalue(f"{request.param}_database"))


@pytest.fixture
def sqlite_database(tmp_path: Path, migrated_sqlite: Path) -> str:
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'postroom.db')}"


@pytest.fixture
def postgresql_database(postgresql: PostgresqlServer, migrated_postgresql: str) -> Iterator[str]:
    url = copy_of(migrated_postgresql, postgresql)
    yield url
    postgresql.drop_database(url)


@pytest.fixture
def opened(database: str) -> Iterator[OpenDatabase]:
    """The test's database, opened for serving as a process does it."""
    opened = open_database(Address(database), key_text=DATA_KEY, key_file=None, auto_migrate=False)
    yield opened
    opened.close()


@pytest.fixture
def store(opened: OpenDatabase) -> Store:
    return opened.store


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """This worker's own server, started when the first test asks for it."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: PostgresqlServer) -> str:
    """The name of the database that the tests' are copies of: 40 ms each, where a migration takes 300."""
    url = postgresql.new_database()
    _migrate(url)
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "postroom.db"
    _migrate(f"sqlite:///{path}")
    return path


def copy_of(template: str, server: PostgresqlServer) -> str:
    name = f"copy_{secrets.token_hex(6)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.url(name)


def _migrate(url: str) -> None:
    handle: peewee.Database = Address(url).connect()
    migrate(handle)
    # The last connection of a SQLite file takes the WAL into it; only then the file alone is a copy.
    handle.close()
    bound.initialize(None)
