"""PostgreSQL as a store: a transaction a unit, lost races run again, lost servers come back."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import peewee
import psycopg
import pytest
import structlog

from peers.postgresql import PostgresqlServer, running_postgresql
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Fact, bound
from postroom_server.store.opening import Address
from postroom_server.store.postgresql import PostgresqlStore, postgresql_database
from postroom_server.store.unit import LostRaceError, Store
from store.units import NAMES, held, names, put

Outside = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def database(postgresql_database: str) -> str:
    return postgresql_database


@pytest.fixture
def narrow(database: str) -> Iterator[PostgresqlStore]:
    """A store of one connection, with room for two calls."""
    handle = postgresql_database(database)
    bound.initialize(handle)
    store = PostgresqlStore(handle, connections=1, queue_limit=2)
    yield store
    store.close()


def backend() -> int:
    return int(bound.connection().info.backend_pid)


async def test_units_run_side_by_side(store: Store) -> None:
    async with held(store):
        assert await asyncio.wait_for(store.write(put, "t.a"), 10) == "t.a"


async def test_a_full_queue_refuses_and_says_when_to_come_again(narrow: PostgresqlStore) -> None:
    async with held(narrow):
        waiting = asyncio.create_task(narrow.write(put, "t.a"))
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await narrow.write(put, "t.b")
    assert refused.value.reason is Reason.OVERLOADED
    assert refused.value.retry_after
    await waiting
    assert await narrow.write(put, "t.b") == "t.b"


async def test_a_caller_cancelled_before_its_unit_began_is_skipped(narrow: PostgresqlStore) -> None:
    async with held(narrow):
        skipped = asyncio.create_task(narrow.write(put, "t.a"))
        await asyncio.sleep(0)
        skipped.cancel()
        await asyncio.sleep(0)
    assert await narrow.read(names) == []


async def test_a_unit_that_lost_a_race_runs_again_and_keeps_nothing_of_its_first_run(store: Store) -> None:
    runs: list[str] = []

    def unit() -> list[str]:
        runs.append(put(f"t.{len(runs)}"))
        if len(runs) < 3:
            raise LostRaceError
        return names()

    assert await store.write(unit) == ["t.2"]


async def test_a_unit_that_loses_every_race_is_refused(store: Store) -> None:
    def unit() -> None:
        put("t.a")
        raise LostRaceError

    with pytest.raises(Refusal) as refused:
        await store.write(unit)
    assert refused.value.reason is Reason.OVERLOADED
    assert await store.read(names) == []


async def test_a_deadlock_is_a_lost_race_also_when_a_peewee_query_meets_it(store: Store) -> None:
    await store.write(put, "t.a")
    await store.write(put, "t.b")
    both_hold_one = threading.Barrier(2)
    runs: list[str] = []

    def update(first: str, second: str) -> str:
        runs.append(first)
        if runs.count(first) == 1:
            bound.connection().execute("SET LOCAL deadlock_timeout = '20ms'")
            Fact.update(value=first).where(Fact.name == first).execute()
            both_hold_one.wait(10)
            Fact.update(value=first).where(Fact.name == second).execute()
        return first

    answers = await asyncio.gather(store.write(update, "t.a", "t.b"), store.write(update, "t.b", "t.a"))
    assert answers == ["t.a", "t.b"]
    assert len(runs) > 2  # one of them ran again; both, when both noticed at once


async def test_a_unit_that_swallows_a_database_error_is_told_that_nothing_was_stored(store: Store) -> None:
    """PostgreSQL answers ROLLBACK to the COMMIT of a failed transaction, and calls that a success."""
    await store.write(put, "t.a")

    def swallow() -> None:
        put("t.b")
        with contextlib.suppress(peewee.IntegrityError):
            put("t.a")

    with pytest.raises(RuntimeError, match="swallowed"):
        await store.write(swallow)
    assert await store.read(names) == ["t.a"]


async def test_a_connection_cut_in_the_middle_of_a_unit_stores_nothing(
    store: Store, outside: Outside
) -> None:
    def unit() -> None:
        put("t.a")
        outside(f"SELECT pg_terminate_backend({backend()}, 5000)")

    with pytest.raises(Refusal) as refused:
        await store.write(unit)
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert refused.value.retry_after
    assert outside(NAMES) == []
    assert await store.write(put, "t.b") == "t.b"


async def test_a_connection_cut_during_commit_is_not_answered_ok(
    store: Store, outside: Outside, database: str
) -> None:
    """A deferred trigger makes COMMIT wait for a lock that the test holds."""
    outside(
        "CREATE FUNCTION wait_for_the_test() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$"
    )
    outside(
        "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON fact DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW WHEN (NEW.name = 't.a') EXECUTE FUNCTION wait_for_the_test()"
    )
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        "AND query = 'COMMIT' AND wait_event = 'advisory'"
    )
    with psycopg.connect(database, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(7)")
        writing = asyncio.create_task(store.write(put, "t.a"))
        while not (committing := await asyncio.to_thread(outside, waiting)):
            assert not writing.done()
        outside(f"SELECT pg_terminate_backend({committing[0][0]}, 5000)")
        with pytest.raises(Refusal) as refused:
            await writing
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert outside(NAMES) == []
    assert await store.write(put, "t.b") == "t.b"


async def test_an_idle_connection_that_was_cut_is_replaced_unnoticed(
    narrow: PostgresqlStore, outside: Outside
) -> None:
    before = await narrow.write(backend)
    outside(f"SELECT pg_terminate_backend({before}, 5000)")
    assert await narrow.write(backend) != before


async def test_a_stopped_server_is_unavailable_and_a_started_one_serves_again() -> None:
    with running_postgresql() as server, serving(server) as store:
        await store.write(put, "t.a")
        server.stop()
        for call in (store.write(put, "t.b"), store.read(names)):
            with pytest.raises(Refusal) as refused:
                await call
            assert refused.value.reason is Reason.STORE_UNAVAILABLE
            assert refused.value.retry_after
        server.start()
        assert await store.write(put, "t.c") == "t.c"
        assert await store.read(names) == ["t.a", "t.c"]


@contextlib.contextmanager
def serving(server: PostgresqlServer) -> Iterator[PostgresqlStore]:
    handle = Address(server.new_database()).connect()
    assert isinstance(handle, peewee.PostgresqlDatabase)
    handle.create_tables([Fact])
    handle.close()
    with contextlib.closing(PostgresqlStore(handle)) as store:
        yield store


async def test_a_database_that_goes_away_is_told_once_and_so_is_its_return(
    narrow: PostgresqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: str) -> None:
        raise psycopg.OperationalError("nobody there")

    with structlog.testing.capture_logs() as logs:
        with monkeypatch.context() as away:
            away.setattr(narrow, "_begin_here", nobody)
            for _ in range(3):
                with pytest.raises(Refusal):
                    await narrow.read(names)
        for _ in range(2):
            await narrow.read(names)
    assert [line["event"] for line in logs] == ["store_unavailable", "store_available"]
