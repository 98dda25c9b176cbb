"""Events over the wire: listed, streamed, resumed; and what happens to those who do not read."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration

from fakes import NOON
from postroom.v1 import attempt_pb2, email_pb2, email_service_pb2, event_pb2, recipient_pb2
from postroom_server.mail.cursor import Cursors
from postroom_server.store import history
from postroom_server.store.history import Kind, Position
from stored_mail import put_email

from .conftest import failure_of
from .reading_world import ReadingWorld, reading

__all__ = ["reading"]

ListEvents, Watch = email_service_pb2.ListEventsRequest, email_service_pb2.WatchEventsRequest
SOON = 10


def happen(*email_ids: int, tenant_id: int = 1, **more: Any) -> None:
    kind = more.pop("kind", Kind.EMAIL_ACCEPTED)
    history.append([history.event(tenant_id, kind, NOON, email_id=i, **more) for i in email_ids])


async def take(stream: Any, count: int) -> list[event_pb2.Event]:
    """The next events of a stream, past its signs of life."""
    found: list[event_pb2.Event] = []
    async with asyncio.timeout(SOON):
        while len(found) < count:
            message = await stream.read()
            assert message is not grpc.aio.EOF
            found += [message.event] if message.HasField("event") else []
    return found


def ids_of(events: list[event_pb2.Event]) -> list[int]:
    return [event.email_id for event in events]


async def rest_of(stream: Any) -> tuple[list[event_pb2.Event], Any]:
    """What a stream still tells, and how it then failed."""
    found: list[event_pb2.Event] = []

    async def take_all() -> None:
        while True:
            found.extend(await take(stream, 1))

    async with asyncio.timeout(SOON):
        return found, await failure_of(take_all())


async def ending(stream: Any) -> Any:
    """How a stream that is read to its end failed."""
    return (await rest_of(stream))[1]


async def test_events_are_told_in_the_contracts_words(reading: ReadingWorld) -> None:
    email_id = await reading.put(put_email, out_id="mine", labels=json.dumps({"team": "a"}))
    await reading.put(happen, email_id, kind=Kind.EMAIL_SETTLED, state="SUCCESS")
    await reading.put(
        happen, email_id, kind=Kind.RECIPIENT_SETTLED, state="REFUSED", delivery_id=8, recipient_id=9
    )
    await reading.put(
        happen, email_id, kind=Kind.ATTEMPT_FINISHED, outcome="PERMANENT", phase="RCPT", server_id=4,
        code=550, enhanced="5.1.1", ambiguous=True,
    )  # fmt: skip
    settled, refused, attempt = (await reading.call("ListEvents", ListEvents())).events
    assert (settled.kind, settled.email_state) == (
        event_pb2.EVENT_KIND_EMAIL_SETTLED,
        email_pb2.EMAIL_STATE_SUCCESS,
    )
    assert (settled.out_id, settled.labels, settled.time.seconds) == ("mine", {"team": "a"}, NOON // 1000)
    assert (refused.delivery_id, refused.recipient_id) == (8, 9)
    assert refused.recipient_state == recipient_pb2.RECIPIENT_STATE_REFUSED
    assert refused.email_state == email_pb2.EMAIL_STATE_UNSPECIFIED
    assert attempt.attempt_outcome == attempt_pb2.ATTEMPT_OUTCOME_PERMANENT
    assert (attempt.phase, attempt.server_id) == (attempt_pb2.SMTP_PHASE_RCPT, 4)
    assert (attempt.code, attempt.enhanced_code, attempt.ambiguous) == (550, "5.1.1", True)


async def test_events_are_listed_page_by_page(reading: ReadingWorld) -> None:
    await reading.put(happen, 1, 2, 3)
    await reading.put(happen, 9, tenant_id=2)
    first = await reading.call("ListEvents", ListEvents(page_size=2))
    rest = await reading.call("ListEvents", ListEvents(cursor=first.next_cursor))
    end = await reading.call("ListEvents", ListEvents(from_latest=True))
    assert (ids_of(first.events), first.at_end) == ([1, 2], False)
    assert (ids_of(rest.events), rest.at_end) == ([3], True)
    assert (len(end.events), end.at_end, end.next_cursor) == (0, True, rest.next_cursor)


async def test_no_page_of_events_is_larger_than_4_mib(reading: ReadingWorld) -> None:
    labels = json.dumps({f"{n:02}{'k' * 61}": "é" * 256 for n in range(16)})

    def put() -> None:
        for n in range(1, 481):
            put_email(n, labels=labels)
            happen(n)

    await reading.put(put)
    first = await reading.call("ListEvents", ListEvents(page_size=1000))
    rest = await reading.call("ListEvents", ListEvents(page_size=1000, cursor=first.next_cursor))
    assert first.ByteSize() <= 4 << 20
    assert (first.at_end, rest.at_end) == (False, True)
    assert ids_of([*first.events, *rest.events]) == list(range(1, 481))


async def test_a_stream_tells_what_was_and_what_comes(reading: ReadingWorld) -> None:
    await reading.put(happen, 1, 2)
    stream = reading.call("WatchEvents", Watch())
    past = await take(stream, 2)
    await reading.put(happen, 9, tenant_id=2)
    await reading.put(happen, 3)
    assert ids_of(past + await take(stream, 1)) == [1, 2, 3]


async def test_a_stream_first_tells_where_it_stands(reading: ReadingWorld) -> None:
    await reading.put(happen, 1)
    stream = reading.call("WatchEvents", Watch(from_latest=True))
    first = await stream.read()
    await reading.put(happen, 2)
    assert first.heartbeat.time.seconds == NOON // 1000
    assert ids_of(await take(stream, 1)) == [2]
    again = await reading.call("ListEvents", ListEvents(cursor=first.heartbeat.cursor))
    assert ids_of(again.events) == [2]


async def test_a_reader_resumes_from_its_cursor_without_gap_or_repetition(reading: ReadingWorld) -> None:
    await reading.put(happen, *range(10))
    stream = reading.call("WatchEvents", Watch())
    before = await take(stream, 4)
    stream.cancel()
    await reading.put(happen, 10)
    after = await take(reading.call("WatchEvents", Watch(cursor=before[-1].cursor)), 7)
    assert ids_of(before + after) == list(range(11))


async def test_a_silent_stream_gives_signs_of_life_that_pass_over_what_is_not_wanted(
    reading: ReadingWorld,
) -> None:
    wanted = event_pb2.EventFilter(kinds=[event_pb2.EVENT_KIND_EMAIL_SETTLED])
    stream = reading.call("WatchEvents", Watch(filter=wanted, heartbeat_interval=Duration(seconds=1)))
    first = await stream.read()
    await reading.put(happen, 1, 2)
    async with asyncio.timeout(SOON):
        second = await stream.read()
    assert first.heartbeat.cursor == reading.cursors.write(Position(0, 0))
    assert second.heartbeat.cursor == (await reading.call("ListEvents", ListEvents())).next_cursor


async def test_a_stream_is_filtered(reading: ReadingWorld) -> None:
    await reading.put(happen, 1, 2, 3, 2)
    stream = reading.call("WatchEvents", Watch(filter=event_pb2.EventFilter(email_ids=[2])))
    await reading.put(happen, 1, 2)
    assert ids_of(await take(stream, 3)) == [2, 2, 2]


async def test_the_bell_wakes_a_reader_at_once(reading: ReadingWorld) -> None:
    reading.stream._poll = 60.0
    stream = reading.call("WatchEvents", Watch())
    await stream.read()
    # The bell may ring before the reader sleeps: it is rung until the event has come.
    await reading.put(happen, 1)

    async def ring() -> None:
        while True:
            reading.bell.ring()
            await asyncio.sleep(0.01)

    ringing = asyncio.create_task(ring())
    assert ids_of(await take(stream, 1)) == [1]
    ringing.cancel()


@pytest.mark.every_database
async def test_a_reader_that_stalls_is_dropped_and_loses_nothing(reading: ReadingWorld) -> None:
    # A socket takes several megabytes on behalf of a reader who does not read.
    labels = json.dumps({f"{n}": "x" * 256 for n in range(16)})
    written = [n % 100 + 1 for n in range(3000)]

    def put() -> None:
        for n in range(1, 101):
            put_email(n, labels=labels)
        happen(*written)

    await reading.put(put)
    stream = reading.call("WatchEvents", Watch())
    [first] = await take(stream, 1)
    await asyncio.sleep(1)  # the stall itself: three times what the server waits
    late, answer = await rest_of(stream)
    seen = [first, *late]
    assert (answer.code, answer.reason) == ("RESOURCE_EXHAUSTED", "READER_TOO_SLOW")
    assert len(seen) < len(written)
    rest = await take(reading.call("WatchEvents", Watch(cursor=seen[-1].cursor)), len(written) - len(seen))
    assert ids_of(seen + rest) == written


async def test_drain_ends_streams_and_says_why(reading: ReadingWorld) -> None:
    await reading.put(happen, 1)
    stream = reading.call("WatchEvents", Watch())
    await take(stream, 1)
    reading.in_flight.refuse_new()
    answer = await ending(stream)
    assert (answer.code, answer.reason) == ("UNAVAILABLE", "SHUTTING_DOWN")
    assert answer.retry_after is not None
    assert reading.in_flight.calls == 0


async def test_a_reader_that_leaves_leaves_nothing_behind(reading: ReadingWorld) -> None:
    stream = reading.call("WatchEvents", Watch())
    await stream.read()
    assert reading.in_flight.calls == 1
    stream.cancel()
    reading.in_flight.refuse_new()
    assert await reading.in_flight.wait_idle(timedelta(seconds=SOON))


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        ({"cursor": "rubbish"}, "INVALID_ARGUMENT", "INVALID_CURSOR"),
        ({"cursor": Cursors("00" * 8).write(Position(0, 1))}, "FAILED_PRECONDITION", "CURSOR_EXPIRED"),
        ({"cursor": "x", "from_latest": True}, "INVALID_ARGUMENT", "INVALID_FIELD"),
        ({"filter": {"kinds": [99]}}, "INVALID_ARGUMENT", "INVALID_FIELD"),
        ({"filter": {"kinds": [0]}}, "INVALID_ARGUMENT", "INVALID_FIELD"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_alike(
    reading: ReadingWorld, request_: dict[str, Any], code: str, reason: str
) -> None:
    listed = await failure_of(reading.call("ListEvents", ListEvents(**request_)))
    watched = await ending(reading.call("WatchEvents", Watch(**request_)))
    assert (listed.code, listed.reason, listed.violations) == (code, reason, watched.violations)
    assert (watched.code, watched.reason) == (code, reason)


async def test_a_heartbeat_is_one_to_sixty_seconds(reading: ReadingWorld) -> None:
    answer = await ending(reading.call("WatchEvents", Watch(heartbeat_interval=Duration(nanos=999_000_000))))
    assert [field for field, _, _ in answer.violations] == ["heartbeat_interval"]
