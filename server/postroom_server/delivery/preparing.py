"""The PREPARING stage: fetches the attachments of accepted emails, once, before they can be leased."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Callable
from typing import Protocol

import structlog

from postroom_server.clock import Millis
from postroom_server.delivery.preparation import (
    Claimed,
    Concluded,
    Turns,
    claim,
    conclude,
    fail,
    give_back,
    keep,
    next_file,
)
from postroom_server.fetch import Fetched, FetchFailed, FetchRefused
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.ids import IdMint
from postroom_server.store.unit import Store

log = structlog.get_logger()


class Fetches(Protocol):
    """What the stage asks of `fetch.Fetcher`."""

    async def fetch(self, url: str, *, max_bytes: int | None = None) -> Fetched: ...


@dataclasses.dataclass(frozen=True, slots=True)
class PreparingSettings:
    slots: int = 8  # emails whose files are fetched at a time
    total_bytes: int = 20 << 20  # of an email's files together
    poll_seconds: float = 0.25
    store_pause_seconds: float = 1.0  # after the database did not answer


class Preparing:
    """Runs in the event loop of its process. `wake` may be called from any thread."""

    def __init__(
        self,
        store: Store,
        fetcher: Fetches,
        mint: IdMint,
        *,
        settings: PreparingSettings,
        due_now: Callable[[], Millis],
        on_ready: Callable[[], None],
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._mint = mint
        self._settings = settings
        # Called inside units: on PostgreSQL the database's clock decides what is due.
        self._due_now = due_now
        self._on_ready = on_ready
        self._turns = Turns()
        self._in_hand: dict[int, asyncio.Task[None]] = {}
        self._by_tenant: collections.Counter[int] = collections.Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running = asyncio.create_task(self._claim_until_stopped(), name="preparing")

    def wake(self) -> None:
        """Says that something may be due. Cheap; safe from any thread."""
        if self._loop is None or self._awake.is_set():
            return
        try:
            self._loop.call_soon_threadsafe(self._awake.set)
        except RuntimeError:
            log.debug("preparing_loop_is_closed")

    async def stop(self) -> None:
        """Stops claiming, breaks off what is being fetched and leaves it to the next process, at once."""
        self._stopping = True
        self._awake.set()
        if self._running is None:
            return
        await self._running
        in_hand = dict(self._in_hand)
        for task in in_hand.values():
            task.cancel()
        await asyncio.gather(*in_hand.values(), return_exceptions=True)
        for email_id in in_hand:
            await self._give_back(email_id)

    async def _claim_until_stopped(self) -> None:
        while not self._stopping:
            self._awake.clear()
            try:
                while self._has_room() and await self._claim():
                    pass
            except Refusal as refusal:
                if refusal.reason is not Reason.STORE_UNAVAILABLE:  # which the store tells, once
                    log.warning("preparing_waits", reason=refusal.reason.value)
                await asyncio.sleep(self._settings.store_pause_seconds)
            except Exception:
                log.exception("preparing_failed")
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
        # Whoever names slow servers waits for them alone: half of the slots stay with the other tenants.
        most = max(1, self._settings.slots // 2)
        busy = [tenant_id for tenant_id, count in self._by_tenant.items() if count >= most]
        claimed = await self._store.write(claim, self._turns, busy, self._due_now)
        if claimed is None:
            return False
        if claimed.email_id in self._in_hand:
            return True  # it has taken longer than its claim, and is under way all the same
        self._by_tenant[claimed.tenant_id] += 1
        task = asyncio.create_task(self._prepare(claimed), name=f"prepare-{claimed.email_id}")
        self._in_hand[claimed.email_id] = task
        task.add_done_callback(lambda _: self._let_go(claimed))
        return True

    def _let_go(self, claimed: Claimed) -> None:
        del self._in_hand[claimed.email_id]
        self._by_tenant[claimed.tenant_id] -= 1
        if not self._by_tenant[claimed.tenant_id]:
            del self._by_tenant[claimed.tenant_id]
        self._awake.set()

    async def _prepare(self, claimed: Claimed) -> None:
        """One round over the files that an email lacks."""
        try:
            concluded = await self._round(claimed)
        except Refusal as refusal:
            # The database's trouble, not the file's: nothing is counted, and the claim runs out.
            log.warning("preparing_waits", email=claimed.email_id, reason=refusal.reason.value)
            return
        except Exception:
            log.exception("not_prepared", email=claimed.email_id)
            return
        if concluded.failure:
            log.warning("attachment_not_had", email=claimed.email_id, reason=concluded.failure)
        if concluded.ready:
            self._on_ready()

    async def _round(self, claimed: Claimed) -> Concluded:
        position = -1
        while (
            file := await self._store.write(
                next_file, claimed.email_id, position, self._settings.total_bytes, self._due_now
            )
        ) is not None:
            position = file.position
            try:
                fetched = await self._fetcher.fetch(file.url, max_bytes=file.max_bytes)
            except FetchRefused as refused:
                return await self._store.write(fail, claimed.email_id, refused.detail, self._due_now)
            except FetchFailed as failed:
                log.info("attachment_not_fetched", email=claimed.email_id, error=failed.detail)
                continue
            except Exception:
                # A mistake of ours must not be repeated for days: it counts as a failure too.
                log.exception("attachment_not_fetched", email=claimed.email_id)
                continue
            kept = await self._store.write(
                keep, claimed, file, fetched, self._settings.total_bytes, self._mint, self._due_now
            )
            if not kept:
                return await self._store.write(
                    fail, claimed.email_id, "too many bytes together", self._due_now
                )
        return await self._store.write(conclude, claimed.email_id, self._due_now)

    async def _give_back(self, email_id: int) -> None:
        try:
            await self._store.write(give_back, email_id, self._due_now)
        except Refusal as refusal:
            log.warning("not_given_back", email=email_id, reason=refusal.reason.value)
