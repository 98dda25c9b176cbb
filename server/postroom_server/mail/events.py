"""Reads what happened, from a cursor on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from postroom_server.clock import SECOND, Millis
from postroom_server.mail.cursor import Cursors
from postroom_server.refusals import Violation, refuse_all
from postroom_server.store import history, stream
from postroom_server.store.history import START, Happening, Position
from postroom_server.store.models import Email
from postroom_server.store.statement import Statement, as_list, one_of

_DEFAULT_SIZE = 100
_MOST_SIZE = 1000
_MOST_EMAIL_IDS = 1000
_MOST_LABELS = 16
# A reader whom few events please is shown this many of them at most in a call; the next goes on from there.
_WINDOW = 1000
_MOST_WINDOWS = 10

_DEFAULT_HEARTBEAT = 15 * SECOND
_LEAST_HEARTBEAT, _MOST_HEARTBEAT = SECOND, 60 * SECOND
_KINDS = {kind.value for kind in history.Kind}

_EMAILS = Statement(lambda: Email.select(Email.id, Email.out_id, Email.labels).where(one_of(Email.id, "ids")))


@dataclasses.dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a reader wants: all that are set must hold. `kinds` are the contract's words."""

    kinds: frozenset[str] = frozenset()
    email_ids: frozenset[int] = frozenset()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def violations(self) -> list[Violation]:
        found = []
        if unknown := sorted(self.kinds - _KINDS):
            found.append(Violation("filter.kinds", f"no such kind: {', '.join(unknown)}"))
        if len(self.email_ids) > _MOST_EMAIL_IDS:
            found.append(Violation("filter.email_ids", f"at most {_MOST_EMAIL_IDS}"))
        if len(self.labels) > _MOST_LABELS:
            found.append(Violation("filter.labels", f"at most {_MOST_LABELS}"))
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class EventRecord:
    """An event, with what its email is called."""

    happening: Happening
    cursor: str
    out_id: str
    labels: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Events, and the position reached: what the filter passed over lies before it."""

    events: list[EventRecord]
    position: Position
    at_end: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Watch:
    """A checked request to listen. Without a position it begins at the end of the stream."""

    position: Position | None
    wanted: EventFilter
    heartbeat: Millis


class Events:
    """`page`, `read` and `end` are units that read."""

    def __init__(self, cursors: Cursors) -> None:
        self.cursors = cursors

    def begin(
        self, cursor: str, from_latest: bool, wanted: EventFilter, violations: Sequence[Violation] = ()
    ) -> Position | None:
        """Checks a request, and where it begins; None is the end of the stream.

        `violations` are what the caller has found wrong with the rest of it.
        """
        found = [*violations, *wanted.violations()]
        if cursor and from_latest:
            found.append(Violation("from_latest", "only without cursor"))
        refuse_all(found)
        if from_latest:
            return None
        return self.cursors.read(cursor) if cursor else START

    def watch(self, cursor: str, from_latest: bool, wanted: EventFilter, heartbeat: Millis | None) -> Watch:
        """Checks a request to listen. Reads nothing."""
        every = _DEFAULT_HEARTBEAT if heartbeat is None else heartbeat
        violations = []
        if not _LEAST_HEARTBEAT <= every <= _MOST_HEARTBEAT:
            violations.append(Violation("heartbeat_interval", "must be 1 to 60 seconds"))
        return Watch(self.begin(cursor, from_latest, wanted, violations), wanted, every)

    def page(
        self, tenant_id: int, cursor: str, from_latest: bool, page_size: int, wanted: EventFilter
    ) -> Batch:
        """Events behind a cursor, oldest first; a page may be short, even empty, before the end."""
        violations = [Violation("page_size", "must not be negative")] if page_size < 0 else []
        position = self.begin(cursor, from_latest, wanted, violations)
        if position is None:
            return Batch([], history.read_end(tenant_id), at_end=True)
        return self.read(tenant_id, position, min(page_size or _DEFAULT_SIZE, _MOST_SIZE), wanted)

    def end(self, tenant_id: int) -> Position:
        return history.read_end(tenant_id)

    def read(self, tenant_id: int, position: Position, limit: int, wanted: EventFilter) -> Batch:
        """At most `limit` events that a reader wants, out of the next few thousand."""
        if wanted.email_ids:
            return self._read_of_emails(tenant_id, position, limit, wanted)
        events: list[EventRecord] = []
        window = _WINDOW if wanted.kinds or wanted.labels else limit + 1
        for _ in range(_MOST_WINDOWS):
            happenings = history.read_after(tenant_id, position, window)
            for record in self._wanted(happenings, wanted):
                events.append(record)
                if len(events) == limit:
                    reached = record.happening.position
                    at_end = len(happenings) < window and reached == happenings[-1].position
                    return Batch(events, reached, at_end)
            if happenings:
                position = happenings[-1].position
            if len(happenings) < window:
                return Batch(events, position, at_end=True)
        return Batch(events, position, at_end=False)

    def _read_of_emails(self, tenant_id: int, position: Position, limit: int, wanted: EventFilter) -> Batch:
        happenings = stream.read_of_emails(tenant_id, sorted(wanted.email_ids), position, limit + 1)
        reached = happenings[:limit]
        events = self._wanted(reached, wanted)
        if len(happenings) > limit:
            return Batch(events, reached[-1].position, at_end=False)
        # Nothing of these emails is left before the end of the stream.
        return Batch(events, max(position, history.read_end(tenant_id)), at_end=True)

    def _wanted(self, happenings: Sequence[Happening], wanted: EventFilter) -> list[EventRecord]:
        kept = [h for h in happenings if not wanted.kinds or h.kind.value in wanted.kinds]
        emails = _read_emails({h.email_id for h in kept if h.email_id is not None})
        records = []
        for happening in kept:
            out_id, labels = emails.get(happening.email_id or 0, ("", {}))
            if all(labels.get(name) == value for name, value in wanted.labels.items()):
                cursor = self.cursors.write(happening.position)
                records.append(EventRecord(happening, cursor, out_id, labels))
        return records


def _read_emails(ids: set[int]) -> dict[int, tuple[str, Mapping[str, str]]]:
    if not ids:
        return {}
    return {
        email_id: (out_id, json.loads(labels) if labels else {})
        for email_id, out_id, labels in _EMAILS.rows(ids=as_list(ids))
    }
