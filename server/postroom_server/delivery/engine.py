"""The engine: leases due deliveries, has them transmitted, and sees to it that every outcome is written."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable, Iterable, Sequence

import structlog

from postroom_server.clock import Clock, Millis
from postroom_server.delivery.breaker import Breaker
from postroom_server.delivery.endpoints import Endpoints
from postroom_server.delivery.lease import Turns, lease, release
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.line import Job
from postroom_server.delivery.lines import shares
from postroom_server.delivery.settle import Settlement
from postroom_server.delivery.settler import Settler
from postroom_server.delivery.transmission import Transmission
from postroom_server.refusals import Refusal
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Memory, ServerFacts
from postroom_server.store.models import Lane
from postroom_server.store.unit import Store

log = structlog.get_logger()

Servers = dict[int, tuple[ServerFacts, ...]]


@dataclasses.dataclass(frozen=True, slots=True)
class EngineSettings:
    capacity: int = 512  # deliveries leased at a time
    server_slots: int = 16  # connections to a server that names no number
    poll_seconds: float = 0.25
    store_pause_seconds: float = 1.0  # after the database did not answer


class Engine:
    """Runs in the event loop of its process. `wake` and `cancel` may be called from any thread."""

    def __init__(
        self,
        store: Store,
        memory: Memory,
        mint: IdMint,
        endpoints: Endpoints,
        clock: Clock,
        *,
        owner: int,
        settings: EngineSettings,
        due_now: Callable[[], Millis],
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._store = store
        self._memory = memory
        self._clock = clock
        self._owner = owner
        self._settings = settings
        # Called inside a unit: on PostgreSQL the database's clock decides what is due.
        self._due_now = due_now
        self._settler = Settler(store, mint, clock, owner=owner, on_settled=self._forget)
        self._transmission = Transmission(
            store,
            Letters(store, memory),
            endpoints,
            clock,
            owner=owner,
            server_slots=settings.server_slots,
            report=self._settler.report,
            uniform=uniform,
        )
        self._turns = Turns()
        self._jobs: dict[int, Job] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awake = asyncio.Event()
        self._running: list[asyncio.Task[None]] = []
        self._stopping = False

    @property
    def in_hand(self) -> int:
        """Deliveries leased by this process and not settled yet."""
        return len(self._jobs)

    def breaker_of(self, server_id: int) -> Breaker | None:
        return self._transmission.breaker_of(server_id)

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running = [
            asyncio.create_task(self._lease_until_stopped(), name="engine-lease"),
            asyncio.create_task(self._settler.run(), name="engine-settle"),
        ]

    def wake(self) -> None:
        """Says that something may be due. Cheap; safe from any thread."""
        if self._loop is None or self._awake.is_set():
            return
        try:
            self._loop.call_soon_threadsafe(self._awake.set)
        except RuntimeError:
            log.debug("engine_loop_is_closed")

    def cancel(self, delivery_ids: Iterable[int]) -> None:
        """Notices cancels of deliveries in hand: those that have not written their dot stop before it."""
        ids = tuple(delivery_ids)
        if self._loop is not None and ids:
            self._loop.call_soon_threadsafe(self._note_cancels, ids)

    def fence(self) -> None:
        """Others may take this process for dead: nothing that has not written its dot goes on."""
        self._transmission.abort_before_dot()

    async def drain(self, grace_seconds: float) -> None:
        """Stops leasing, gives back what was not begun, lets what wrote its dot finish, settles all of it."""
        self._stopping = True
        self._awake.set()
        if not self._running:
            return
        await self._running[0]
        unbegun = await self._transmission.close(grace_seconds)
        await self._give_back([job.leased for job in unbegun])
        self._settler.close()
        await self._running[1]

    async def _lease_until_stopped(self) -> None:
        while not self._stopping:
            self._awake.clear()
            try:
                if await self._lease():
                    continue
            except Refusal as refusal:
                log.warning("lease_waits", reason=refusal.reason.value)
                await asyncio.sleep(self._settings.store_pause_seconds)
            except Exception:
                log.exception("lease_failed")
                await asyncio.sleep(self._settings.store_pause_seconds)
            await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._settings.poll_seconds):
                await self._awake.wait()
        except TimeoutError:
            return

    async def _lease(self) -> int:
        wanted = shares((job.leased.lane for job in self._jobs.values()), self._settings.capacity)
        if not any(wanted.values()):
            return 0
        leased, servers = await self._store.write(self._lease_unit, wanted)
        if self._stopping:
            await self._give_back(leased)
            return 0
        for one in leased:
            job = self._jobs[one.id] = Job(one, servers[one.tenant_id])
            self._transmission.begin(job)
        return len(leased)

    def _lease_unit(self, wanted: dict[Lane, int]) -> tuple[list[Leased], Servers]:
        leased = lease(self._owner, wanted, self._turns, self._due_now())
        if not leased:
            return [], {}
        known = self._memory.current()
        return leased, {tenant: known.servers_for(tenant) for tenant in {one.tenant_id for one in leased}}

    async def _give_back(self, leased: Sequence[Leased]) -> None:
        if not leased:
            return
        try:
            await self._store.write(release, self._owner, leased, self._clock.now())
        except Refusal as refusal:
            # They stay LEASED until they are rescued; nothing is lost.
            log.warning("not_given_back", deliveries=len(leased), reason=refusal.reason.value)
        for one in leased:
            self._jobs.pop(one.id, None)

    def _note_cancels(self, delivery_ids: tuple[int, ...]) -> None:
        for delivery_id in delivery_ids:
            if (job := self._jobs.get(delivery_id)) is not None:
                job.cancelled = True

    def _forget(self, settled: Sequence[Settlement]) -> None:
        for settlement in settled:
            self._jobs.pop(settlement.leased.id, None)
        self._awake.set()
