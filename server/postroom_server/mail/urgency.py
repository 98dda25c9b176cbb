"""Who may go ahead of the queue: a bucket per tenant of the urgent mails that still may."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from postroom_server.clock import Clock
from postroom_server.mail.limits import Limits

_SECONDS = 60.0


class Urgency:
    """Counts urgent mails by tenant. Each process counts for itself: two let through twice as many.

    A unit of work that is run again takes again: a tenant may lose a few, and never gains any.
    """

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._buckets: dict[int, tuple[float, float]] = {}  # what is left, and since when
        self._lock = threading.Lock()  # units of one process run on several threads

    def admits(self, tenant_id: int, own_limits: Mapping[str, int]) -> bool:
        """Takes one urgent mail out of the tenant's bucket; False when it is empty."""
        per_minute = own_limits.get("urgent_per_minute", self._limits.urgent_per_minute)
        burst = own_limits.get("urgent_burst", self._limits.urgent_burst)
        if per_minute <= 0 or burst <= 0:
            return False
        now = self._clock.monotonic()
        with self._lock:
            left, since = self._buckets.get(tenant_id, (float(burst), now))
            left = min(float(burst), left + (now - since) * per_minute / _SECONDS)
            admitted = left >= 1
            self._buckets[tenant_id] = (left - admitted, now)
        return admitted
