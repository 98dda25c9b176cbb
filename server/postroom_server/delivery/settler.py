"""Gathers the outcomes of attempts for a moment and writes them together."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence

import structlog

from postroom_server.clock import Clock, Millis
from postroom_server.delivery import attempts
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.rescue import Rescued, rescue_one
from postroom_server.delivery.settle import settle_once
from postroom_server.delivery.verdict import Outcome
from postroom_server.failpoints import reach
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
        on_rescued: Callable[[Rescued], None] = lambda _: None,
        gather_seconds: float = 0.01,
        retry_seconds: float = 1.0,
    ) -> None:
        self._store = store
        self._mint = mint
        self._clock = clock
        self._owner = owner
        self._on_settled = on_settled
        self._on_rescued = on_rescued
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
                if outcomes := [one for one in batch if one.verdict.outcome is not Outcome.CRASHED]:
                    await self._write(outcomes)
                for one in batch:
                    if one.verdict.outcome is Outcome.CRASHED:
                        await self._rescue(one)

    async def _write(self, batch: list[Settlement]) -> None:
        """Writes until it succeeds: an outcome that is known must not be lost to a pause of the database."""
        ids: list[int] = []

        async def write() -> None:
            nonlocal ids
            # The same at every try: a lost answer to a COMMIT does not tell what became of it.
            ids = ids or self._mint.many(attempts.count(batch))
            reach("before_settle")
            now = self._clock.now()
            if late := await self._store.write(settle_once, self._owner, batch, ids, self._mint, now):
                log.warning("outcomes_came_late", deliveries=[one.leased.id for one in late])

        try:
            await self._insist(write, batch)
        except Exception:
            if len(batch) > 1:
                # One bad row must not keep the others from being settled.
                for one in batch:
                    await self._write([one])
            else:
                # It is our own mistake, and leased for ever the mail would have no way forward.
                log.exception("settle_failed", delivery=batch[0].leased.id)
                await self._rescue(batch[0])
            return
        self._on_settled(batch)

    async def _rescue(self, one: Settlement) -> None:
        """Ends a lease as if this process had died of the mail: three times, then HELD."""
        leased = one.leased

        async def write() -> None:
            now = self._clock.now()
            self._on_rescued(await self._store.write(_rescue_unit, self._owner, one, self._mint, now))

        try:
            await self._insist(write, [one])
        except Exception:
            # It stays in hand, and the next start rescues it.
            log.exception("not_given_back", delivery=leased.id)
            return
        self._on_settled([one])

    async def _insist(self, write: Callable[[], Awaitable[None]], batch: list[Settlement]) -> None:
        """Until the database answers, or closing has waited long enough for it."""
        for tries in itertools.count(1):
            try:
                await write()
                return
            except Refusal as refusal:
                log.warning("settle_waits", deliveries=len(batch), reason=refusal.reason.value)
            if self._closing and tries >= TRIES:
                # Nobody will know how these ended: they stay LEASED, and are rescued as after a crash.
                log.error("settle_given_up", deliveries=[one.leased.id for one in batch])
                return
            await asyncio.sleep(self._retry_seconds)


def _rescue_unit(owner: int, one: Settlement, mint: IdMint, now: Millis) -> Rescued:
    """With what was tried with other servers before, within the same attempt."""
    rescued = rescue_one(owner, one.leased.id, one.leased.lease_token, mint, now)
    if rescued.total and one.earlier:
        attempts.note(one.earlier, mint.many(len(one.earlier)), owner)
    return rescued
