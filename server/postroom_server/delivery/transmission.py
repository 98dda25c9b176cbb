"""Carries leased deliveries to mail servers: chooses a line, writes the letter, transmits, judges."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Callable

import structlog

from postroom_server.clock import SECOND, Clock, Millis
from postroom_server.delivery import retry
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.breaker import Breaker, BreakerState
from postroom_server.delivery.endings import Endings, PutOff
from postroom_server.delivery.endpoints import Endpoints
from postroom_server.delivery.handover import Handover
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.lessons import Lessons
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.line import PATIENCE, Job, Line, Rider, Slot
from postroom_server.delivery.lines import Lines
from postroom_server.delivery.metrics import DeliveryMetrics
from postroom_server.delivery.verdict import (
    judge,
    judge_crashed,
    judge_unread,
)
from postroom_server.sender.loan import NotBegun, Parcel, SenderLost
from postroom_server.sender.ways import Ways
from postroom_server.smtp import Level, Transaction
from postroom_server.store.facts import ServerFacts
from postroom_server.store.models import Lane
from postroom_server.store.unit import Store

log = structlog.get_logger()

# How long mail is left alone that found no slot in time.
PUT_OFF: Millis = 15 * SECOND

# How long mail waits for the answer to a dot that it rides behind, before a free slot may have it.
RIDERS_PATIENCE: Millis = SECOND // 4


class Transmission:
    """`report` hears of each job's end, once."""

    def __init__(
        self,
        store: Store,
        letters: Letters,
        endpoints: Endpoints,
        clock: Clock,
        *,
        owner: int,
        server_slots: int,
        ways: Ways,
        report: Callable[[Settlement], None],
        uniform: Callable[[float, float], float],
        metrics: DeliveryMetrics,
        is_believed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._handover = Handover(store, letters, endpoints, clock, owner=owner, is_believed=is_believed)
        self._clock = clock
        self._endings = Endings(clock, report=report, uniform=uniform, metrics=metrics)
        self._report = report
        self._uniform = uniform
        self._ways = ways
        self._lines = Lines(server_slots)
        self._lessons = Lessons(metrics)
        self._alarms: dict[int, asyncio.TimerHandle] = {}  # of lines with a rate, by server
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots: set[Slot] = set()  # at work

    def breaker_of(self, server_id: int) -> Breaker | None:
        return self._lines.breaker_of(server_id)

    def breakers(self) -> list[tuple[ServerFacts, BreakerState]]:
        """Of the servers that were asked so far. From any thread."""
        now = self._clock.now()
        return [(server, breaker.state(now)) for server, breaker in self._lines.breakers]

    def begin(self, job: Job) -> None:
        """Sends a job on its way, or ends it at once when no server needs to be asked."""
        if not self._endings.end_unasked(job, self._clock.now()):
            self._enqueue(job)

    def cancel(self, job: Job) -> None:
        """Stops a job before its dot."""
        job.cancelled = True
        for slot in self._slots:
            if slot.job is job:
                slot.loan.abort_before_dot("cancelled")
            for rider in [rider for rider in slot.riders if rider.job is job]:
                self._recall(slot, rider, self._endings.stop, stop=True)
        if self._lines.remove(job):
            self._endings.stop(job)

    def look(self, in_hand: int) -> None:
        """To be called a few times a second, with how many jobs are not reported yet.

        Lets go of jobs that have waited long for a slot: others may find theirs free.
        """
        self._ways.look(in_hand)
        now = self._clock.now()
        # Each is put first, the last one first: so they stay in their order.
        for slot, rider in reversed(self._riders()):
            if _is_stuck(slot.line, rider, now):
                self._recall(slot, rider, functools.partial(self._put_first, slot.line))
        for job in self._lines.take_impatient(now):
            self._endings.put_off(job, now + round(PUT_OFF * self._uniform(0.8, 1.2)), PutOff.BUSY)

    def halt(self) -> None:
        """Stops every message that has not written its final dot, and begins none until `go_on`."""
        self._handover.halted = True
        for job in self._lines.empty():
            self._endings.stop(job)
        for slot, rider in self._riders():
            self._recall(slot, rider, self._endings.stop)
        self._ways.abort_before_dot()

    def go_on(self) -> None:
        self._handover.halted = False

    async def close(self, grace_seconds: float) -> None:
        """Halts for good, and waits for what has written its dot."""
        self.halt()
        await self._ways.close(grace_seconds)
        if self._tasks:
            await asyncio.wait(self._tasks)
        for alarm in self._alarms.values():
            alarm.cancel()

    @property
    def _halted(self) -> bool:
        return self._handover.halted

    def _recall(self, slot: Slot, rider: Rider, then: Callable[[Job], None], *, stop: bool = False) -> None:
        """Takes a rider off its slot where it has not begun, and does something else with it."""

        def recalled() -> None:
            slot.riders.remove(rider)
            slot.line.rides_no_more(rider.job)
            then(rider.job)

        if stop or not rider.is_recalled:
            rider.is_recalled = True
            slot.loan.recall(rider.parcel, recalled, stop=stop)

    def _put_first(self, line: Line, job: Job) -> None:
        if self._halted:
            self._endings.stop(job)
            return
        line.put_first(job)
        self._run(line)

    def _riders(self, line: Line | None = None) -> list[tuple[Slot, Rider]]:
        """All who ride on a line, or on any."""
        slots = [slot for slot in self._slots if slot.riders and line in (slot.line, None)]
        return [(slot, rider) for slot in slots for rider in slot.riders]

    def _enqueue(self, job: Job) -> None:
        now = self._clock.now()
        if self._halted:
            self._endings.stop(job)
            return
        line = self._lines.choose(job, now)
        if line is None:
            self._wait_for_servers(job, now)
            return
        line.put(job, now)
        self._run(line)
        if line.is_passed(job.leased.lane):
            for slot, rider in reversed(self._riders(line)):
                if rider.job.leased.lane > job.leased.lane:
                    self._recall(slot, rider, functools.partial(self._put_first, line))

    def _wait_for_servers(self, job: Job, now: Millis) -> None:
        run_at = self._lines.reopen_time(job, now)
        if run_at is None:
            run_at = now + retry.pause(job.leased.transactions, uniform=self._uniform)
        if why := self._lines.why_nobody(job):
            self._endings.put_off(job, run_at, PutOff.NO_SERVER, f"not sent: {why}")
        else:
            self._endings.put_off(job, run_at, PutOff.UNREACHABLE, "not sent: no mail server can be reached")

    def _run(self, line: Line) -> None:
        now = self._clock.now()
        while not self._halted and (job := line.take(now)) is not None:
            slot = Slot(line, self._ways.loan(line.server.id))
            task = asyncio.create_task(self._work(job, slot))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        pause = line.pause(now)
        if pause and not self._halted and line.server.id not in self._alarms:
            self._alarms[line.server.id] = asyncio.get_running_loop().call_later(pause, self._ring, line)

    def _ring(self, line: Line) -> None:
        del self._alarms[line.server.id]
        self._run(line)

    async def _work(self, first: Job, slot: Slot) -> None:
        """Carries one job after the other over one connection, until the slot has none any more."""
        self._slots.add(slot)
        job: Job | None = first
        parcel: Parcel | None = None
        try:
            while job is not None:
                slot.job = job
                await self._carry(job, parcel, slot)
                slot.job = None
                job, parcel = self._next(job, slot)
        finally:
            self._slots.discard(slot)
            slot.loan.give_back()

    def _next(self, done: Job, slot: Slot) -> tuple[Job | None, Parcel | None]:
        """Whom the slot carries next, with the parcel if it is made."""
        line, now = slot.line, self._clock.now()
        if slot.riders:
            parcel = slot.riders[0].parcel
            if slot.loan.has_taken(parcel) or line.breaker.state(now) is BreakerState.CLOSED:
                return self._seated(slot), parcel
        line.done(done)
        while slot.riders:
            self._enqueue(self._seated(slot))
        job = line.take(now) if slot.loan.is_current and not self._halted else None
        self._run(line)
        return job, None

    def _seated(self, slot: Slot) -> Job:
        job = slot.riders.popleft().job
        slot.line.rides_no_more(job)
        return job

    async def _carry(self, job: Job, parcel: Parcel | None, slot: Slot) -> None:
        line, start = slot.line, self._clock.now()
        leased = job.leased
        # A rider goes to all whom its letter names, whatever was learned since.
        if parcel is None:
            leased = self._lessons.limits.share(line.server.id, leased, start)
        try:
            if not slot.loan.has_taken(parcel) and self._endings.end_unasked(job, start):
                self._was_no_probe(line, parcel)
                return
            following = functools.partial(self._follow, slot, job.leased.lane)
            transaction = await self._handover.run(job, leased, line.server, slot.loan, following, parcel)
        except NotBegun:
            self._was_no_probe(line, parcel)
            self.begin(job)
            return
        except SenderLost:
            self._was_no_probe(line, parcel)
            self._endings.end(job, judge_crashed(leased, self._clock.now()))
            return
        except Exception as error:
            self._was_no_probe(line, parcel)
            self._endings.end_by(error, job)
            return
        if parcel is not None and parcel.took is not None:
            start = self._clock.now() - parcel.took
        try:
            self._conclude(job, leased, line, transaction, start)
        except Exception as error:
            log.error("transaction_not_read", delivery=leased.id, email=leased.email.id, exc_info=error)
            now = self._clock.now()
            verdict = judge_unread(leased, transaction, now=now, uniform=self._uniform)
            self._report(Settlement(leased, verdict, transaction, line.server.id, start, now, job.tried))

    def _was_no_probe(self, line: Line, parcel: Parcel | None) -> None:
        """Says that a job has not tried its server. One that rode was no probe: none does behind another."""
        if parcel is None:
            line.breaker.give_up_probe()

    def _conclude(
        self, job: Job, leased: Leased, line: Line, transaction: Transaction, start: Millis
    ) -> None:
        """Learns from a transaction, judges it, and reports the job or has another server asked."""
        now = self._clock.now()
        breaker = self._lessons.learn(leased, line, transaction, start, now)
        if transaction.level is Level.CONNECTION and breaker is BreakerState.OPEN:
            for waiting in line.empty():
                self._enqueue(waiting)
            for slot, rider in self._riders(line):
                self._recall(slot, rider, self._enqueue)
        verdict = judge(leased, transaction, now=now, uniform=self._uniform)
        settlement = Settlement(leased, verdict, transaction, line.server.id, start, now)
        if verdict.may_fail_over and not job.cancelled:
            job.tried = (*job.tried, settlement)
            self._enqueue(job)
        else:
            self._report(dataclasses.replace(settlement, earlier=job.tried) if job.tried else settlement)

    def _follow(self, slot: Slot, lane: Lane) -> Parcel | None:
        """The mail that goes behind a dot, where one waits that could not begin otherwise."""
        now = self._clock.now()

        def fits(job: Job) -> bool:
            whole = self._lessons.limits.share(slot.line.server.id, job.leased, now) is job.leased
            return whole and self._handover.is_at_hand(job)

        while slot.loan.is_current and not self._halted and (job := slot.line.take_behind(lane, now, fits)):
            if self._endings.end_unasked(job, now):
                slot.line.rides_no_more(job)
                continue
            try:
                parcel = self._handover.next_parcel(job, slot.line.waiting(lane), slot.loan)
            except Exception as error:
                slot.line.rides_no_more(job)
                self._endings.end_by(error, job)
                continue
            slot.riders.append(Rider(job, parcel, now))
            return parcel
        return None


def _is_stuck(line: Line, rider: Rider, now: Millis) -> bool:
    """Whether a rider should wait no longer for the dot before it: another slot would have it sooner.

    Or its time is over, which has to be seen before it begins.
    """
    waited = now - rider.since
    return (
        now >= rider.job.leased.expire_time
        or not 0 <= waited < PATIENCE
        or (waited >= RIDERS_PATIENCE and line.has_room(rider.job.leased.lane))
    )
