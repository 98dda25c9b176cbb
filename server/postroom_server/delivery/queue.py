"""How much mail is due and waits, lane by lane, looked up now and then for the metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from postroom_server.clock import SECOND, Millis
from postroom_server.delivery.lease import ALONE
from postroom_server.delivery.metrics import Waiting
from postroom_server.refusals import Refusal
from postroom_server.store.models import Lane, bound
from postroom_server.store.statement import is_postgresql
from postroom_server.store.unit import Store

log = structlog.get_logger()

INTERVAL_SECONDS = 15.0
# Who has more than that waiting in a lane need not know how much; counting a million rows is no small thing.
COUNTED_TO = 100_000

# Tenant by tenant through the index delivery_due, as the lease goes: two look-ups a tenant for the oldest.
_OLDEST = """
WITH RECURSIVE turn(tenant_id) AS (
  SELECT (SELECT MIN(tenant_id) FROM delivery WHERE state = 'READY' AND lane = {p})
  UNION ALL
  SELECT (SELECT MIN(d.tenant_id) FROM delivery d
          WHERE d.state = 'READY' AND d.lane = {p} AND d.tenant_id > turn.tenant_id)
  FROM turn WHERE turn.tenant_id IS NOT NULL
)
SELECT MIN((SELECT MIN(x.run_at) FROM delivery x
            WHERE x.state = 'READY' AND x.lane = {p} AND x.tenant_id = turn.tenant_id))
FROM turn WHERE turn.tenant_id IS NOT NULL"""
_DUE = """SELECT COUNT(*) FROM (SELECT 1 FROM delivery
  WHERE state = 'READY' AND lane = {p} AND run_at <= {p} LIMIT {p}) AS due"""


def look(due_now: Callable[[], Millis]) -> dict[Lane, Waiting]:
    """What is due now, up to COUNTED_TO in each lane. A unit that only reads."""
    now = due_now()
    found = {}
    for lane in Lane:
        count, oldest = 0, now
        for number in (int(lane), lane + ALONE):
            count += _ask(_DUE, number, now, COUNTED_TO)
            oldest = min(oldest, _ask(_OLDEST, number, number, number) or now)
        found[lane] = Waiting(min(count, COUNTED_TO), (now - oldest) / SECOND)
    return found


def _ask(sql: str, *values: int) -> int:
    place = "%s" if is_postgresql() else "?"
    row = bound.connection().execute(sql.format(p=place), values).fetchone()
    return int(row[0] or 0)


class QueueWatch:
    """`waiting` is what the last look found."""

    def __init__(self, store: Store, due_now: Callable[[], Millis]) -> None:
        self._store = store
        self._due_now = due_now
        self.waiting: dict[Lane, Waiting] = {}

    async def run(self) -> None:
        while True:
            try:
                self.waiting = await self._store.read(look, self._due_now)
            except Refusal as refusal:
                log.debug("queue_not_looked_at", reason=refusal.reason.value)
            except Exception:
                log.exception("queue_look_failed")
            await asyncio.sleep(INTERVAL_SECONDS)
