"""Counts requests over HTTP, and shows all metrics of the process to Prometheus."""

from __future__ import annotations

import prometheus_client
from prometheus_client.exposition import choose_encoder

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)


class Metrics:
    """`postroom_http_requests_total{face,status}` and `postroom_http_seconds{face}`; a face is a dialect."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self._registry = registry
        self._requests = prometheus_client.Counter(
            "postroom_http_requests_total", "Requests that are over.", ("face", "status"), registry=registry
        )
        self._seconds = prometheus_client.Histogram(
            "postroom_http_seconds",
            "Duration of requests, from the end of the header to the end of the answer.",
            ("face",),
            buckets=_SECONDS,
            registry=registry,
        )
        # `labels()` takes a lock and builds a tuple; faces and statuses are few.
        self._counters: dict[tuple[str, int], prometheus_client.Counter] = {}
        self._timers: dict[str, prometheus_client.Histogram] = {}

    def note(self, face: str, status: int, seconds: float) -> None:
        counter = self._counters.get((face, status))
        if counter is None:
            counter = self._counters[face, status] = self._requests.labels(face, status)
        counter.inc()
        timer = self._timers.get(face)
        if timer is None:
            timer = self._timers[face] = self._seconds.labels(face)
        timer.observe(seconds)

    def page(self, accept: str) -> tuple[bytes, str]:
        """Everything in the registry, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type
