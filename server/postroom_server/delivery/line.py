"""A line: the deliveries that wait for one mail server, and how many of its slots are taken."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable

from postroom_server.clock import SECOND, Millis
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.breaker import Breaker, BreakerState
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.shares import BULK_SHARE, NOT_URGENT_SHARE
from postroom_server.sender.loan import Parcel, SlotLoan
from postroom_server.smtp import Envelope
from postroom_server.store.facts import ServerFacts
from postroom_server.store.models import Lane

# Who waits longer for a slot is put off, so that a slow or silent server does not fill the process with
# mail of its own.
PATIENCE: Millis = 10 * SECOND
# Nobody else is leased alone meanwhile, not even for another server.
PATIENCE_ALONE: Millis = SECOND // 4

# Mail that brings a process down does so while it is written or soon after.
HARMLESS_SECONDS = 1.0


@dataclasses.dataclass(slots=True, eq=False)
class Job:
    """A leased delivery on its way: who may carry it, and what was tried within this attempt."""

    leased: Leased
    servers: tuple[ServerFacts, ...]
    tried: tuple[Settlement, ...] = ()
    cancelled: bool = False
    waits_since: Millis = 0
    written_at: float | None = None  # monotonic seconds
    envelope: Envelope | None = None  # to everybody, where it was written ahead of its turn

    def is_impatient(self, now: Millis) -> bool:
        """Whether it has waited too long for a slot."""
        patience = PATIENCE_ALONE if self.leased.alone else PATIENCE
        # Less than nothing: the clock was set back, and nobody knows how long it was.
        return not 0 <= now - self.waits_since < patience

    def only_waits(self, now: float) -> bool:
        """Whether it is with its server, and has been for so long that it hardly brings this process down."""
        return self.written_at is not None and now - self.written_at >= HARMLESS_SECONDS


@dataclasses.dataclass(slots=True, eq=False)
class Rider:
    """A job that goes behind the dot of another: not begun, as far as we know, while that is unanswered."""

    job: Job
    parcel: Parcel
    since: Millis
    is_recalled: bool = False


@dataclasses.dataclass(slots=True, eq=False)
class Slot:
    """A slot at work. A job and its riders are of one lane: the slot passes from one to the other."""

    line: Line
    loan: SlotLoan
    job: Job | None = None  # whom it carries now
    riders: collections.deque[Rider] = dataclasses.field(default_factory=collections.deque)


class Line:
    """Per server, so that a dead one holds nobody else's slots. Urgent mail goes first."""

    def __init__(self, server: ServerFacts, default_slots: int) -> None:
        self.server = server
        self._default_slots = default_slots  # for a server that names none
        self.breaker = Breaker()
        self._waiting: dict[Lane, collections.deque[Job]] = {lane: collections.deque() for lane in Lane}
        self._running: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self._riding: dict[Lane, int] = dict.fromkeys(Lane, 0)
        self._next_start: Millis = 0  # not before, for a server with a rate

    @property
    def load(self) -> float:
        """How much would be on this line for its weight, with one more."""
        begun = sum(self._running.values()) + sum(self._riding.values())
        there = begun + sum(map(len, self._waiting.values()))
        return (there + 1) / max(1, self.server.weight)

    def wants_probe(self, now: Millis) -> bool:
        """Whether the breaker is half open and nobody is on the way to try the server."""
        half_open = self.breaker.state(now) is BreakerState.HALF_OPEN
        return half_open and not self.breaker.probing and not any(self._waiting.values())

    def put(self, job: Job, now: Millis) -> None:
        job.waits_since = now
        queue = self._waiting[job.leased.lane]
        # Behind others it would wait longer than it may, and all that are to be leased alone with it.
        queue.appendleft(job) if job.leased.alone else queue.append(job)

    def take(self, now: Millis) -> Job | None:
        """The next job that may begin now; the caller gives its slot back with `done`."""
        if self._until_start(now):
            return None
        for lane in Lane:
            if self._waiting[lane] and self._has_slot(lane) and self.breaker.may_try(now):
                self._running[lane] += 1
                if rate := self.server.messages_per_second:
                    self._next_start = now + round(1000 / rate)
                return self._waiting[lane].popleft()
        return None

    def take_behind(self, lane: Lane, now: Millis, fits: Callable[[Job], bool]) -> Job | None:
        """The next job for a slot that one of this lane is about to leave: it rides behind the other's dot.

        Urgent mail does not ride: who knows how long the other's answer takes. Nor does mail that is leased
        alone: should it bring the process down, it is to do so alone.
        """
        queue = self._waiting[lane]
        first = next((waiting for waiting in self._waiting.values() if waiting), None)
        if lane is Lane.URGENT or first is not queue:
            return None
        if self.server.messages_per_second or self.breaker.state(now) is not BreakerState.CLOSED:
            return None
        if queue[0].leased.alone or not self._has_slot(lane, leaving=1):
            return None
        if not fits(queue[0]):
            return None
        self._riding[lane] += 1
        return queue.popleft()

    def rides_no_more(self, job: Job) -> None:
        """Says that one of those that `take_behind` gave has begun, or goes another way."""
        self._riding[job.leased.lane] -= 1

    def is_passed(self, lane: Lane) -> bool:
        """Whether a job of this lane waits while others ride whose turn should come after it."""
        return bool(self._waiting[lane]) and any(self._riding[later] for later in Lane if later > lane)

    def waiting(self, lane: Lane) -> Iterable[Job]:
        """Who waits in this lane, the next one first."""
        return self._waiting[lane]

    def has_room(self, lane: Lane) -> bool:
        """Whether a job of this lane would find a slot free."""
        return self._has_slot(lane)

    def put_first(self, job: Job) -> None:
        """Puts a job back that had been taken out."""
        self._waiting[job.leased.lane].appendleft(job)

    def pause(self, now: Millis) -> float:
        """Seconds until the server's rate lets a waiting job begin; 0 when something else holds it back."""
        return self._until_start(now) / 1000 if any(self._waiting.values()) else 0.0

    def done(self, job: Job) -> None:
        self._running[job.leased.lane] -= 1

    def take_impatient(self, now: Millis) -> list[Job]:
        """Takes out the jobs that have waited too long for a slot."""
        jobs = [job for queue in self._waiting.values() for job in queue if job.is_impatient(now)]
        for job in jobs:
            self._waiting[job.leased.lane].remove(job)
        return jobs

    def remove(self, job: Job) -> bool:
        """Takes one job out; False when it was not waiting here."""
        queue = self._waiting[job.leased.lane]
        if job not in queue:
            return False
        queue.remove(job)
        return True

    def empty(self) -> list[Job]:
        """Takes every waiting job out."""
        jobs = [job for lane in Lane for job in self._waiting[lane]]
        for queue in self._waiting.values():
            queue.clear()
        return jobs

    def _until_start(self, now: Millis) -> Millis:
        """How long the server's rate still asks for. Longer than between two: the clock was set back."""
        rate, wait = self.server.messages_per_second, self._next_start - now
        return wait if rate and 0 < wait <= round(1000 / rate) else 0

    def _has_slot(self, lane: Lane, leaving: int = 0) -> bool:
        """`leaving` jobs of the same lane are as good as done."""
        slots = self.server.max_connections or self._default_slots
        running = self._running
        not_urgent = running[Lane.NORMAL] + running[Lane.BULK] - leaving
        if not_urgent + running[Lane.URGENT] >= slots:
            return False
        if lane is Lane.BULK and running[Lane.BULK] - leaving >= max(1, int(slots * BULK_SHARE)):
            return False
        return lane is Lane.URGENT or not_urgent < max(1, int(slots * NOT_URGENT_SHARE))
