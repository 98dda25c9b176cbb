"""This process among others: its number, its beat, and the rescue of those that stopped beating.

On SQLite there is one process, number 0, and what it finds LEASED at start is its predecessor's.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Callable

import peewee
import structlog

from postroom_server.clock import Clock, Millis, SteeredClock
from postroom_server.delivery.rescue import Rescued, rescue
from postroom_server.refusals import Refusal
from postroom_server.store.ids import NODE_BITS, IdMint
from postroom_server.store.models import Delivery, Worker
from postroom_server.store.time import database_now
from postroom_server.store.unit import LostRaceError, Store

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, slots=True)
class Rhythm:
    beat_seconds: float = 15.0
    dead_after_seconds: float = 60.0

    @property
    def silent_after_seconds(self) -> float:
        """After so long without a beat a process stops what it can, well before others take it for dead."""
        return 0.75 * self.dead_after_seconds


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


async def rescue_all(
    store: Store,
    mint: IdMint,
    clock: Clock,
    owner: int | None,
    on_rescued: Callable[[Rescued], None] = lambda _: None,
) -> int:
    """Rescues everything a dead owner left, in short transactions."""
    total = 0
    while (rescued := await store.write(rescue, owner, mint, clock.now())) != Rescued():
        total += rescued.total
        on_rescued(rescued)
    if total:
        log.warning("rescued", deliveries=total, owner=owner)
    return total


class Presence:
    """Beats for this process and watches the others. PostgreSQL only."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        rhythm: Rhythm = Rhythm(),
        *,
        on_rescued: Callable[[Rescued], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._on_rescued = on_rescued
        self._clock = clock
        self._rhythm = rhythm
        self._incarnation = secrets.token_hex(8)
        self._last_beat = clock.monotonic()
        self._seen: dict[tuple[int, str], tuple[int, float]] = {}
        self.number = 0

    async def claim(self) -> int:
        self.number = await self._store.write(claim, self._incarnation, self._clock.now())
        self._last_beat = self._clock.monotonic()
        return self.number

    def is_alive(self) -> bool:
        """Whether others surely still believe in this process; ids may be made only then."""
        return self._silent_in() > 0

    def believed_until(self) -> float:
        """Until when that is so, on the monotonic clock, unless a beat succeeds before."""
        return self._last_beat + self._rhythm.silent_after_seconds

    def check_ours(self) -> None:
        """Raises FencedError where the number has passed to another. For units that lease.

        Until they commit, nobody can declare this process dead: a lease is seen by whoever rescues it.
        """
        own = (Worker.id == self.number) & (Worker.incarnation == self._incarnation)
        if not list(Worker.select(Worker.id).where(own).for_update("FOR SHARE")):  # type: ignore[arg-type]
            raise FencedError("another process has taken over this one's work")

    async def beat_forever(
        self,
        mint: IdMint,
        *,
        on_cancels: Callable[[list[int]], None],
        on_silent: Callable[[], None],
        on_heard: Callable[[], None],
        on_fenced: Callable[[], None],
    ) -> None:
        """Beats until this process has been declared dead: then calls `on_fenced` and ends.

        When no beat succeeds for long, others may soon declare it so: `on_silent`. The next success takes
        that back: `on_heard`.
        """
        silent = False
        while True:
            await asyncio.sleep(self._rhythm.beat_seconds if silent else self._next_beat_in())
            try:
                # A line to the database that is cut gives no error for many minutes.
                async with asyncio.timeout(self._rhythm.beat_seconds if silent else self._silent_in()):
                    cancels = await self.beat(mint)
            except FencedError:
                log.error("declared_dead", worker=self.number)
                on_fenced()
                return
            except Refusal as refusal:
                log.warning("beat_missed", reason=refusal.reason.value)
            except TimeoutError:
                log.warning("beat_missed", reason="no answer")
            except Exception:
                log.exception("beat_failed")
            else:
                on_cancels(cancels)
            if self.is_alive() == silent:
                silent = not silent
                log.warning("silent" if silent else "heard_again", worker=self.number)
                (on_silent if silent else on_heard)()

    async def beat(self, mint: IdMint) -> list[int]:
        """One beat: raises the own counter, rescues whoever has stood still for long.

        Returns the deliveries in this process's hands whose cancel was asked for elsewhere. Raises
        FencedError when the own row has passed to another.
        """
        told = await self._store.write(_beat, self.number, self._incarnation, self._clock.now())
        if told is None:
            raise FencedError("another process has taken over this one's work")
        cancels, time = told
        if isinstance(self._clock, SteeredClock):
            self._clock.steer(time, self._clock.monotonic())
        if not self.is_alive():
            # Whoever could not beat could not see others beat either.
            self._seen.clear()
        self._last_beat = self._clock.monotonic()
        await self._rescue_the_dead(mint)
        return cancels

    async def leave(self, mint: IdMint) -> None:
        """Removes the own row, so that nobody waits for a beat. Nothing stays leased by its number."""
        try:
            while await self._store.write(_leave, self.number, self._incarnation, mint, self._clock.now()):
                pass
        except Refusal as refusal:
            # The others will rescue what is left.
            log.warning("left_without_goodbye", worker=self.number, reason=refusal.reason.value)

    def _silent_in(self) -> float:
        return max(0.0, self._last_beat + self._rhythm.silent_after_seconds - self._clock.monotonic())

    def _next_beat_in(self) -> float:
        return min(self._rhythm.beat_seconds, self._silent_in())

    async def _rescue_the_dead(self, mint: IdMint) -> None:
        now = self._clock.monotonic()
        others = await self._store.read(_others, self.number)
        seen: dict[tuple[int, str], tuple[int, float]] = {}
        for number, incarnation, beat in others:
            last_beat, since = self._seen.get((number, incarnation), (beat, now))
            seen[number, incarnation] = (beat, since if beat == last_beat else now)
            if now - seen[number, incarnation][1] >= self._rhythm.dead_after_seconds:
                condemned = f"rescued by {self._incarnation}"
                if await self._store.write(_condemn, number, incarnation, beat, condemned):
                    await rescue_all(self._store, mint, self._clock, number, self._on_rescued)
                    await self._store.write(_remove, number, condemned)
        self._seen = seen


def _beat(number: int, incarnation: str, now: Millis) -> tuple[list[int], Millis] | None:
    """The cancels asked for elsewhere, and the database's time; None when the row is another's."""
    changed = (
        Worker.update(beat=Worker.beat + 1, beat_time=now)
        .where((Worker.id == number) & (Worker.incarnation == incarnation))
        .execute()
    )
    if not changed:
        return None
    cancels = Delivery.select(Delivery.id).where(
        (Delivery.state == peewee.SQL("'LEASED'"))
        & (Delivery.lease_owner == number)
        & Delivery.cancel_requested
    )
    return [row.id for row in cancels], database_now()


def _others(number: int) -> list[tuple[int, str, int]]:
    rows = Worker.select(Worker.id, Worker.incarnation, Worker.beat).where(Worker.id != number)
    return [(row.id, row.incarnation, row.beat) for row in rows]


def _condemn(number: int, incarnation: str, beat: int, condemned: str) -> bool:
    """Takes the row over: should its process come back, it finds itself fenced at its next beat.

    The number stays taken until the rescue is done, or a newcomer's deliveries would be rescued too.
    """
    same = (Worker.id == number) & (Worker.incarnation == incarnation) & (Worker.beat == beat)
    return bool(Worker.update(incarnation=condemned).where(same).execute())


def _leave(number: int, incarnation: str, mint: IdMint, now: Millis) -> bool:
    """True: there was something to rescue, and perhaps there is more."""
    own = (Worker.id == number) & (Worker.incarnation == incarnation)
    if not list(Worker.select(Worker.id).where(own).for_update()):
        return False
    if rescue(number, mint, now).total:
        return True
    _remove(number, incarnation)
    return False


def _remove(number: int, incarnation: str) -> None:
    Worker.delete().where((Worker.id == number) & (Worker.incarnation == incarnation)).execute()
