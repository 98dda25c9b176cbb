"""What the engine tells Prometheus; docs/reference/metrics.md explains each name."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import prometheus_client
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.breaker import BreakerState
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.rescue import Rescued
from postroom_server.smtp import Phase
from postroom_server.store.facts import ServerFacts
from postroom_server.store.models import Lane

# Beyond so many pairs of server and sender's domain, further ones are counted together.
MOST_SENDERS = 500
OTHERS = "others"

_BREAKER_VALUES = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}
_SERVER = ("server_id", "server")


class Waiting(NamedTuple):
    """What is due in a lane and in nobody's hands."""

    deliveries: int
    oldest_seconds: float


class DeliveryMetrics:
    """Counts what is settled once it is durable, so that a count never runs ahead of the tables."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        def counter(name: str, says: str, *labels: str) -> prometheus_client.Counter:
            return prometheus_client.Counter(name, says, labels, registry=registry)

        self._leases = counter("postroom_leases_total", "Deliveries leased.", "lane")
        self._attempts = counter("postroom_attempts_total", "Attempts that are over.", "outcome")
        self._recipients = counter("postroom_recipients_total", "Recipients that attempts settled.", "state")
        self._ambiguous = counter(
            "postroom_ambiguous_total", "Times that a copy may have left and nobody knows.", "cause"
        )
        self._rescues = counter("postroom_rescues_total", "Deliveries taken back from the dead.", "fate")
        self._put_off = counter("postroom_put_off_total", "Deliveries that nobody could be asked for.", "why")
        self._openings = counter("postroom_breaker_openings_total", "Times a breaker opened.", *_SERVER)
        self._logins = counter("postroom_login_refusals_total", "Refused credentials.", *_SERVER)
        self._senders = counter(
            "postroom_sender_refusals_total", "Senders refused for good at MAIL.", *_SERVER, "domain"
        )
        self._sending_ended = counter(
            "postroom_sending_process_deaths_total", "Times that the process beside this one was lost."
        )
        self._known_senders: set[tuple[int, str]] = set()
        self._registry = registry

    def watch(
        self,
        in_hand: Callable[[], int],
        breakers: Callable[[], Iterable[tuple[ServerFacts, BreakerState]]],
        queue: Callable[[], Mapping[Lane, Waiting]],
        has_sender: Callable[[], bool],
    ) -> None:
        """Asks these at every scrape, in the scraper's thread."""
        self._registry.register(_Watched(in_hand, breakers, queue, has_sender))

    def leased(self, leased: Iterable[Leased]) -> None:
        for lane, count in collections.Counter(one.lane for one in leased).items():
            self._leases.labels(lane.name.lower()).inc(count)

    def settled(self, settlements: Sequence[Settlement]) -> None:
        outcomes: collections.Counter[str] = collections.Counter()
        states: collections.Counter[str] = collections.Counter()
        for settlement in settlements:
            outcomes.update(one.verdict.outcome for one in settlement.tried)
            states.update(end.state for end in settlement.verdict.settled)
        for outcome, count in outcomes.items():
            self._attempts.labels(outcome).inc(count)
        for state, count in states.items():
            self._recipients.labels(state).inc(count)
        if outcomes["AMBIGUOUS"]:
            self._ambiguous.labels("line").inc(outcomes["AMBIGUOUS"])

    def rescued(self, rescued: Rescued) -> None:
        for fate in ("ready", "held", "ended"):
            self._rescues.labels(fate).inc(getattr(rescued, fate))
        self._ambiguous.labels("crash").inc(rescued.ambiguous)

    def sender_lost(self) -> None:
        self._sending_ended.inc()

    def put_off(self, why: str) -> None:
        self._put_off.labels(why).inc()

    def breaker_opened(self, server: ServerFacts, phase: Phase) -> None:
        self._openings.labels(*_names(server)).inc()
        if phase is Phase.AUTH:
            self._logins.labels(*_names(server)).inc()

    def sender_refused(self, server: ServerFacts, domain: str) -> None:
        if (server.id, domain) not in self._known_senders:
            if len(self._known_senders) >= MOST_SENDERS:
                domain = OTHERS
            else:
                self._known_senders.add((server.id, domain))
        self._senders.labels(*_names(server), domain).inc()


class _Watched(Collector):
    """What stands at a value, rather than being counted."""

    def __init__(
        self,
        in_hand: Callable[[], int],
        breakers: Callable[[], Iterable[tuple[ServerFacts, BreakerState]]],
        queue: Callable[[], Mapping[Lane, Waiting]],
        has_sender: Callable[[], bool],
    ) -> None:
        self._in_hand = in_hand
        self._breakers = breakers
        self._queue = queue
        self._has_sender = has_sender

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(
            "postroom_deliveries_in_hand", "Deliveries that this process has leased.", self._in_hand()
        )
        yield GaugeMetricFamily(
            "postroom_sending_processes",
            "Processes beside this one that send for it.",
            int(self._has_sender()),
        )
        states = GaugeMetricFamily("postroom_breaker_state", "0 closed, 1 half open, 2 open.", labels=_SERVER)
        for server, state in self._breakers():
            states.add_metric(_names(server), _BREAKER_VALUES[state])
        yield states
        deliveries = GaugeMetricFamily(
            "postroom_queue_deliveries", "Deliveries that are due.", labels=["lane"]
        )
        oldest = GaugeMetricFamily(
            "postroom_queue_oldest_seconds", "How long the oldest of them has been due.", labels=["lane"]
        )
        for lane, waiting in self._queue().items():
            deliveries.add_metric([lane.name.lower()], waiting.deliveries)
            oldest.add_metric([lane.name.lower()], waiting.oldest_seconds)
        yield deliveries
        yield oldest


def _names(server: ServerFacts) -> tuple[str, str]:
    return str(server.id), server.name
