"""The metrics hook: calls by method and code, and how long they took."""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client

from postroom_server.rpc.call import Call, Method
from postroom_server.rpc.observed import Observe

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)


def unsubscribed_counter(registry: prometheus_client.CollectorRegistry) -> Callable[[int], None]:
    """`postroom_unsubscribed_total`: takes how many addresses one call has put on the list."""
    counter = prometheus_client.Counter(
        "postroom_unsubscribed_total", "Addresses that links have unsubscribed.", registry=registry
    )
    return counter.inc


class Metrics:
    """`postroom_rpc_calls_total{method,code}` and `postroom_rpc_seconds{method}`. Streams are not timed."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self._calls = prometheus_client.Counter(
            "postroom_rpc_calls_total", "Calls that are over.", ("method", "code"), registry=registry
        )
        self._seconds = prometheus_client.Histogram(
            "postroom_rpc_seconds",
            "Duration of unary calls.",
            ("method",),
            buckets=_SECONDS,
            registry=registry,
        )

    def __call__(self, method: Method) -> Observe:
        # A stream lives as long as its reader likes; its duration says nothing.
        observe = None if method.answers_stream else self._seconds.labels(method.name).observe
        # `labels()` takes a lock and builds a tuple; there are at most seventeen codes.
        counters: dict[str, prometheus_client.Counter] = {}

        def measure(call: Call, seconds: float) -> None:
            counter = counters.get(call.code)
            if counter is None:
                counter = counters[call.code] = self._calls.labels(method.name, call.code)
            counter.inc()
            if observe is not None:
                observe(seconds)

        return measure
