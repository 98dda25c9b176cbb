"""Events are read once each, in order, from wherever a reader stands."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import NOON
from postroom_server.mail.cursor import Cursors
from postroom_server.mail.events import Batch, EventFilter, Events
from postroom_server.refusals import Reason, Refusal
from postroom_server.store import history
from postroom_server.store.history import Kind, Position
from postroom_server.store.unit import Store
from stored_mail import put_email

EPOCH = "0123456789abcdef"
CURSORS = Cursors(EPOCH)
EVENTS = Events(CURSORS)
ALL = EventFilter()


def happen(*email_ids: int, kind: Kind = Kind.EMAIL_ACCEPTED, tenant_id: int = 1) -> None:
    history.append([history.event(tenant_id, kind, NOON, email_id=email_id) for email_id in email_ids])


def page(cursor: str = "", *, size: int = 0, wanted: EventFilter = ALL, from_latest: bool = False) -> Batch:
    return EVENTS.page(1, cursor, from_latest, size, wanted)


def emails_of(batch: Batch) -> list[int | None]:
    return [event.happening.email_id for event in batch.events]


def walk(size: int, wanted: EventFilter) -> list[int | None]:
    found: list[int | None] = []
    cursor = ""
    while True:
        batch = page(cursor, size=size, wanted=wanted)
        found += emails_of(batch)
        cursor = CURSORS.write(batch.position)
        if batch.at_end:
            return found


@pytest.mark.every_database
@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_pages_tell_every_event_once_and_in_order(store: Store, size: int) -> None:
    for n in range(7):
        await store.write(happen, n)
    await store.write(happen, 99, tenant_id=2)
    assert await store.read(walk, size, ALL) == list(range(7))


async def test_a_page_tells_whether_it_reached_the_end(store: Store) -> None:
    await store.write(happen, 1, 2, 3)
    first, whole = await store.read(page, size=2), await store.read(page, size=3)
    assert (first.at_end, whole.at_end) == (False, True)
    assert (await store.read(page)).at_end is True


async def test_every_event_has_the_cursor_that_goes_on_behind_it(store: Store) -> None:
    await store.write(happen, 1, 2, 3)
    batch = await store.read(page)
    rest = [emails_of(await store.read(page, event.cursor)) for event in batch.events]
    assert rest == [[2, 3], [3], []]


async def test_an_event_tells_what_its_email_is_called_though_it_is_deleted(store: Store) -> None:
    one = await store.write(put_email, out_id="one", labels=json.dumps({"team": "a"}), delete_time=NOON)
    await store.write(happen, one, 12345)
    known, unknown = (await store.read(page)).events
    assert (known.out_id, known.labels) == ("one", {"team": "a"})
    assert (unknown.out_id, unknown.labels) == ("", {})


async def test_from_the_end_only_what_comes_is_told(store: Store) -> None:
    await store.write(happen, 1)
    batch = await store.read(page, from_latest=True)
    await store.write(happen, 2)
    assert (batch.events, batch.at_end) == ([], True)
    assert emails_of(await store.read(page, CURSORS.write(batch.position))) == [2]


# Filters.


def fill() -> None:
    for n in range(1, 9):
        put_email(n, labels=json.dumps({"team": "a" if n % 2 else "b", "n": str(n)}))
        happen(n)
        happen(n, kind=Kind.EMAIL_SETTLED)


@pytest.mark.every_database
@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (EventFilter(kinds=frozenset({"EMAIL_SETTLED"})), [1, 2, 3, 4, 5, 6, 7, 8]),
        (EventFilter(kinds=frozenset({"CODE_SETTLED"})), []),
        (EventFilter(email_ids=frozenset({3, 7, 1000})), [3, 3, 7, 7]),
        (EventFilter(labels={"team": "b"}), [2, 2, 4, 4, 6, 6, 8, 8]),
        (EventFilter(labels={"team": "b", "n": "4"}), [4, 4]),
        (EventFilter(labels={"other": ""}), []),
        (EventFilter(frozenset({"EMAIL_ACCEPTED"}), frozenset({3, 4}), {"team": "a"}), [3]),
    ],
)
async def test_a_filter_passes_over_what_is_not_wanted(
    store: Store, wanted: EventFilter, expected: list[int], size: int
) -> None:
    await store.write(fill)
    assert await store.read(walk, size, wanted) == expected


async def test_what_was_passed_over_is_not_looked_at_again(store: Store) -> None:
    await store.write(fill)
    for wanted in (EventFilter(kinds=frozenset({"EMAIL_DELETED"})), EventFilter(email_ids=frozenset({1000}))):
        batch = await store.read(page, wanted=wanted)
        assert (batch.events, batch.at_end) == ([], True)
        assert batch.position == await store.read(history.read_end, 1)


async def test_one_call_looks_at_so_many_events_and_tells_how_far_it_came(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom_server.mail.events._WINDOW", 2)
    monkeypatch.setattr("postroom_server.mail.events._MOST_WINDOWS", 3)
    await store.write(fill)
    late = EventFilter(labels={"n": "8"})
    first = await store.read(page, wanted=late)
    assert (first.events, first.at_end) == ([], False)
    assert await store.read(walk, 10, late) == [8, 8]


async def test_an_email_filter_does_not_reach_other_tenants(store: Store) -> None:
    await store.write(happen, 5, tenant_id=2)
    assert emails_of(await store.read(page, wanted=EventFilter(email_ids=frozenset({5})))) == []


# Overlapping writers.


@pytest.mark.every_database
@pytest.mark.parametrize("wanted", [ALL, EventFilter(email_ids=frozenset({1, 2}))], ids=["all", "emails"])
async def test_a_slower_writer_is_not_lost(store: Store, wanted: EventFilter) -> None:
    """It takes its number first and commits last; a reader looks before, between and after."""
    taken, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        happen(1)
        taken.set()
        assert go_on.wait(10)

    slower = asyncio.create_task(store.write(slow))
    assert await asyncio.to_thread(taken.wait, 10)
    faster = asyncio.create_task(store.write(happen, 2))
    # On PostgreSQL the faster one commits now; on SQLite it waits its turn.
    await asyncio.wait([faster], timeout=0.1)
    between = await store.read(page, wanted=wanted)
    from_end = await store.read(page, from_latest=True)
    go_on.set()
    await asyncio.gather(slower, faster)
    after = await store.read(page, CURSORS.write(between.position), wanted=wanted)
    listener = await store.read(page, CURSORS.write(from_end.position), wanted=wanted)
    assert sorted(emails_of(between) + emails_of(after), key=str) == [1, 2]  # type: ignore[type-var]
    assert emails_of(listener) == [1, 2]


@pytest.mark.every_database
async def test_a_reader_among_many_writers_misses_nothing(store: Store) -> None:
    seen: list[int | None] = []

    async def follow(cursor: str = "") -> None:
        while len(seen) < 200:
            batch = await store.read(page, cursor, size=7)
            seen.extend(emails_of(batch))
            cursor = CURSORS.write(batch.position)

    async def write(first: int) -> None:
        for n in range(first, first + 25):
            await store.write(happen, n)

    async with asyncio.timeout(30):
        await asyncio.gather(follow(), *(write(first) for first in range(0, 200, 25)))
    assert sorted(n for n in seen if n is not None) == list(range(200))


# Requests that make no sense.


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"size": -1}, ["page_size"]),
        ({"cursor": "x", "from_latest": True}, ["from_latest"]),
        ({"wanted": EventFilter(kinds=frozenset({"UNSPECIFIED", "99"}))}, ["filter.kinds"]),
        ({"wanted": EventFilter(email_ids=frozenset(range(1001)))}, ["filter.email_ids"]),
        ({"wanted": EventFilter(labels={str(n): "" for n in range(17)})}, ["filter.labels"]),
        (
            {"wanted": EventFilter(labels={str(n): "" for n in range(17)}), "size": -1},
            ["page_size", "filter.labels"],
        ),
    ],
)
async def test_what_breaks_a_rule_is_named(
    store: Store, arguments: dict[str, Any], fields: Sequence[str]
) -> None:
    with pytest.raises(Refusal) as caught:
        await store.read(page, **arguments)
    assert [v.field for v in caught.value.violations] == fields


@pytest.mark.every_database
async def test_a_thousand_emails_and_sixteen_labels_are_taken(store: Store) -> None:
    labels = {str(n): "" for n in range(16)}
    await store.write(put_email, 5, labels=json.dumps(labels))
    await store.write(happen, 5)
    wanted = EventFilter(email_ids=frozenset(range(1000)), labels=labels)
    assert emails_of(await store.read(page, wanted=wanted)) == [5]


@pytest.mark.parametrize(
    ("heartbeat", "is_taken"), [(None, True), (1000, True), (60_000, True), (999, False), (60_001, False)]
)
def test_a_heartbeat_comes_every_second_to_every_minute(heartbeat: int | None, is_taken: bool) -> None:
    found: list[str] = []
    try:
        watch = EVENTS.watch("", True, ALL, heartbeat)
    except Refusal as refusal:
        found = [v.field for v in refusal.violations]
    else:
        assert watch.heartbeat == (heartbeat or 15_000)
    assert found == ([] if is_taken else ["heartbeat_interval"])


# Cursors.


@given(st.integers(0, (1 << 63) - 1), st.integers(0, (1 << 63) - 1))
def test_a_cursor_tells_the_position_it_was_written_for(xid: int, number: int) -> None:
    assert CURSORS.read(CURSORS.write(Position(xid, number))) == Position(xid, number)


@given(at=st.integers(0, 200), character=st.sampled_from("ABCDabcd0189-_=+/ é"))
def test_a_cursor_with_any_character_changed_is_refused(at: int, character: str) -> None:
    cursor = CURSORS.write(Position(5, 77))
    at %= len(cursor)
    changed = cursor[:at] + character + cursor[at + 1 :]
    if changed != cursor:
        with pytest.raises(Refusal) as caught:
            CURSORS.read(changed)
        assert caught.value.reason is Reason.INVALID_CURSOR


@pytest.mark.parametrize("cursor", ["x", "=", "é", "A" * 5000, "AAAA", CURSORS.write(Position(0, 1 << 63))])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Refusal) as caught:
        CURSORS.read(cursor)
    assert caught.value.reason is Reason.INVALID_CURSOR


def test_a_cursor_of_an_older_stream_has_expired() -> None:
    with pytest.raises(Refusal) as caught:
        CURSORS.read(Cursors("fedcba9876543210").write(Position(5, 77)))
    assert caught.value.reason is Reason.CURSOR_EXPIRED
