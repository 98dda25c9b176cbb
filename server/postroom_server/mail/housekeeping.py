"""What is tidied up while nobody looks: requests and calls remembered long enough, codes that are over."""

from __future__ import annotations

import asyncio

import structlog

from postroom_server.clock import DAY, Clock, Millis
from postroom_server.mail.codes import forget_codes, forget_guesses
from postroom_server.mail.limits import Limits
from postroom_server.mail.template_calls import crowded_templates, forget_calls, trim_calls
from postroom_server.mail.template_guard import DAYS
from postroom_server.refusals import Refusal
from postroom_server.store.models import Idempotency
from postroom_server.store.statement import Statement, as_list, bind, one_of
from postroom_server.store.unit import Store

log = structlog.get_logger()

INTERVAL_SECONDS = 600.0
_AT_ONCE = 500

_OLD = Statement(
    lambda: (
        Idempotency.select(Idempotency.tenant_id, Idempotency.method, Idempotency.request_id)
        .where(Idempotency.create_time < bind("before"))
        .order_by(Idempotency.create_time)
        .limit(bind("most"))
    )
)
_FORGET = Statement(
    lambda: Idempotency.delete().where(
        (Idempotency.tenant_id == bind("tenant_id"))
        & (Idempotency.method == bind("method"))
        & one_of(Idempotency.request_id, "request_ids")
        & (Idempotency.create_time < bind("before"))
    )
)


def forget_requests(before: Millis) -> int:
    """Forgets up to 500 requests that were remembered before `before`, the oldest first. A unit of work."""
    old = _OLD.rows(before=before, most=_AT_ONCE)
    by_owner: dict[tuple[int, str], list[str]] = {}
    for tenant_id, method, request_id in old:
        by_owner.setdefault((tenant_id, method), []).append(request_id)
    for (tenant_id, method), request_ids in by_owner.items():
        _FORGET.execute(tenant_id=tenant_id, method=method, request_ids=as_list(request_ids), before=before)
    return len(old)


class Housekeeping:
    """Runs for as long as its process. Two processes that tidy the same rows do no harm."""

    def __init__(self, store: Store, clock: Clock, limits: Limits, *, guard_days: int = DAYS) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._guard_days = guard_days

    async def run(self) -> None:
        while True:
            try:
                await self.tidy()
            except Refusal as refusal:
                log.warning("housekeeping_waits", reason=refusal.reason.value)
            except Exception:
                log.exception("housekeeping_failed")
            await asyncio.sleep(INTERVAL_SECONDS)

    async def tidy(self) -> None:
        now = self._clock.now()
        while await self._store.write(forget_requests, now - self._limits.idempotency) == _AT_ONCE:
            pass
        # Sends are counted over a day, and no code is valid for longer.
        last = 0
        while last := await self._store.write(forget_codes, last, now - 2 * DAY):
            pass
        await self._store.write(forget_guesses, now - 2 * DAY)
        while await self._store.write(forget_calls, now - self._guard_days * DAY):
            pass
        for template_id in await self._store.read(crowded_templates):
            await self._store.write(trim_calls, template_id)
