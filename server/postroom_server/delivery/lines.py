"""All lines of a process: which server a delivery goes to, and how much of each lane may be leased."""

from __future__ import annotations

from collections.abc import Iterable

from postroom_server.clock import MINUTE, Millis
from postroom_server.delivery.breaker import Breaker, BreakerState
from postroom_server.delivery.line import BULK_SHARE, NOT_URGENT_SHARE, Job, Line
from postroom_server.store.known import ServerFacts
from postroom_server.store.models import Lane, MailServerState

# How long mail waits when no server is enabled for it at all.
NO_SERVER_PAUSE: Millis = MINUTE


class Lines:
    def __init__(self, default_slots: int) -> None:
        self._default_slots = default_slots
        self._lines: dict[int, Line] = {}

    def of(self, server: ServerFacts) -> Line:
        line = self._lines.get(server.id)
        if line is None:
            line = self._lines[server.id] = Line(server, self._default_slots)
        line.server = server
        return line

    def breaker_of(self, server_id: int) -> Breaker | None:
        line = self._lines.get(server_id)
        return line.breaker if line else None

    def choose(self, job: Job, now: Millis) -> Line | None:
        """The line of the first priority that may be asked, the least loaded for its weight (delivery.md §7).

        Servers that this attempt has tried, that refuse the sender or whose breaker is open are passed over.
        """
        tried = {one.server_id for one in job.tried}
        candidates = [
            line
            for line in map(self.of, _carriers(job))
            if line.server.id not in tried and line.breaker.state(now) is not BreakerState.OPEN
        ]
        if not candidates:
            return None
        closed = [line for line in candidates if line.breaker.state(now) is BreakerState.CLOSED]
        ready = closed or candidates
        first = min(line.server.priority for line in ready)
        return min((line for line in ready if line.server.priority == first), key=lambda line: line.load)

    def reopen_time(self, job: Job, now: Millis) -> Millis:
        """When the first server that could carry this job may be asked again."""
        times = [line.breaker.reopen_time for line in map(self.of, _carriers(job))]
        return max(now, min(times)) if times else now + NO_SERVER_PAUSE

    def empty(self) -> list[Job]:
        return [job for line in self._lines.values() for job in line.empty()]


def _carriers(job: Job) -> Iterable[ServerFacts]:
    sender = job.leased.email.mailing.from_address
    return (s for s in job.servers if s.state == MailServerState.ENABLED and s.allows(sender))


def shares(in_hand: Iterable[Lane], capacity: int) -> dict[Lane, int]:
    """How many deliveries of each lane may be leased beside those in hand.

    Lanes 1 and 2 are asked for in larger bites, so that a full process does not lease one at a time.
    """
    held = dict.fromkeys(Lane, 0)
    for lane in in_hand:
        held[lane] += 1
    not_urgent = int(capacity * NOT_URGENT_SHARE)
    bulk = int(capacity * BULK_SHARE)
    bite = max(1, capacity // 8)
    normal_share = not_urgent - held[Lane.NORMAL] - held[Lane.BULK]
    bulk_share = min(normal_share, bulk - held[Lane.BULK])
    return {
        Lane.URGENT: max(0, capacity - sum(held.values())),
        Lane.NORMAL: normal_share if normal_share >= bite else 0,
        Lane.BULK: bulk_share if bulk_share >= bite else 0,
    }
