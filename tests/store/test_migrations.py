"""A migrated empty database equals the models, but for what is listed here."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.resources
import re
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import apsw
import peewee
import pytest
from playhouse.schema_diff import IndexDiff, diff_models

from peers.postgresql import PostgresqlServer
from postroom_server.store.migration import OldDatabaseError, migrate, pending
from postroom_server.store.models import ALL, Fact, Generation, bound
from postroom_server.store.opening import Address, DatabaseUnusableError, open_database
from postroom_server.store.script import beside
from postroom_server.store.sqlite import sqlite_database

# What the models do not say. Everything else must be the same.
ONLY_SQLITE = {"event.id autoincrement"}
ONLY_POSTGRESQL = {
    "event.xid xid8 NOT NULL",
    "event.xid DEFAULT pg_current_xact_id()",
    'binding.biz_key COLLATE "C"',
    'binding.invoke_name COLLATE "C"',
    'code.address_key COLLATE "C"',
    'code.biz_key COLLATE "C"',
    'code_guess.address_key COLLATE "C"',
    'code_guess.biz_key COLLATE "C"',
    'email.biz_key COLLATE "C"',
    'email.invoke_name COLLATE "C"',
    'email.out_id COLLATE "C"',
    'member.address COLLATE "C"',
    'recipient.address COLLATE "C"',
    'suppression.address COLLATE "C"',
    'suppression.address_key COLLATE "C"',
    'template.invoke_name COLLATE "C"',
}
EVENT_EMAIL = "event_email ON event (email_id)"
EVENT_STREAM = {
    "sqlite": "event_stream ON event (tenant_id, id)",
    "postgresql": "event_stream ON event (tenant_id, xid, id)",
}
TRIGGERS = {
    "sqlite": {
        "event_is_never_changed BEFORE UPDATE",
        "event_is_removed_by_retention_only BEFORE DELETE",
    },
    "postgresql": {
        "event_guard BEFORE UPDATE",
        "event_guard BEFORE DELETE",
        "event_guard_at_a_stroke BEFORE TRUNCATE",
    },
}
HISTORY = "schema_migration"  # Peewee's own table


@dataclasses.dataclass(frozen=True)
class Schema:
    """A database's tables, as lines that read alike on both databases."""

    columns: frozenset[str]
    indexes: frozenset[str]
    triggers: frozenset[str]


@contextlib.contextmanager
def connected(url: str) -> Iterator[peewee.Database]:
    handle = Address(url).connect()
    with contextlib.closing(handle):
        yield handle


@pytest.fixture
def empty(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a database of the same kind without anything in it."""
    if database.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'empty.db'}"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.new_database()


def schema(handle: peewee.Database) -> Schema:
    return (
        _postgresql_schema(handle)
        if isinstance(handle, peewee.PostgresqlDatabase)
        else _sqlite_schema(handle)
    )


def _sqlite_schema(handle: peewee.Database) -> Schema:
    columns, indexes, triggers = set(), set(), set()
    masters = handle.execute_sql("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    for kind, name, table, sql in masters:
        if table in (HISTORY, "sqlite_sequence"):
            continue
        if kind == "table":
            for _, column, type_, not_null, default, key in handle.execute_sql(
                f'PRAGMA table_info("{table}")'
            ):
                columns.add(f"{table}.{column} {type_.lower()}{' NOT NULL' if not_null else ''}")
                columns |= {f"{table}.{column} key {key}"} if key else set()
                columns |= {f"{table}.{column} DEFAULT {default}"} if default else set()
            columns |= {f"{table}.id autoincrement"} if "AUTOINCREMENT" in sql else set()
        elif kind == "index" and sql:
            indexes.add(_index(name, table, sql))
        elif kind == "trigger":
            triggers.add(f"{name} {re.search('BEFORE [A-Z]+', sql)[0]}")  # type: ignore[index]
    return Schema(frozenset(columns), frozenset(indexes), frozenset(triggers))


def _postgresql_schema(handle: peewee.Database) -> Schema:
    columns = set()
    for table, column, type_, not_null, default, collation, key in handle.execute_sql(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
        " pg_get_expr(d.adbin, d.adrelid), l.collname, array_position(k.conkey, a.attnum)"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum"
        " LEFT JOIN pg_collation l ON l.oid = a.attcollation AND l.collname <> 'default'"
        " LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> %s",
        (HISTORY,),
    ):
        columns.add(f"{table}.{column} {type_}{' NOT NULL' if not_null else ''}")
        columns |= {f"{table}.{column} key {key}"} if key else set()
        columns |= {f"{table}.{column} DEFAULT {default}"} if default else set()
        columns |= {f'{table}.{column} COLLATE "{collation}"'} if collation else set()
    indexes = {
        _index(name, table, sql)
        for name, table, sql in handle.execute_sql(
            "SELECT indexname, tablename, indexdef FROM pg_indexes"
            " WHERE schemaname = 'public' AND tablename <> %s AND indexname NOT LIKE '%%\\_pkey'",
            (HISTORY,),
        )
    }
    triggers = {
        f"{name} {timing} {act}"
        for name, timing, act in handle.execute_sql(
            "SELECT trigger_name, action_timing, event_manipulation FROM information_schema.triggers"
            " UNION SELECT tgname, 'BEFORE', 'TRUNCATE' FROM pg_trigger WHERE tgtype & 34 = 34"
        )
    }
    return Schema(frozenset(columns), frozenset(indexes), frozenset(triggers))


def _index(name: str, table: str, sql: str) -> str:
    """`UNIQUE name ON table (columns) WHERE predicate`, however the database spells it."""
    plain = re.sub(r'"|::text', "", sql)
    columns, where = re.fullmatch(r".*? ON [^(]*\(([^)]*)\)(?: WHERE (.*))?", plain, re.DOTALL).groups()  # type: ignore[union-attr]
    unique = "UNIQUE " if sql.startswith("CREATE UNIQUE") else ""
    predicate = re.sub(r"[()]|\b\w+\.", "", where) if where else ""
    return f"{unique}{name} ON {table} ({columns}){' WHERE ' + predicate if where else ''}"


def kind_of(handle: peewee.Database) -> str:
    return "postgresql" if isinstance(handle, peewee.PostgresqlDatabase) else "sqlite"


@pytest.mark.every_database
def test_a_migrated_empty_database_equals_the_models(database: str, empty: str) -> None:
    with connected(empty) as handle:
        handle.create_tables(ALL)
        modelled = schema(handle)
    with connected(database) as handle:
        migrated, kind = schema(handle), kind_of(handle)
    added = ONLY_POSTGRESQL if kind == "postgresql" else ONLY_SQLITE
    assert modelled.columns - migrated.columns == set()
    assert migrated.columns - modelled.columns == added
    assert modelled.indexes - migrated.indexes == set()
    assert migrated.indexes - modelled.indexes == {EVENT_EMAIL, EVENT_STREAM[kind]}
    assert modelled.triggers == set()
    assert migrated.triggers == TRIGGERS[kind]


@pytest.mark.every_database
def test_the_comparison_sees_what_a_schema_is_made_of(database: str) -> None:
    """Lest the test above compare two empty sets."""
    with connected(database) as handle:
        found, kind = schema(handle), kind_of(handle)
    number, flag = {"sqlite": ("integer", "integer"), "postgresql": ("bigint", "boolean")}[kind]
    assert {f"email.id {number} NOT NULL", "email.id key 1", f"email.html {flag} NOT NULL"} <= found.columns
    assert {"email.subject text", "idempotency.request_id key 3"} <= found.columns
    assert {
        "UNIQUE tenant_name ON tenant (name)",
        "email_list ON email (tenant_id, id) WHERE delete_time IS NULL",
        "delivery_due ON delivery (lane, tenant_id, run_at, id) WHERE state = 'READY'",
    } <= found.indexes


@pytest.mark.every_database
def test_peewee_finds_no_other_difference(database: str) -> None:
    with connected(database) as handle:
        difference = diff_models(handle, list(ALL))
        kind = kind_of(handle)
    stream = ("tenant_id", "xid", "id") if kind == "postgresql" else ("tenant_id", "id")
    assert difference.create_tables == []
    assert difference.add_columns == []
    assert difference.drop_columns == ([("event", "xid")] if kind == "postgresql" else [])
    assert difference.add_indexes == []
    assert sorted(difference.drop_indexes) == [
        IndexDiff("event", "event_email", ("email_id",), False),
        IndexDiff("event", "event_stream", stream, False),
    ]


@pytest.mark.every_database
def test_every_model_is_listed_and_every_table_has_one(database: str) -> None:
    with connected(database) as handle:
        assert set(handle.get_tables()) - {HISTORY, "sqlite_sequence"} == {m._meta.table_name for m in ALL}


@pytest.mark.every_database
def test_migrating_twice_is_migrating_once(empty: str) -> None:
    with connected(empty) as handle:
        waiting = pending(handle)
        assert migrate(handle) == waiting != []
        before = schema(handle)
        assert pending(handle) == migrate(handle) == []
        assert schema(handle) == before
        assert [(row.name, row.value) for row in Generation.select()] == [("catalog", 1)]


@pytest.mark.every_database
def test_a_migration_that_fails_leaves_nothing_behind(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected(empty) as handle:
        handle.execute_sql("CREATE TABLE worker (id INTEGER)")  # the last table is in the way
        with pytest.raises(peewee.DatabaseError):
            migrate(handle)
        assert set(handle.get_tables()) - {HISTORY} == {"worker"}
        handle.execute_sql("DROP TABLE worker")
        assert migrate(handle)[0] == "0001_foundation"


def test_a_statement_that_gives_rows_keeps_none_behind_it_waiting(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path / "one.db")
    script = tmp_path / "0001_rows.py"
    script.with_suffix(".sqlite.sql").write_text(
        "CREATE TABLE a (x); PRAGMA user_version; CREATE TABLE b (x);"
    )
    beside(str(script))(None, database)
    assert database.get_tables() == ["a", "b"]
    database.close()


def test_a_sqlite_that_is_too_old_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = Address(f"sqlite:///{tmp_path}/one.db")
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.3")
    address.connect().close()
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(
        DatabaseUnusableError, match=r"SQLite 3\.51\.2 is too old: 3\.51\.3 or newer is needed"
    ):
        address.connect()


def test_a_path_that_sqlite_cannot_take_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusableError, match="cannot open the database"):
        Address(f"sqlite:///{tmp_path}/caf\udce9.db").connect()


@pytest.mark.every_database
def test_an_old_database_is_not_served_without_leave(empty: str) -> None:
    with pytest.raises(OldDatabaseError, match=r"0001_foundation.*postroom db migrate"):
        open_database(Address(empty), key_text="11" * 32, key_file=None, auto_migrate=False)
    assert bound.is_closed()
    opened = open_database(Address(empty), key_text="11" * 32, key_file=None, auto_migrate=True)
    opened.close()


def test_two_processes_that_migrate_at_once_take_turns(postgresql: PostgresqlServer) -> None:
    url = postgresql.new_database()
    together = threading.Barrier(3)
    applied: list[list[str]] = []

    def start() -> None:
        with contextlib.closing(peewee.PostgresqlDatabase(url, prefer_psycopg3=True)) as handle:
            handle.connect()
            together.wait(10)
            applied.append(migrate(handle))

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied)[:2] == [[], []]
    assert sorted(applied)[2][0] == "0001_foundation"


def test_a_stream_keeps_its_epoch_and_each_database_has_its_own(tmp_path: Path) -> None:
    def epoch(name: str) -> str:
        address = Address(f"sqlite:///{tmp_path / name}")
        opened = open_database(address, key_text="11" * 32, key_file=None, auto_migrate=True)
        opened.close()
        return opened.stream_epoch

    first = epoch("a.db")
    assert epoch("a.db") == first != epoch("b.db")


def test_every_migration_has_its_sql_and_travels_with_the_package() -> None:
    package = importlib.resources.files("postroom_server.store") / "migrations"
    files = {file.name for file in package.iterdir() if not file.name.startswith("_")}
    names = {name.removesuffix(".py") for name in files if name.endswith(".py")}
    assert names
    assert files == {
        f"{name}{suffix}" for name in names for suffix in (".py", ".sqlite.sql", ".postgresql.sql")
    }
    # hatchling packs whole folders; no rule may leave out what is not Python.
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "server/postroom_server" in wheel["packages"]
    assert not {"exclude", "only-include", "include"} & wheel.keys()


@pytest.mark.every_database
def test_a_fact_that_was_stored_first_stands(database: str) -> None:
    with connected(database):
        Fact.insert(name="stream_epoch", value="first").execute()
    opened = open_database(Address(database), key_text="11" * 32, key_file=None, auto_migrate=False)
    opened.close()
    assert opened.stream_epoch == "first"
