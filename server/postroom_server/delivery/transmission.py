"""Carries leased deliveries to mail servers: chooses a line, writes the letter, transmits, judges."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Callable

import structlog

from postroom_server.clock import Clock
from postroom_server.delivery.breaker import Breaker, BreakerState
from postroom_server.delivery.endpoints import Endpoints
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.line import Job, Line
from postroom_server.delivery.lines import Lines
from postroom_server.delivery.marks import mark_dot
from postroom_server.delivery.settle import Settlement
from postroom_server.delivery.verdict import (
    Next,
    Outcome,
    Verdict,
    judge,
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


class Transmission:
    """`report` hears of each attempt's end. Every job that is handed in is reported once or given back."""

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
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def breaker_of(self, server_id: int) -> Breaker | None:
        return self._lines.breaker_of(server_id)

    def begin(self, job: Job) -> None:
        """Sends a job on its way, or ends it at once when no server needs to be asked."""
        now = self._clock.now()
        if now >= job.leased.expire_time:
            self._end(job, judge_without_server(job.leased, RecipientState.EXPIRED, Outcome.ABANDONED, now))
        elif job.leased.email.test:
            self._end(job, judge_without_server(job.leased, RecipientState.DELIVERED, Outcome.DELIVERED, now))
        else:
            self._enqueue(job)

    def abort_before_dot(self) -> None:
        """Stops every message that has not written its final dot."""
        self._pool.abort_before_dot()

    async def close(self, grace_seconds: float) -> list[Job]:
        """Stops what has not written its dot, waits for what has; returns the jobs that were not begun."""
        self._closed = True
        unbegun = self._lines.empty()
        await self._pool.close(grace_seconds)
        if self._tasks:
            await asyncio.wait(self._tasks)
        return unbegun

    def _enqueue(self, job: Job) -> None:
        line = self._lines.choose(job, self._clock.now())
        if line is None:
            self._wait_for_servers(job)
            return
        line.put(job)
        self._run(line)

    def _wait_for_servers(self, job: Job) -> None:
        """Nobody can be asked now: the mail waits for the first server to reopen, and no try is counted."""
        now = self._clock.now()
        run_at = min(self._lines.reopen_time(job, now), job.leased.expire_time)
        if job.tried:
            last = job.tried[-1]
            if last.verdict.outcome is Outcome.CONNECTION:
                last = dataclasses.replace(last, verdict=dataclasses.replace(last.verdict, run_at=run_at))
            self._report(dataclasses.replace(last, earlier=job.tried[:-1]))
            return
        stay = tuple((recipient.id, None) for recipient in job.leased.open_recipients)
        self._end(job, Verdict(Outcome.ABANDONED, (), stay, Next.READY, run_at))

    def _run(self, line: Line) -> None:
        now = self._clock.now()
        while not self._closed and (job := line.take(now)) is not None:
            task = asyncio.create_task(self._carry(job, line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not self._closed and (pause := line.pause(now)):
            asyncio.get_running_loop().call_later(pause, self._run, line)

    async def _carry(self, job: Job, line: Line) -> None:
        start = self._clock.now()
        try:
            transaction = await self._transact(job, line)
        except Exception:
            # Ours, not the server's and not the recipient's: three times, then the mail is held.
            log.exception("delivery_not_built", delivery=job.leased.id, email=job.leased.email.id)
            line.done(job)
            line.breaker.probing = False
            self._end(job, judge_local_error(job.leased, now=self._clock.now(), uniform=self._uniform))
            self._run(line)
            return
        line.done(job)
        now = self._clock.now()
        self._learn(line, transaction)
        verdict = judge(job.leased, transaction, now=now, uniform=self._uniform)
        settlement = Settlement(job.leased, verdict, transaction, line.server.id, start, now, job.tried)
        if verdict.may_fail_over and not self._closed and not job.cancelled:
            job.tried = (*job.tried, dataclasses.replace(settlement, earlier=()))
            self._enqueue(job)
        else:
            self._report(settlement)
        self._run(line)

    async def _transact(self, job: Job, line: Line) -> Transaction:
        envelope = await self._letters.envelope(job.leased)
        return await self._pool.send(
            line.server.id,
            self._endpoints.of(line.server),
            envelope,
            functools.partial(self._before_dot, job),
            timeouts=URGENT_TIMEOUTS if job.leased.lane is Lane.URGENT else None,
        )

    async def _before_dot(self, job: Job) -> bool:
        if job.cancelled:
            return False
        if not job.leased.at_most_once:
            return True
        try:
            return await self._store.write(
                mark_dot, self._owner, job.leased.id, job.leased.lease_token, self._clock.now()
            )
        except Refusal as refusal:
            log.warning("dot_not_marked", delivery=job.leased.id, reason=refusal.reason.value)
            return False

    def _learn(self, line: Line, transaction: Transaction) -> None:
        now = self._clock.now()
        was = line.breaker.state(now)
        line.breaker.record(transaction, now)
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
