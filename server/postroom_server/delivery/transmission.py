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
from postroom_server.delivery.endpoints import Endpoints
from postroom_server.delivery.handover import Handover
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.line import PATIENCE, Job, Line, Rider, Slot
from postroom_server.delivery.lines import Lines
from postroom_server.delivery.verdict import (
    Outcome,
    Verdict,
    judge,
    judge_abandoned,
    judge_local_error,
    judge_without_server,
)
from postroom_server.refusals import Refusal
from postroom_server.smtp import Envelope, Level, Loan, Pool, Transaction
from postroom_server.store.models import Lane, RecipientState
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
        report: Callable[[Settlement], None],
        uniform: Callable[[float, float], float],
        is_believed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._handover = Handover(store, letters, endpoints, clock, owner=owner, is_believed=is_believed)
        self._clock = clock
        self._report = report
        self._uniform = uniform
        self._pool = Pool()
        self._lines = Lines(server_slots)
        self._alarms: dict[int, asyncio.TimerHandle] = {}  # of lines with a rate, by server
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots: set[Slot] = set()  # at work

    def breaker_of(self, server_id: int) -> Breaker | None:
        return self._lines.breaker_of(server_id)

    def begin(self, job: Job) -> None:
        """Sends a job on its way, or ends it at once when no server needs to be asked."""
        if not self._ends_unasked(job, self._clock.now()):
            self._enqueue(job)

    def cancel(self, job: Job) -> None:
        """Stops a job before its dot."""
        job.cancelled = True
        slot = next((slot for slot in self._slots if slot.rider and slot.rider.job is job), None)
        if slot is not None:
            slot.rider = None
        if slot is not None or self._lines.remove(job):
            self._put_off(job, self._clock.now())

    def put_off_the_impatient(self) -> None:
        """Lets go of jobs that have waited long for a slot: others may find theirs free."""
        now = self._clock.now()
        for slot in self._slots:
            if slot.rider is not None and _is_stuck(slot.line, slot.rider, now):
                slot.line.put_first(slot.rider.job)
                slot.rider = None
                self._run(slot.line)
        for job in self._lines.take_impatient(now):
            self._put_off(job, now + round(PUT_OFF * self._uniform(0.8, 1.2)))

    def halt(self) -> None:
        """Stops every message that has not written its final dot, and begins none until `go_on`."""
        self._handover.halted = True
        for job in [*self._lines.empty(), *(slot.rider.job for slot in self._slots if slot.rider)]:
            self._put_off(job, self._clock.now())
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
            self._put_off(job, now)
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
            self._put_off(job, now)
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
        self._put_off(job, run_at)

    def _put_off(self, job: Job, run_at: Millis) -> None:
        """Nobody can be asked now. What was heard of the message decides, else it waits until `run_at`."""
        run_at = min(run_at, job.leased.expire_time)
        if not job.tried:
            self._end(job, judge_abandoned(job.leased, run_at))
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
            task = asyncio.create_task(self._work(job, Slot(line)))
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
        loan = self._pool.loan(slot.line.server.id)
        job: Job | None = first
        envelope: Envelope | None = None
        try:
            while job is not None:
                await self._carry(job, envelope, slot, loan)
                job, envelope = self._next(job, slot)
        finally:
            self._slots.discard(slot)
            loan.give_back()

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

    async def _carry(self, job: Job, envelope: Envelope | None, slot: Slot, loan: Loan) -> None:
        line, start = slot.line, self._clock.now()
        try:
            if self._ends_unasked(job, start):
                line.breaker.give_up_probe()
                return
            following = functools.partial(self._follow, slot, job.leased.lane)
            transaction = await self._handover.run(job, line.server, loan, following, envelope)
        except Exception as error:
            line.breaker.give_up_probe()
            self._end(job, self._judge_error(job, error))
            return
        now = self._clock.now()
        self._learn(line, transaction, start, now)
        verdict = judge(job.leased, transaction, now=now, uniform=self._uniform)
        settlement = Settlement(job.leased, verdict, transaction, line.server.id, start, now)
        if verdict.may_fail_over and not job.cancelled:
            job.tried = (*job.tried, settlement)
            self._enqueue(job)
        else:
            self._report(dataclasses.replace(settlement, earlier=job.tried) if job.tried else settlement)

    def _follow(self, slot: Slot, lane: Lane) -> Envelope | None:
        """The mail that goes behind a dot, where one waits that could not begin otherwise."""
        now = self._clock.now()
        while not self._halted and (job := slot.line.take_behind(lane, now, self._handover.is_at_hand)):
            if self._ends_unasked(job, now):
                continue
            try:
                envelope = self._handover.write(job)
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
        # Ours, not the server's and not the recipient's: three times, then the mail is held.
        log.error("delivery_not_built", delivery=job.leased.id, email=job.leased.email.id, exc_info=error)
        return judge_local_error(job.leased, now=now, uniform=self._uniform)

    def _learn(self, line: Line, transaction: Transaction, start: Millis, now: Millis) -> None:
        was = line.breaker.state(now)
        line.breaker.record(transaction, start, now)
        state = line.breaker.state(now)
        if state is not was:
            log.warning(
                "breaker",
                server=line.server.name,
                state=state.value,
                failures=line.breaker.failures,
                phase=transaction.phase.value,
            )
        if transaction.level is Level.CONNECTION and state is BreakerState.OPEN:
            for waiting in line.empty():
                self._enqueue(waiting)

    def _end(self, job: Job, verdict: Verdict) -> None:
        now = self._clock.now()
        self._report(Settlement(job.leased, verdict, None, None, now, now, job.tried))


def _is_stuck(line: Line, rider: Rider, now: Millis) -> bool:
    """Whether a rider should wait no longer for the dot before it: another slot would have it sooner."""
    waited = now - rider.since
    return not 0 <= waited < PATIENCE or (waited >= RIDERS_PATIENCE and line.has_room(rider.job.leased.lane))
