"""How many more copies of a tenant may wait: an audience is looked up no faster than its mail can leave."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import peewee

from postroom_server.clock import Clock
from postroom_server.store.models import Delivery
from postroom_server.store.statement import Statement, bind

_RECOUNT_SECONDS = 30.0  # other processes add and take away
_RECOUNT_FULL_SECONDS = 1.0
_LANES = 6  # the three, and those for what is sent alone


def _waiting_query() -> Any:
    # Lane by lane, for the index leads with it; and of no lane more than matters.
    lanes = [
        Delivery.select(Delivery.id)
        .where(
            (Delivery.state == peewee.SQL("'READY'"))
            & (Delivery.lane == lane)
            & (Delivery.tenant_id == bind("tenant_id"))
        )
        .limit(bind("most"))
        for lane in range(_LANES)
    ]
    counted = [
        peewee.Select([lane], [peewee.fn.COUNT(peewee.SQL("*"))]).bind(Delivery._meta.database)
        for lane in lanes
    ]
    return peewee.Select(columns=counted).bind(Delivery._meta.database)


COUNT_WAITING = Statement(_waiting_query)


@dataclasses.dataclass(slots=True)
class _Count:
    waiting: int  # never below the truth of this process: what has left is taken off by recounting only
    counted_at: float


class Room:
    """Counts what waits, now and then, and what was added since. Used inside units."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: dict[int, _Count] = {}
        self._lock = threading.Lock()

    def left(self, tenant_id: int, limit: int, wanted: int) -> int:
        """How many of `wanted` more copies may wait."""
        now = self._clock.monotonic()
        with self._lock:
            count = self._counts.get(tenant_id)
        fits = count is not None and count.waiting + wanted <= limit
        patience = _RECOUNT_SECONDS if fits else _RECOUNT_FULL_SECONDS
        if count is None or now - count.counted_at > patience:
            waiting = sum(COUNT_WAITING.rows(tenant_id=tenant_id, most=limit)[0])
            count = _Count(waiting, now)
            with self._lock:
                self._counts[tenant_id] = count
        return max(0, min(wanted, limit - count.waiting))

    def add(self, tenant_id: int, copies: int) -> None:
        """Notes copies that have come to wait. Not inside a unit: those may run twice."""
        with self._lock:
            if tenant_id in self._counts:
                self._counts[tenant_id].waiting += copies
