"""A stage that mail passes before it can be leased: claims emails that are due and has several in hand."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, Protocol, TypeVar

import structlog

from postroom_server.delivery.alarm import Alarm
from postroom_server.refusals import Reason, Refusal

log = structlog.get_logger()


class Claimed(Protocol):
    """An email that a stage has to itself for a while."""

    @property
    def email_id(self) -> int: ...
    @property
    def tenant_id(self) -> int: ...


C = TypeVar("C", bound=Claimed)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    slots: int = 8  # emails in hand at a time, of one tenant half of them
    poll_seconds: float = 0.25
    store_pause_seconds: float = 1.0  # after the database did not answer


class Stage(Generic[C]):
    """Runs in the event loop of its process. `wake` may be called from any thread.

    `claim` gets the tenants that have as many emails in hand as they may, and the emails in hand; it claims
    one that is due, none of these. `work` has it until it returns: what it raises is logged, and left to the
    claim, which runs out.
    """

    def __init__(
        self,
        name: str,
        *,
        claim: Callable[[list[int], list[int]], Awaitable[C | None]],
        work: Callable[[C], Awaitable[None]],
        settings: StageSettings,
    ) -> None:
        self._name = name
        self._claim = claim
        self._work = work
        self._settings = settings
        self._in_hand: dict[int, asyncio.Task[None]] = {}
        self._by_tenant: collections.Counter[int] = collections.Counter()
        self._alarm = Alarm()
        self._running: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def is_stopping(self) -> bool:
        return self._stopping

    def start(self) -> None:
        self._alarm.arm()
        self._running = asyncio.create_task(self._claim_until_stopped(), name=self._name)

    def wake(self) -> None:
        """Says that something may be due. Cheap; safe from any thread."""
        self._alarm.ring()

    async def stop_claiming(self) -> Mapping[int, asyncio.Task[None]]:
        """Returns what is in hand then, by email; it goes on."""
        self._stopping = True
        self._alarm.ring()
        if self._running is not None:
            await self._running
        return dict(self._in_hand)

    async def _claim_until_stopped(self) -> None:
        while not self._stopping:
            self._alarm.silence()
            try:
                while self._has_room() and await self._take_one():
                    pass
            except Refusal as refusal:
                if refusal.reason is not Reason.STORE_UNAVAILABLE:  # which the store tells, once
                    log.warning(f"{self._name}_waits", reason=refusal.reason.value)
                await asyncio.sleep(self._settings.store_pause_seconds)
            except Exception:
                log.exception(f"{self._name}_failed")
                await asyncio.sleep(self._settings.store_pause_seconds)
            await self._alarm.rest(self._settings.poll_seconds)

    def _has_room(self) -> bool:
        return not self._stopping and len(self._in_hand) < self._settings.slots

    async def _take_one(self) -> bool:
        # Whoever names slow servers, or sends to very many, leaves half of the slots to others.
        most = max(1, self._settings.slots // 2)
        busy = [tenant_id for tenant_id, count in self._by_tenant.items() if count >= most]
        claimed = await self._claim(busy, list(self._in_hand))
        if claimed is None:
            return False
        self._by_tenant[claimed.tenant_id] += 1
        task = asyncio.create_task(self._work_on(claimed), name=f"{self._name}-{claimed.email_id}")
        self._in_hand[claimed.email_id] = task
        task.add_done_callback(lambda _: self._let_go(claimed))
        return True

    async def _work_on(self, claimed: C) -> None:
        try:
            await self._work(claimed)
        except Refusal as refusal:
            # The database's trouble, not the email's: nothing is counted.
            log.warning(f"{self._name}_waits", email=claimed.email_id, reason=refusal.reason.value)
        except Exception:
            log.exception(f"{self._name}_failed", email=claimed.email_id)

    def _let_go(self, claimed: C) -> None:
        del self._in_hand[claimed.email_id]
        self._by_tenant[claimed.tenant_id] -= 1
        if not self._by_tenant[claimed.tenant_id]:
            del self._by_tenant[claimed.tenant_id]
        self._alarm.ring()
