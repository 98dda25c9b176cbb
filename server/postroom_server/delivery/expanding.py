"""The stage that looks audiences up in the background: several at a time, a page of each in turn."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import structlog

from postroom_server.failpoints import reach
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.unit import Store

log = structlog.get_logger()


class Claimed(Protocol):
    @property
    def email_id(self) -> int: ...
    @property
    def tenant_id(self) -> int: ...


class Taken(Protocol):
    @property
    def goes_on(self) -> bool:
        """Whether the next step of the same email may follow at once."""

    @property
    def queued(self) -> int:
        """How many copies came to wait for the engine."""


class Steps(Protocol):
    """What a look-up is made of; mail/audience_expansion.py has it.

    `claim`, never of an email that is in hand, and `take` are units of work; `look_up` is one that only
    reads, and says what step is to be taken; `taken` follows its commit.
    """

    def claim(self, busy_tenants: Iterable[int], in_hand: Iterable[int]) -> Claimed | None: ...
    def look_up(self, claimed: Any) -> Any: ...
    def take(self, step: Any, *, gives_way: bool) -> Taken: ...
    def taken(self, taken: Any) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class ExpandingSettings:
    slots: int = 8  # emails in hand
    pages_at_once: int = 2
    turn_pages: int = 20  # of one email, then others have their turn
    poll_seconds: float = 0.25
    store_pause_seconds: float = 1.0  # after the database did not answer


class Expanding:
    """Runs in the event loop of its process. `wake` may be called from any thread."""

    def __init__(
        self, store: Store, steps: Steps, *, settings: ExpandingSettings, on_ready: Callable[[], None]
    ) -> None:
        self._store = store
        self._steps = steps
        self._settings = settings
        self._on_ready = on_ready
        # First come, first served: whoever has had a page queues behind the others.
        self._pages = asyncio.Semaphore(settings.pages_at_once)
        self._in_hand: dict[int, asyncio.Task[None]] = {}
        self._by_tenant: collections.Counter[int] = collections.Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running = asyncio.create_task(self._claim_until_stopped(), name="expanding")

    def wake(self) -> None:
        """Says that something may be due. Cheap; safe from any thread."""
        if self._loop is None or self._awake.is_set():
            return
        try:
            self._loop.call_soon_threadsafe(self._awake.set)
        except RuntimeError:
            log.debug("expanding_loop_is_closed")

    async def stop(self) -> None:
        """Stops claiming, and returns when the pages under way are written."""
        self._stopping = True
        self._awake.set()
        if self._running is None:
            return
        await self._running
        await asyncio.gather(*self._in_hand.values(), return_exceptions=True)

    async def _claim_until_stopped(self) -> None:
        while not self._stopping:
            self._awake.clear()
            try:
                while self._has_room() and await self._claim():
                    pass
            except Refusal as refusal:
                if refusal.reason is not Reason.STORE_UNAVAILABLE:  # which the store tells, once
                    log.warning("expanding_waits", reason=refusal.reason.value)
                await asyncio.sleep(self._settings.store_pause_seconds)
            except Exception:
                log.exception("expanding_failed")
                await asyncio.sleep(self._settings.store_pause_seconds)
            await self._rest()

    def _has_room(self) -> bool:
        return not self._stopping and len(self._in_hand) < self._settings.slots

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._settings.poll_seconds):
                await self._awake.wait()
        except TimeoutError:
            return

    async def _claim(self) -> bool:
        # Whoever sends to very many keeps half of the slots at most.
        most = max(1, self._settings.slots // 2)
        busy = [tenant_id for tenant_id, count in self._by_tenant.items() if count >= most]
        claimed = await self._store.write(self._steps.claim, busy, tuple(self._in_hand))
        if claimed is None:
            return False
        self._begin(claimed)
        return True

    def _begin(self, claimed: Claimed) -> None:
        self._by_tenant[claimed.tenant_id] += 1
        task = asyncio.create_task(self._expand(claimed), name=f"expand-{claimed.email_id}")
        self._in_hand[claimed.email_id] = task
        task.add_done_callback(lambda _: self._let_go(claimed))

    def _let_go(self, claimed: Claimed) -> None:
        del self._in_hand[claimed.email_id]
        self._by_tenant[claimed.tenant_id] -= 1
        if not self._by_tenant[claimed.tenant_id]:
            del self._by_tenant[claimed.tenant_id]
        self._awake.set()

    async def _expand(self, claimed: Claimed) -> None:
        """One email's turn: a few pages, or until there are no more."""
        try:
            for left in reversed(range(self._settings.turn_pages)):
                async with self._pages:
                    if not await self._page(claimed, gives_way=left == 0 or self._stopping):
                        return
                if self._stopping:
                    return
        except Refusal as refusal:
            # The database's trouble: nothing of the page is stored, and the claim runs out.
            log.warning("expanding_waits", email=claimed.email_id, reason=refusal.reason.value)
        except Exception:
            log.exception("not_expanded", email=claimed.email_id)

    async def _page(self, claimed: Claimed, *, gives_way: bool) -> bool:
        """One page; False when there is nothing more to do for now."""
        step = await self._store.read(self._steps.look_up, claimed)
        if step is None:
            return False
        take = functools.partial(self._steps.take, step, gives_way=gives_way)
        return (await self._store.write_then(self._after, take)).goes_on

    def _after(self, taken: Taken) -> None:
        """Follows a commit, on a thread of the store."""
        reach("after_expansion_commit")
        self._steps.taken(taken)
        if taken.queued:
            self._on_ready()
