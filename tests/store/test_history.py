"""Events: appended, read by a cursor that loses nothing, and guarded against editing (security.md G2)."""

from __future__ import annotations

import asyncio
import threading

import peewee
import pytest

from postroom_server.store.history import START, Kind, Position, append, event, read_after, read_end
from postroom_server.store.models import Event, PurgeTicket, bound
from postroom_server.store.unit import Store

pytestmark = pytest.mark.every_database
REFUSED = (peewee.IntegrityError, peewee.DatabaseError, peewee.InternalError)


def happen(*email_ids: int, tenant_id: int = 1) -> None:
    append([event(tenant_id, Kind.EMAIL_ACCEPTED, 1000, email_id=email_id) for email_id in email_ids])


def seen_after(position: Position, *, limit: int = 100) -> tuple[list[int | None], Position]:
    found = read_after(1, position, limit)
    return [happening.email_id for happening in found], found[-1].position if found else position


async def test_an_event_is_read_as_it_was_written(store: Store) -> None:
    row = event(
        1, Kind.ATTEMPT_FINISHED, 1234,
        email_id=2, delivery_id=3, recipient_id=4, state="REFUSED", outcome="PERMANENT", phase="RCPT",
        server_id=5, code=550, enhanced="5.1.1", ambiguous=True,
    )  # fmt: skip
    await store.write(append, [row])
    [found] = await store.read(read_after, 1, START, 10)
    assert found.kind is Kind.ATTEMPT_FINISHED
    assert (found.tenant_id, found.email_id, found.delivery_id, found.recipient_id) == (1, 2, 3, 4)
    assert (found.state, found.outcome, found.phase, found.server_id) == ("REFUSED", "PERMANENT", "RCPT", 5)
    assert (found.code, found.enhanced, found.ambiguous, found.time) == (550, "5.1.1", True, 1234)


async def test_a_reader_pages_through_its_tenants_events_in_order(store: Store) -> None:
    await store.write(happen, 1, 2)
    await store.write(happen, 77, tenant_id=2)
    await store.write(happen, 3)
    first, position = await store.read(seen_after, START, limit=2)
    rest, end = await store.read(seen_after, position, limit=2)
    assert (first, rest) == ([1, 2], [3])
    assert await store.read(seen_after, end) == ([], end)
    assert await store.read(read_end, 1) == end


async def test_the_end_of_an_empty_stream_is_its_start(store: Store) -> None:
    assert await store.read(read_end, 1) == START


async def test_a_slow_writer_loses_no_event_to_a_faster_one(store: Store) -> None:
    """The slow one takes its number first and commits last; a reader looks in between."""
    taken, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        happen(1)
        taken.set()
        assert go_on.wait(10)

    slower = asyncio.create_task(store.write(slow))
    assert await asyncio.to_thread(taken.wait, 10)
    faster = asyncio.create_task(store.write(happen, 2))
    # On PostgreSQL the faster one commits now; on SQLite it waits its turn.
    await asyncio.wait([faster], timeout=0.05)
    early, position = await store.read(seen_after, START)
    end = await store.read(read_end, 1)
    go_on.set()
    await asyncio.gather(slower, faster)
    late, _ = await store.read(seen_after, position)
    assert (early, end) == ([], START)
    assert late == [1, 2]


async def test_an_event_is_never_changed(store: Store) -> None:
    await store.write(happen, 1)
    with pytest.raises(REFUSED, match="events are never changed"):
        await store.write(Event.update(email_id=2).execute)
    assert await store.read(seen_after, START, limit=1) == ([1], await store.read(read_end, 1))


async def test_an_event_is_not_changed_by_one_who_holds_a_ticket_either(store: Store) -> None:
    await store.write(happen, 1)

    def unit() -> None:
        PurgeTicket.insert(id=1, create_time=1000).execute()
        Event.update(email_id=2).execute()

    with pytest.raises(REFUSED, match="events are never changed"):
        await store.write(unit)


async def test_an_event_is_not_removed_without_a_ticket(store: Store) -> None:
    await store.write(happen, 1)
    with pytest.raises(REFUSED, match="removed by retention only"):
        await store.write(Event.delete().execute)
    assert (await store.read(seen_after, START))[0] == [1]


async def test_the_table_is_not_emptied_at_a_stroke(store: Store) -> None:
    await store.write(happen, 1)
    at_a_stroke = (
        "TRUNCATE event" if isinstance(bound.obj, peewee.PostgresqlDatabase) else "DELETE FROM event"
    )
    with pytest.raises(REFUSED, match="removed by retention only"):
        await store.write(bound.execute_sql, at_a_stroke)
    assert (await store.read(seen_after, START))[0] == [1]


async def test_the_transaction_that_holds_a_ticket_removes_events(store: Store) -> None:
    await store.write(happen, 1, 2)

    def purge() -> int:
        PurgeTicket.insert(id=1, create_time=1000).execute()
        removed = Event.delete().where(Event.email_id == 1).execute()
        PurgeTicket.delete().execute()
        return int(removed)

    assert await store.write(purge) == 1
    assert (await store.read(seen_after, START))[0] == [2]
    with pytest.raises(REFUSED, match="removed by retention only"):
        await store.write(Event.delete().execute)


async def test_a_refused_change_leaves_the_units_beside_it_alone(store: Store) -> None:
    """RAISE(ABORT) fails one statement; RAISE(ROLLBACK) would have undone its neighbours' work."""
    await store.write(happen, 1)

    def carefully() -> None:
        happen(2)
        with pytest.raises(REFUSED), bound.savepoint():
            Event.delete().execute()

    await store.write(carefully)
    assert (await store.read(seen_after, START))[0] == [1, 2]


async def test_an_event_is_not_replaced_by_another_of_its_number(store: Store) -> None:
    """SQLite's REPLACE deletes without asking triggers, unless told to ask them."""
    await store.write(happen, 1)
    [found] = await store.read(read_after, 1, START, 10)
    row = {"id": found.position.id, "tenant_id": 1, "kind": "FORGED", "ambiguous": False, "time": 1}

    def forge() -> None:
        if isinstance(bound.obj, peewee.SqliteDatabase):
            Event.replace(**row).execute()
        else:
            Event.insert(**row).on_conflict(conflict_target=[Event.id], preserve=[Event.kind]).execute()

    with pytest.raises(REFUSED, match="events are"):
        await store.write(forge)
    assert [event.kind for event in await store.read(read_after, 1, START, 10)] == [Kind.EMAIL_ACCEPTED]
