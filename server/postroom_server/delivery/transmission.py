"""Carries leased deliveries to mail servers: chooses a line, writes the letter, transmits, judges."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import functools
from collections.abc import Callable

import structlog

from postroom_server.clock import SECOND, Clock, Millis
from postroom_server.delivery import retry
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.breaker import Breaker, BreakerState
from postroom_server.delivery.endpoints import Endpoints
from postroom_server.delivery.handover import Handover
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.lessons import Lessons
from postroom_server.delivery.letters import Letters, why_unwritable
from postroom_server.delivery.line import PATIENCE, Job, Line, Rider, Slot
from postroom_server.delivery.lines import Lines
from postroom_server.delivery.metrics import DeliveryMetrics
from postroom_server.delivery.verdict import (
    Outcome,
    Verdict,
    judge,
    judge_abandoned,
    judge_local_error,
    judge_unread,
    judge_unwritable,
    judge_without_server,
)
from postroom_server.refusals import Refusal
from postroom_server.smtp import Envelope, Level, Pool, Transaction
from postroom_server.store.facts import ServerFacts
from postroom_server.store.models import Lane, RecipientState
from postroom_server.store.unit import Store

log = structlog.get_logger()

# How long mail is left alone that found no slot in time.
PUT_OFF: Millis = 15 * SECOND

# How long mail waits for the answer to a dot that it rides behind, before a free slot may have it.
RIDERS_PATIENCE: Millis = SECOND // 4


class PutOff(enum.StrEnum):
    """Why a delivery goes back that was not begun; a label of the metrics."""

    NO_SERVER = "no_server"  # none is enabled that may carry it
    UNREACHABLE = "unreachable"  # all are out of reach, or have said so within this attempt
    BUSY = "busy"  # no slot in time
    STOPPED = "stopped"  # a cancel, a stop, or a fence


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
        report: Callable[[Settlement], None],
        uniform: Callable[[float, float], float],
        metrics: DeliveryMetrics,
        is_believed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._handover = Handover(store, letters, endpoints, clock, owner=owner, is_believed=is_believed)
        self._clock = clock
        self._report = report
        self._uniform = uniform
        self._metrics = metrics
        self._pool = Pool()
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
        if not self._ends_unasked(job, self._clock.now()):
            self._enqueue(job)

    def cancel(self, job: Job) -> None:
        """Stops a job before its dot."""
        job.cancelled = True
        for slot in self._slots:
            if slot.job is job:
                slot.loan.abort_before_dot("cancelled")
            elif slot.rider is not None and slot.rider.job is job:
                slot.rider = None
                self._put_off(job, self._clock.now(), PutOff.STOPPED)
        if self._lines.remove(job):
            self._put_off(job, self._clock.now(), PutOff.STOPPED)

    def put_off_the_impatient(self) -> None:
        """Lets go of jobs that have waited long for a slot: others may find theirs free."""
        now = self._clock.now()
        for slot in self._slots:
            if slot.rider is not None and _is_stuck(slot.line, slot.rider, now):
                slot.line.put_first(slot.rider.job)
                slot.rider = None
                self._run(slot.line)
        for job in self._lines.take_impatient(now):
            self._put_off(job, now + round(PUT_OFF * self._uniform(0.8, 1.2)), PutOff.BUSY)

    def halt(self) -> None:
        """Stops every message that has not written its final dot, and begins none until `go_on`."""
        self._handover.halted = True
        for job in [*self._lines.empty(), *(slot.rider.job for slot in self._slots if slot.rider)]:
            self._put_off(job, self._clock.now(), PutOff.STOPPED)
        for slot in self._slots:
            slot.rider = None
        self._pool.abort_before_dot()

    def go_on(self) -> None:
        self._handover.halted = False

    async def close(self, grace_seconds: float) -> None:
        """Halts for good, and waits for what has written its dot."""
        self.halt()
        await self._pool.close(grace_seconds)
        if self._tasks:
            await asyncio.wait(self._tasks)
        for alarm in self._alarms.values():
            alarm.cancel()

    @property
    def _halted(self) -> bool:
        return self._handover.halted

    def _ends_unasked(self, job: Job, now: Millis) -> bool:
        leased = job.leased
        if job.cancelled:
            self._put_off(job, now, PutOff.STOPPED)
        elif now >= leased.expire_time or not leased.open_recipients:
            self._end(job, judge_without_server(leased, RecipientState.EXPIRED, Outcome.ABANDONED, now))
        elif leased.email.test:
            self._end(job, judge_without_server(leased, RecipientState.DELIVERED, Outcome.DELIVERED, now))
        else:
            return False
        return True

    def _enqueue(self, job: Job) -> None:
        now = self._clock.now()
        if self._halted:
            self._put_off(job, now, PutOff.STOPPED)
            return
        line = self._lines.choose(job, now)
        if line is None:
            self._wait_for_servers(job, now)
            return
        line.put(job, now)
        self._run(line)

    def _wait_for_servers(self, job: Job, now: Millis) -> None:
        run_at = self._lines.reopen_time(job, now)
        if run_at is None:
            run_at = now + retry.pause(job.leased.transactions, uniform=self._uniform)
        if why := self._lines.why_nobody(job):
            self._put_off(job, run_at, PutOff.NO_SERVER, f"not sent: {why}")
        else:
            self._put_off(job, run_at, PutOff.UNREACHABLE, "not sent: no mail server can be reached")

    def _put_off(self, job: Job, run_at: Millis, why: PutOff, told: str = "") -> None:
        """Nobody can be asked now. What was heard of the message decides, else it waits until `run_at`."""
        run_at = min(run_at, job.leased.expire_time)
        self._metrics.put_off(why)
        if not job.tried:
            self._end(job, judge_abandoned(job.leased, run_at, told))
            return
        last = next((one for one in job.tried if one.verdict.counts_as_try), job.tried[-1])
        earlier = tuple(one for one in job.tried if one is not last)
        verdict = last.verdict
        if verdict.outcome is Outcome.CONNECTION:
            verdict = dataclasses.replace(verdict, run_at=run_at)
        self._report(dataclasses.replace(last, verdict=verdict, earlier=earlier))

    def _run(self, line: Line) -> None:
        now = self._clock.now()
        while not self._halted and (job := line.take(now)) is not None:
            slot = Slot(line, self._pool.loan(line.server.id))
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
        envelope: Envelope | None = None
        try:
            while job is not None:
                slot.job = job
                await self._carry(job, envelope, slot)
                slot.job = None
                job, envelope = self._next(job, slot)
        finally:
            self._slots.discard(slot)
            slot.loan.give_back()

    def _next(self, done: Job, slot: Slot) -> tuple[Job | None, Envelope | None]:
        """Whom the slot carries next, with the envelope if it is written."""
        line, rider, now = slot.line, slot.rider, self._clock.now()
        slot.rider = None
        if rider is not None and line.breaker.state(now) is BreakerState.CLOSED:
            return rider.job, rider.envelope
        line.done(done)
        if rider is not None:
            self._enqueue(rider.job)
        job = None if self._halted else line.take(now)
        self._run(line)
        return job, None

    async def _carry(self, job: Job, envelope: Envelope | None, slot: Slot) -> None:
        line, start = slot.line, self._clock.now()
        leased = job.leased
        # A rider goes to all whom its letter names, whatever was learned since.
        if envelope is None:
            leased = self._lessons.limits.share(line.server.id, leased, start)
        try:
            if self._ends_unasked(job, start):
                line.breaker.give_up_probe()
                return
            following = functools.partial(self._follow, slot, job.leased.lane)
            transaction = await self._handover.run(job, leased, line.server, slot.loan, following, envelope)
        except Exception as error:
            line.breaker.give_up_probe()
            self._end(job, self._judge_error(job, error))
            return
        try:
            self._conclude(job, leased, line, transaction, start)
        except Exception as error:
            log.error("transaction_not_read", delivery=leased.id, email=leased.email.id, exc_info=error)
            now = self._clock.now()
            verdict = judge_unread(leased, transaction, now=now, uniform=self._uniform)
            self._report(Settlement(leased, verdict, transaction, line.server.id, start, now, job.tried))

    def _conclude(
        self, job: Job, leased: Leased, line: Line, transaction: Transaction, start: Millis
    ) -> None:
        """Learns from a transaction, judges it, and reports the job or has another server asked."""
        now = self._clock.now()
        breaker = self._lessons.learn(leased, line, transaction, start, now)
        if transaction.level is Level.CONNECTION and breaker is BreakerState.OPEN:
            for waiting in line.empty():
                self._enqueue(waiting)
        verdict = judge(leased, transaction, now=now, uniform=self._uniform)
        settlement = Settlement(leased, verdict, transaction, line.server.id, start, now)
        if verdict.may_fail_over and not job.cancelled:
            job.tried = (*job.tried, settlement)
            self._enqueue(job)
        else:
            self._report(dataclasses.replace(settlement, earlier=job.tried) if job.tried else settlement)

    def _follow(self, slot: Slot, lane: Lane) -> Envelope | None:
        """The mail that goes behind a dot, where one waits that could not begin otherwise."""
        now = self._clock.now()

        def fits(job: Job) -> bool:
            whole = self._lessons.limits.share(slot.line.server.id, job.leased, now) is job.leased
            return whole and self._handover.is_at_hand(job)

        while not self._halted and (job := slot.line.take_behind(lane, now, fits)):
            if self._ends_unasked(job, now):
                continue
            try:
                envelope = self._handover.write(job, slot.line.waiting(lane))
            except Exception as error:
                self._end(job, self._judge_error(job, error))
                continue
            slot.rider = Rider(job, envelope, now)
            return envelope
        return None

    def _judge_error(self, job: Job, error: Exception) -> Verdict:
        now = self._clock.now()
        if isinstance(error, Refusal):
            log.warning("delivery_waits", delivery=job.leased.id, reason=error.reason.value)
            return judge_abandoned(job.leased, now + retry.FIRST_PAUSE)
        if why := why_unwritable(job.leased, error):
            log.debug("copy_refused", delivery=job.leased.id, email=job.leased.email.id)
            return judge_unwritable(job.leased, why, now)
        # Ours, not the server's and not the recipient's: three times, then the mail is held.
        log.error("delivery_not_built", delivery=job.leased.id, email=job.leased.email.id, exc_info=error)
        return judge_local_error(job.leased, now=now, uniform=self._uniform)

    def _end(self, job: Job, verdict: Verdict) -> None:
        now = self._clock.now()
        self._report(Settlement(job.leased, verdict, None, None, now, now, job.tried))


def _is_stuck(line: Line, rider: Rider, now: Millis) -> bool:
    """Whether a rider should wait no longer for the dot before it: another slot would have it sooner."""
    waited = now - rider.since
    return not 0 <= waited < PATIENCE or (waited >= RIDERS_PATIENCE and line.has_room(rider.job.leased.lane))
