"""This process among others: its number, its beat, and the rescue of those that stopped beating.

On SQLite there is one process, number 0, and what it finds LEASED at start is its predecessor's.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

import structlog

from postroom_server.clock import Clock, Millis
from postroom_server.delivery.rescue import Rescued, rescue
from postroom_server.refusals import Refusal
from postroom_server.store.ids import NODE_BITS, IdMint
from postroom_server.store.models import Delivery, DeliveryState, Worker
from postroom_server.store.unit import LostRaceError, Store

log = structlog.get_logger()

BEAT_SECONDS = 15.0
FENCED_AFTER_SECONDS = 45.0
DEAD_AFTER_SECONDS = 60.0


class FencedError(Exception):
    """Another process has declared this one dead and taken its work."""


def claim(incarnation: str, now: Millis) -> int:
    """Takes the smallest free number from 1 on. A unit of work for PostgreSQL."""
    taken = {row.id for row in Worker.select(Worker.id)}
    number = next((n for n in range(1, 1 << NODE_BITS) if n not in taken), None)
    if number is None:
        raise RuntimeError(f"all {(1 << NODE_BITS) - 1} worker numbers are taken")
    inserted = (
        Worker.insert(id=number, incarnation=incarnation, beat=0, start_time=now, beat_time=now)
        .on_conflict_ignore()
        .returning(Worker.id)
        .execute()
    )
    if not list(inserted):
        raise LostRaceError
    return number


async def rescue_all(store: Store, mint: IdMint, clock: Clock, owner: int | None) -> int:
    """Rescues everything a dead owner left, in short transactions."""
    total = 0
    while (rescued := await store.write(rescue, owner, mint, clock.now())) != Rescued():
        total += rescued.total
    if total:
        log.warning("rescued", deliveries=total, owner=owner)
    return total


class Presence:
    """Beats for this process and watches the others. PostgreSQL only."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._incarnation = secrets.token_hex(8)
        self._last_beat = clock.monotonic()
        self._seen: dict[tuple[int, str], tuple[int, float]] = {}
        self.number = 0

    async def claim(self) -> int:
        self.number = await self._store.write(claim, self._incarnation, self._clock.now())
        self._last_beat = self._clock.monotonic()
        return self.number

    def is_alive(self) -> bool:
        """Whether others still believe in this process; ids may be made only then."""
        return self._clock.monotonic() - self._last_beat < FENCED_AFTER_SECONDS

    async def beat_forever(
        self, mint: IdMint, *, on_cancels: Callable[[list[int]], None], on_fenced: Callable[[], None]
    ) -> None:
        """Beats until this process has been declared dead, or may have been: then calls `on_fenced` and ends."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                on_cancels(await self.beat(mint))
            except FencedError:
                log.error("declared_dead", worker=self.number)
                on_fenced()
                return
            except Refusal as refusal:
                log.warning("beat_missed", reason=refusal.reason.value)
            except Exception:
                log.exception("beat_failed")
            if not self.is_alive():
                log.error("fenced_off", worker=self.number)
                on_fenced()
                return

    async def beat(self, mint: IdMint) -> list[int]:
        """One beat: raises the own counter, rescues whoever has stood still for 60 s.

        Returns the deliveries in this process's hands whose cancel was asked for elsewhere. Raises
        FencedError when the own row has passed to another.
        """
        cancels = await self._store.write(_beat, self.number, self._incarnation, self._clock.now())
        if cancels is None:
            raise FencedError("another process has taken over this one's work")
        self._last_beat = self._clock.monotonic()
        await self._rescue_the_dead(mint)
        return cancels

    async def leave(self) -> None:
        """Removes the own row, so that nobody waits for a beat."""
        await self._store.write(_remove, self.number, self._incarnation)

    async def _rescue_the_dead(self, mint: IdMint) -> None:
        now = self._clock.monotonic()
        others = await self._store.read(_others, self.number)
        seen: dict[tuple[int, str], tuple[int, float]] = {}
        for number, incarnation, beat in others:
            last_beat, since = self._seen.get((number, incarnation), (beat, now))
            seen[number, incarnation] = (beat, since if beat == last_beat else now)
            if now - seen[number, incarnation][1] >= DEAD_AFTER_SECONDS:
                condemned = f"rescued by {self._incarnation}"
                if await self._store.write(_condemn, number, incarnation, beat, condemned):
                    await rescue_all(self._store, mint, self._clock, number)
                    await self._store.write(_remove, number, condemned)
        self._seen = seen


def _beat(number: int, incarnation: str, now: Millis) -> list[int] | None:
    changed = (
        Worker.update(beat=Worker.beat + 1, beat_time=now)
        .where((Worker.id == number) & (Worker.incarnation == incarnation))
        .execute()
    )
    if not changed:
        return None
    cancels = Delivery.select(Delivery.id).where(
        (Delivery.state == DeliveryState.LEASED)
        & (Delivery.lease_owner == number)
        & Delivery.cancel_requested
    )
    return [row.id for row in cancels]


def _others(number: int) -> list[tuple[int, str, int]]:
    rows = Worker.select(Worker.id, Worker.incarnation, Worker.beat).where(Worker.id != number)
    return [(row.id, row.incarnation, row.beat) for row in rows]


def _condemn(number: int, incarnation: str, beat: int, condemned: str) -> bool:
    """Takes the row over: should its process come back, it finds itself fenced at its next beat.

    The number stays taken until the rescue is done, or a newcomer's deliveries would be rescued too.
    """
    same = (Worker.id == number) & (Worker.incarnation == incarnation) & (Worker.beat == beat)
    return bool(Worker.update(incarnation=condemned).where(same).execute())


def _remove(number: int, incarnation: str) -> None:
    Worker.delete().where((Worker.id == number) & (Worker.incarnation == incarnation)).execute()
