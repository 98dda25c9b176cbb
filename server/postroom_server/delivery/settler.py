"""Gathers the outcomes of attempts for a moment and writes them together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from postroom_server.clock import Clock
from postroom_server.delivery.settle import Settlement, settle
from postroom_server.refusals import Refusal
from postroom_server.store.ids import IdMint
from postroom_server.store.unit import Store

log = structlog.get_logger()

AT_ONCE = 256
TRIES = 3  # of an outcome, while closing


class Settler:
    """`report` never waits; `on_settled` hears of deliveries once their outcome is durable."""

    def __init__(
        self,
        store: Store,
        mint: IdMint,
        clock: Clock,
        *,
        owner: int,
        on_settled: Callable[[Sequence[Settlement]], None],
        gather_seconds: float = 0.01,
        retry_seconds: float = 1.0,
    ) -> None:
        self._store = store
        self._mint = mint
        self._clock = clock
        self._owner = owner
        self._on_settled = on_settled
        self._gather_seconds = gather_seconds
        self._retry_seconds = retry_seconds
        self._waiting: list[Settlement] = []
        self._came = asyncio.Event()
        self._closing = False

    def report(self, settlement: Settlement) -> None:
        self._waiting.append(settlement)
        self._came.set()

    def close(self) -> None:
        """Lets `run` return once everything reported is written."""
        self._closing = True
        self._came.set()

    async def run(self) -> None:
        while self._waiting or not self._closing:
            await self._came.wait()
            if len(self._waiting) < AT_ONCE and not self._closing:
                await asyncio.sleep(self._gather_seconds)
            self._came.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                await self._write(batch)

    async def _write(self, batch: list[Settlement]) -> None:
        """Writes until it succeeds: an outcome that is known must not be lost to a pause of the database."""
        tries = 0
        while not await self._try(batch):
            tries += 1
            if self._closing and tries >= TRIES:
                # Nobody will know how these ended: they stay LEASED, and are rescued as after a crash.
                log.error("settle_given_up", deliveries=[one.leased.id for one in batch])
                break
            await asyncio.sleep(self._retry_seconds)
        self._on_settled(batch)

    async def _try(self, batch: list[Settlement]) -> bool:
        """False: the database does not answer."""
        try:
            late = await self._store.write(settle, self._owner, batch, self._mint, self._clock.now())
        except Refusal as refusal:
            log.warning("settle_waits", deliveries=len(batch), reason=refusal.reason.value)
            return False
        except Exception:
            if len(batch) > 1:
                # One bad row must not keep the others from being settled.
                for one in batch:
                    await self._write([one])
            else:
                # Our own mistake; trying again would hold up the others. The next start rescues it.
                log.exception("settle_failed", delivery=batch[0].leased.id)
            return True
        if late:
            log.warning("outcomes_came_late", deliveries=[one.leased.id for one in late])
        return True
