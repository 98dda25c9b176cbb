"""The engine: leases due deliveries, has them transmitted, and sees to it that every outcome is written."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import random
from collections.abc import Callable, Iterable, Sequence

import structlog
from prometheus_client import CollectorRegistry

from postroom_server.clock import Clock, Millis, SteeredClock
from postroom_server.delivery.alarm import Alarm
from postroom_server.delivery.astray import Moment, bring_forward, give_back_unheard, keep_pace
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.breaker import Breaker, BreakerState
from postroom_server.delivery.endpoints import Endpoints
from postroom_server.delivery.lease import Turns, lease
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.line import Job
from postroom_server.delivery.metrics import DeliveryMetrics
from postroom_server.delivery.settler import Settler
from postroom_server.delivery.shares import share
from postroom_server.delivery.transmission import Transmission
from postroom_server.failpoints import reach
from postroom_server.refusals import Reason, Refusal
from postroom_server.sender.ways import Use, Ways
from postroom_server.store.facts import ServerFacts
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Memory
from postroom_server.store.models import Lane
from postroom_server.store.unit import Store

log = structlog.get_logger()

Servers = dict[int, tuple[ServerFacts, ...]]

# After a clock was set back. Processes that do not lease hear of it at their next beat.
_UNEASY_LOOKS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class EngineSettings:
    capacity: int = 512  # deliveries leased at a time
    server_slots: int = 16  # connections to a server that names no number
    sender: Use = Use.NEVER
    poll_seconds: float = 0.25
    gather_seconds: float = 0.005
    store_pause_seconds: float = 1.0  # after the database did not answer
    astray_seconds: float = 15.0  # how often leases are looked for that this process has not heard of


class Engine:
    """Runs in the event loop of its process. `wake` and `cancel` may be called from any thread.

    `believed_until` says until when, on the monotonic clock, others surely take this process for alive: what
    has not written its dot by then does not go on.
    """

    def __init__(
        self,
        store: Store,
        memory: Memory,
        mint: IdMint,
        letters: Letters,
        endpoints: Endpoints,
        clock: Clock,
        *,
        owner: int,
        settings: EngineSettings,
        due_now: Callable[[], Millis],
        still_ours: Callable[[], None] = lambda: None,
        believed_until: Callable[[], float] = lambda: math.inf,
        uniform: Callable[[float, float], float] = random.uniform,
        metrics: DeliveryMetrics | None = None,
    ) -> None:
        self._store = store
        self._memory = memory
        self._clock = clock
        self._owner = owner
        self._settings = settings
        # Called inside a unit: on PostgreSQL the database's clock decides what is due.
        self._due_now = due_now
        # Called inside a unit that has leased; raises where others have taken this process for dead.
        self._still_ours = still_ours
        self._metrics = metrics or DeliveryMetrics(CollectorRegistry())
        self._settler = Settler(
            store, mint, clock, owner=owner, on_settled=self._forget, on_rescued=self._metrics.rescued
        )
        self._ways = Ways(settings.sender, believed_until, lost=self._metrics.sender_lost)
        self._transmission = Transmission(
            store,
            letters,
            endpoints,
            clock,
            owner=owner,
            server_slots=settings.server_slots,
            report=self._settler.report,
            uniform=uniform,
            metrics=self._metrics,
            ways=self._ways,
            is_believed=lambda: clock.monotonic() < believed_until(),
        )
        self._turns = Turns()
        self._last: Moment | None = None  # at the last lease
        self._look_at = 0.0  # monotonic
        self._uneasy_until = 0.0  # the same: somebody may not have heard yet that the clock was set back
        self._jobs: dict[int, Job] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm = Alarm()
        self._running: list[asyncio.Task[None]] = []
        self._looking: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def in_hand(self) -> int:
        """Deliveries leased by this process and not settled yet."""
        return len(self._jobs)

    @property
    def has_sender(self) -> bool:
        """Whether a process beside this one sends for it. From any thread."""
        return self._ways.sender is not None

    def breakers(self) -> list[tuple[ServerFacts, BreakerState]]:
        """Of the servers that were asked so far. From any thread."""
        return self._transmission.breakers()

    def breaker_of(self, server_id: int) -> Breaker | None:
        return self._transmission.breaker_of(server_id)

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._alarm.arm()
        self._running = [
            asyncio.create_task(self._lease_until_stopped(), name="engine-lease"),
            asyncio.create_task(self._settler.run(), name="engine-settle"),
        ]
        self._looking = asyncio.create_task(self._look_after_mail(), name="engine-look")

    def wake(self) -> None:
        """Says that something may be due. Cheap; safe from any thread."""
        self._alarm.ring()

    def cancel(self, delivery_ids: Iterable[int]) -> None:
        """Notices cancels of deliveries in hand: those that have not written their dot stop before it."""
        ids = tuple(delivery_ids)
        if self._loop is not None and ids:
            self._loop.call_soon_threadsafe(self._note_cancels, ids)

    def halt(self) -> None:
        """Others may take this process for dead: nothing that has not written its dot goes on."""
        self._transmission.halt()

    def go_on(self) -> None:
        """Takes a halt back."""
        self._transmission.go_on()
        self.wake()

    def stop_leasing(self) -> None:
        """Begins nothing new; what is in hand goes on until `drain`."""
        self._stopping = True
        self._alarm.ring()

    async def drain(self, grace_seconds: float) -> None:
        """Stops leasing, gives back what was not begun, lets what wrote its dot finish, settles all of it."""
        self.stop_leasing()
        if not self._running:
            return
        await self._running[0]
        await self._transmission.close(grace_seconds)
        if self._looking is not None:
            self._looking.cancel()
        self._settler.close()
        await self._running[1]

    async def _lease_until_stopped(self) -> None:
        while not self._stopping:
            self._alarm.silence()
            try:
                await self._look_astray()
                if await self._lease():
                    continue
            except Exception as error:
                self._look_at = 0.0
                if not isinstance(error, Refusal):
                    log.exception("lease_failed")
                elif error.reason is not Reason.STORE_UNAVAILABLE:  # which the store tells, once
                    log.warning("lease_waits", reason=error.reason.value)
                await asyncio.sleep(self._settings.store_pause_seconds)
            await self._rest()

    async def _look_after_mail(self) -> None:
        """However long the database takes meanwhile."""
        while True:
            try:
                self._transmission.look(len(self._jobs))
            except Exception:
                log.exception("look_failed")
            await asyncio.sleep(self._settings.poll_seconds)

    async def _rest(self) -> None:
        if await self._alarm.rest(self._settings.poll_seconds) and not self._stopping:
            # What comes within a moment is leased together: under load, calls come by the hundred.
            await asyncio.sleep(self._settings.gather_seconds)

    async def _look_astray(self) -> None:
        """Now and then, for a COMMIT may come about long after the line to the database was lost."""
        now = self._clock.monotonic()
        if now < self._look_at:
            return
        in_hand = {id_: job.leased.lease_token for id_, job in self._jobs.items()}
        if unheard := await self._store.write(self._give_back_unit, in_hand):
            log.warning("unheard_leases", deliveries=len(unheard))
        if now < self._uneasy_until:
            await self._store.write(self._bring_forward_unit)
        self._look_at = now + self._settings.astray_seconds

    def _give_back_unit(self, in_hand: dict[int, int]) -> list[int]:
        return give_back_unheard(self._owner, in_hand, self._due_now())

    def _bring_forward_unit(self) -> None:
        bring_forward(self._due_now())

    async def _lease(self) -> int:
        held = dict.fromkeys(Lane, 0)
        for job in self._jobs.values():
            held[job.leased.lane] += 1
        if not any(share(lane, held, self._settings.capacity) for lane in Lane):
            return 0
        unit = self._store.write(self._lease_unit, held, self._waiting())
        leased, servers, self._last = await unit
        if isinstance(self._clock, SteeredClock):
            self._clock.steer(self._last.time, self._last.monotonic)
        self._metrics.leased(leased)
        for one in leased:
            reach("after_lease_commit")
            job = self._jobs[one.id] = Job(one, servers[one.tenant_id])
            # While stopping this gives the delivery back.
            self._transmission.begin(job)
        return len(leased)

    def _lease_unit(
        self, held: dict[Lane, int], waiting: list[tuple[int, int]] | None
    ) -> tuple[list[Leased], Servers, Moment]:
        moment = Moment(self._due_now(), self._clock.monotonic())
        if self._last is not None and keep_pace(self._last, moment):
            self._uneasy_until = moment.monotonic + _UNEASY_LOOKS * self._settings.astray_seconds
        leased = lease(
            self._owner,
            held,
            self._settings.capacity,
            self._turns,
            moment.time,
            alone=waiting is not None,
            waiting=waiting or (),
        )
        if not leased:
            return [], {}, moment
        self._still_ours()
        known = self._memory.current()
        servers = {tenant: known.servers_for(tenant) for tenant in {one.tenant_id for one in leased}}
        return leased, servers, moment

    def _waiting(self) -> list[tuple[int, int]] | None:
        """The leases of deliveries held alone that only wait by now; None while one may bring us down."""
        now = self._clock.monotonic()
        waiting = []
        for id_, job in self._jobs.items():
            if job.leased.alone:
                if not job.only_waits(now):
                    return None
                waiting.append((id_, job.leased.lease_token))
        return waiting

    def _note_cancels(self, delivery_ids: tuple[int, ...]) -> None:
        for delivery_id in delivery_ids:
            if (job := self._jobs.get(delivery_id)) is not None:
                self._transmission.cancel(job)

    def _forget(self, settled: Sequence[Settlement]) -> None:
        self._metrics.settled(settled)
        for settlement in settled:
            job = self._jobs.get(settlement.leased.id)
            # Another lease of the same delivery may have begun by now.
            if job is not None and job.leased.lease_token == settlement.leased.lease_token:
                del self._jobs[settlement.leased.id]
        self._alarm.ring()
