"""Events as messages, and what readers of them ask for as values."""

from __future__ import annotations

from postroom.v1 import audience_pb2, email_service_pb2, event_pb2
from postroom_server.clock import Millis
from postroom_server.mail.events import Batch, EventFilter, EventRecord
from postroom_server.rpc.convert.email_out import (
    EMAIL_STATES,
    OUTCOMES,
    PAGE_BYTES,
    PHASES,
    RECIPIENT_STATES,
    word,
)
from postroom_server.rpc.convert.times import stamp_of
from postroom_server.store.history import Progress

_PREFIX = "EVENT_KIND_"
_KINDS = {name.removeprefix(_PREFIX): kind for name, kind in event_pb2.EventKind.items()}
_WORDS = {kind: name for name, kind in _KINDS.items()}


def event_filter_of(asked: event_pb2.EventFilter) -> EventFilter:
    return EventFilter(
        kinds=frozenset(_WORDS.get(kind, str(kind)) for kind in asked.kinds),
        email_ids=frozenset(asked.email_ids),
        labels=dict(asked.labels),
    )


def event_message(record: EventRecord) -> event_pb2.Event:
    event = record.happening
    return event_pb2.Event(
        cursor=record.cursor,
        kind=word(_KINDS, event.kind),
        time=stamp_of(event.time),
        tenant_id=event.tenant_id,
        email_id=event.email_id or 0,
        delivery_id=event.delivery_id or 0,
        recipient_id=event.recipient_id or 0,
        out_id=record.out_id,
        labels=record.labels,
        email_state=word(EMAIL_STATES, event.state if event.kind.startswith("EMAIL_") else None),
        recipient_state=word(RECIPIENT_STATES, event.state if event.kind.startswith("RECIPIENT_") else None),
        attempt_outcome=word(OUTCOMES, event.outcome),
        phase=word(PHASES, event.phase),
        code=event.code or 0,
        enhanced_code=event.enhanced or "",
        ambiguous=event.ambiguous,
        server_id=event.server_id or 0,
        audience_progress=_progress(event.progress),
    )


def _progress(progress: Progress | None) -> audience_pb2.AudienceProgress | None:
    if progress is None:
        return None
    return audience_pb2.AudienceProgress(
        found=progress.found, queued=progress.queued, done=progress.done, complete=progress.complete
    )


def events_response(batch: Batch, reached: str) -> email_service_pb2.ListEventsResponse:
    """Events within 4 MiB, and where to go on. `reached` is the cursor behind all of the batch."""
    room = PAGE_BYTES
    shown: list[event_pb2.Event] = []
    for record in batch.events:
        message = event_message(record)
        room -= message.ByteSize() + 6
        if room < 0:
            return email_service_pb2.ListEventsResponse(events=shown, next_cursor=shown[-1].cursor)
        shown.append(message)
    return email_service_pb2.ListEventsResponse(events=shown, next_cursor=reached, at_end=batch.at_end)


def event_response(record: EventRecord) -> email_service_pb2.WatchEventsResponse:
    return email_service_pb2.WatchEventsResponse(event=event_message(record))


def heartbeat_response(cursor: str, now: Millis) -> email_service_pb2.WatchEventsResponse:
    heartbeat = email_service_pb2.Heartbeat(cursor=cursor, time=stamp_of(now))
    return email_service_pb2.WatchEventsResponse(heartbeat=heartbeat)
