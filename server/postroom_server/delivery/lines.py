"""All lines of a process: which server a delivery goes to."""

from __future__ import annotations

from collections.abc import Iterable

from postroom_server.clock import MINUTE, Millis
from postroom_server.delivery.breaker import Breaker, BreakerState
from postroom_server.delivery.line import Job, Line
from postroom_server.store.facts import ServerFacts
from postroom_server.store.models import MailServerState

# How long mail waits when no server is enabled for it at all.
NO_SERVER_PAUSE: Millis = MINUTE


class Lines:
    def __init__(self, default_slots: int) -> None:
        self._default_slots = default_slots
        self._lines: dict[int, Line] = {}

    def of(self, server: ServerFacts) -> Line:
        line = self._lines.get(server.id)
        if line is not None and line.server is server:
            return line
        if line is None:
            line = self._lines[server.id] = Line(server, self._default_slots)
        if _access(line.server) != _access(server):
            # What an operator has mended is tried at once.
            line.breaker = Breaker()
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
        # One job at a time goes to a half-open server even while others would do, or it would stay so. But
        # none that has failed before: it may have been the probe then, and alone it would always be.
        probes = not job.leased.tries
        ready = [
            line
            for line in candidates
            if line.breaker.state(now) is BreakerState.CLOSED or (probes and line.wants_probe(now))
        ] or candidates
        first = min(line.server.priority for line in ready)
        return min((line for line in ready if line.server.priority == first), key=lambda line: line.load)

    def reopen_time(self, job: Job, now: Millis) -> Millis | None:
        """When the first server that could carry this job may be asked; None: one may be asked already."""
        breakers = [line.breaker for line in map(self.of, _carriers(job))]
        if any(breaker.state(now) is not BreakerState.OPEN for breaker in breakers):
            return None
        return min((breaker.reopen_time for breaker in breakers), default=now + NO_SERVER_PAUSE)

    def why_nobody(self, job: Job) -> str:
        """What keeps every server from carrying it, in words; empty while one could."""
        if any(_carriers(job)):
            return ""
        if not any(server.state == MailServerState.ENABLED for server in job.servers):
            return "no mail server is enabled for it"
        return f"no mail server may carry mail from {job.leased.email.mailing.from_address}"

    @property
    def breakers(self) -> list[tuple[ServerFacts, Breaker]]:
        """Of the servers that were asked so far."""
        return [(line.server, line.breaker) for line in list(self._lines.values())]

    def take_impatient(self, now: Millis) -> list[Job]:
        return [job for line in self._lines.values() for job in line.take_impatient(now)]

    def remove(self, job: Job) -> bool:
        """Takes a job out of whichever line it waits in; False when it waits in none."""
        return any(line.remove(job) for line in self._lines.values())

    def empty(self) -> list[Job]:
        return [job for line in self._lines.values() for job in line.empty()]


def _access(server: ServerFacts) -> tuple[object, ...]:
    """What decides whether a server can be reached and signed in to."""
    where = (server.host, server.port, server.tls_mode)
    return (*where, server.auth_mechanism, server.username, server.sealed_password)


def _carriers(job: Job) -> Iterable[ServerFacts]:
    sender = job.leased.email.mailing.from_address
    return (s for s in job.servers if s.state == MailServerState.ENABLED and s.allows(sender))
