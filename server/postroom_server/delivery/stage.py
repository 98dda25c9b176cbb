"""A stage before mail can be leased: claims due emails, tenant by tenant, and works on several at once."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import structlog

from postroom_server.refusals import Reason, Refusal

log = structlog.get_logger()


class Claimed(Protocol):
    """An email that a stage has to itself for a while."""

    @property
    def email_id(self) -> int: ...
    @property
    def tenant_id(self) -> int: ...


C = TypeVar("C", bound=Claimed)


class Stage(Generic[C]):
    """Runs in the event loop of its process. `wake` may be called from any thread.

    `claim` is asked for an email of none of the tenants it is given; `work` takes each that it had. At most
    `slots` are in hand, of one tenant half of them: whoever takes long leaves the others room.
    """

    def __init__(
        self,
        name: str,
        *,
        claim: Callable[[list[int]], Awaitable[C | None]],
        work: Callable[[C], Awaitable[None]],
        slots: int,
        poll_seconds: float,
        store_pause_seconds: float,
    ) -> None:
        self._name = name
        self._claim = claim
        self._work = work
        self._slots = slots
        self._poll_seconds = poll_seconds
        self._store_pause_seconds = store_pause_seconds
        self._in_hand: dict[int, asyncio.Task[None]] = {}
        self._by_tenant: collections.Counter[int] = collections.Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self.is_stopping = False

    @property
    def in_hand(self) -> dict[int, asyncio.Task[None]]:
        """What is under way now, by email."""
        return dict(self._in_hand)

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running = asyncio.create_task(self._claim_until_stopped(), name=self._name)

    def wake(self) -> None:
        """Says that something may be due. Cheap; safe from any thread."""
        if self._loop is None or self._awake.is_set():
            return
        try:
            self._loop.call_soon_threadsafe(self._awake.set)
        except RuntimeError:
            log.debug(f"{self._name}_loop_is_closed")

    async def stop_claiming(self) -> None:
        """Returns when no more is claimed; what is in hand goes on."""
        self.is_stopping = True
        self._awake.set()
        if self._running is not None:
            await self._running

    async def _claim_until_stopped(self) -> None:
        while not self.is_stopping:
            self._awake.clear()
            try:
                while self._has_room() and await self._take_one():
                    pass
            except Refusal as refusal:
                if refusal.reason is not Reason.STORE_UNAVAILABLE:  # which the store tells, once
                    log.warning(f"{self._name}_waits", reason=refusal.reason.value)
                await asyncio.sleep(self._store_pause_seconds)
            except Exception:
                log.exception(f"{self._name}_failed")
                await asyncio.sleep(self._store_pause_seconds)
            await self._rest()

    def _has_room(self) -> bool:
        return not self.is_stopping and len(self._in_hand) < self._slots

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._awake.wait()
        except TimeoutError:
            return

    async def _take_one(self) -> bool:
        most = max(1, self._slots // 2)
        claimed = await self._claim([tenant for tenant, count in self._by_tenant.items() if count >= most])
        if claimed is None:
            return False
        if claimed.email_id in self._in_hand:
            return True  # it has taken longer than its claim, and is under way all the same
        self._by_tenant[claimed.tenant_id] += 1
        task = asyncio.ensure_future(self._work(claimed))
        self._in_hand[claimed.email_id] = task
        task.add_done_callback(lambda _: self._let_go(claimed))
        return True

    def _let_go(self, claimed: C) -> None:
        del self._in_hand[claimed.email_id]
        self._by_tenant[claimed.tenant_id] -= 1
        if not self._by_tenant[claimed.tenant_id]:
            del self._by_tenant[claimed.tenant_id]
        self._awake.set()
