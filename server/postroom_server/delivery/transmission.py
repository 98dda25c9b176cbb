"""Carries leased deliveries to mail servers: chooses a line, writes the letter, transmits, judges."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Callable

import structlog

from postroom_server.clock import SECOND, Clock, Millis
from postroom_server.delivery import retry
from postroom_server.delivery.breaker import Breaker, BreakerState
from postroom_server.delivery.endpoints import Endpoints
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.line import Job, Line
from postroom_server.delivery.lines import Lines
from postroom_server.delivery.marks import mark_dot
from postroom_server.delivery.settle import Settlement
from postroom_server.delivery.verdict import (
    Outcome,
    Verdict,
    judge,
    judge_abandoned,
    judge_local_error,
    judge_without_server,
)
from postroom_server.refusals import Refusal
from postroom_server.smtp import Level, Pool, Timeouts, Transaction
from postroom_server.store.models import Lane, RecipientState
from postroom_server.store.unit import Store

log = structlog.get_logger()

# Who waits for a code or an alarm is better served by the next server than by a patient one.
URGENT_TIMEOUTS = Timeouts(
    connect=5, banner=15, ehlo=15, mail=30, rcpt=30, data=30, chunk=60, dot=120, total=300
)

# How long mail is left alone that found no slot in time.
PUT_OFF: Millis = 15 * SECOND


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
    ) -> None:
        self._store = store
        self._letters = letters
        self._endpoints = endpoints
        self._clock = clock
        self._owner = owner
        self._report = report
        self._uniform = uniform
        self._pool = Pool()
        self._lines = Lines(server_slots)
        self._alarms: dict[int, asyncio.TimerHandle] = {}  # of lines with a rate, by server
        self._tasks: set[asyncio.Task[None]] = set()
        self._halted = False

    def breaker_of(self, server_id: int) -> Breaker | None:
        return self._lines.breaker_of(server_id)

    def begin(self, job: Job) -> None:
        """Sends a job on its way, or ends it at once when no server needs to be asked."""
        if not self._ends_unasked(job):
            self._enqueue(job)

    def cancel(self, job: Job) -> None:
        """Stops a job before its dot."""
        job.cancelled = True
        if self._lines.remove(job):
            self._put_off(job, self._clock.now())

    def put_off_the_impatient(self) -> None:
        """Lets go of jobs that have waited long for a slot: others may find theirs free."""
        now = self._clock.now()
        for job in self._lines.take_impatient(now):
            self._put_off(job, now + round(PUT_OFF * self._uniform(0.8, 1.2)))

    def halt(self) -> None:
        """Stops every message that has not written its final dot, and begins none until `go_on`."""
        self._halted = True
        for job in self._lines.empty():
            self._put_off(job, self._clock.now())
        self._pool.abort_before_dot()

    def go_on(self) -> None:
        self._halted = False

    async def close(self, grace_seconds: float) -> None:
        """Halts for good, and waits for what has written its dot."""
        self.halt()
        await self._pool.close(grace_seconds)
        if self._tasks:
            await asyncio.wait(self._tasks)
        for alarm in self._alarms.values():
            alarm.cancel()

    def _ends_unasked(self, job: Job) -> bool:
        leased, now = job.leased, self._clock.now()
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
            task = asyncio.create_task(self._carry(job, line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        pause = line.pause(now)
        if pause and not self._halted and line.server.id not in self._alarms:
            self._alarms[line.server.id] = asyncio.get_running_loop().call_later(pause, self._ring, line)

    def _ring(self, line: Line) -> None:
        del self._alarms[line.server.id]
        self._run(line)

    async def _carry(self, job: Job, line: Line) -> None:
        start = self._clock.now()
        try:
            transaction = None if self._ends_unasked(job) else await self._transact(job, line)
        except Exception as error:
            line.done(job)
            line.breaker.give_up_probe()
            self._end(job, self._judge_error(job, error))
            self._run(line)
            return
        line.done(job)
        if transaction is None:
            line.breaker.give_up_probe()
            self._run(line)
            return
        now = self._clock.now()
        self._learn(line, transaction, start)
        verdict = judge(job.leased, transaction, now=now, uniform=self._uniform)
        settlement = Settlement(job.leased, verdict, transaction, line.server.id, start, now)
        if verdict.may_fail_over and not job.cancelled:
            job.tried = (*job.tried, settlement)
            self._enqueue(job)
        else:
            self._report(dataclasses.replace(settlement, earlier=job.tried))
        self._run(line)

    async def _transact(self, job: Job, line: Line) -> Transaction:
        envelope = await self._letters.envelope(job.leased)
        transaction = await self._pool.send(
            line.server.id,
            self._endpoints.of(line.server),
            envelope,
            functools.partial(self._before_dot, job),
            timeouts=URGENT_TIMEOUTS if job.leased.lane is Lane.URGENT else None,
        )
        return self._letters.without_code(job.leased, transaction)

    def _judge_error(self, job: Job, error: Exception) -> Verdict:
        now = self._clock.now()
        if isinstance(error, Refusal):
            log.warning("delivery_waits", delivery=job.leased.id, reason=error.reason.value)
            return judge_abandoned(job.leased, now + retry.FIRST_PAUSE)
        # Ours, not the server's and not the recipient's: three times, then the mail is held.
        log.error("delivery_not_built", delivery=job.leased.id, email=job.leased.email.id, exc_info=error)
        return judge_local_error(job.leased, now=now, uniform=self._uniform)

    async def _before_dot(self, job: Job) -> bool:
        if not job.leased.at_most_once:
            return not (job.cancelled or self._halted)
        try:
            marked = await self._store.write(
                mark_dot, self._owner, job.leased.id, job.leased.lease_token, self._clock.now()
            )
        except Refusal as refusal:
            log.warning("dot_not_marked", delivery=job.leased.id, reason=refusal.reason.value)
            return False
        return marked and not (job.cancelled or self._halted)

    def _learn(self, line: Line, transaction: Transaction, start: Millis) -> None:
        now = self._clock.now()
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
