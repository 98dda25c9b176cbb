"""How jobs end that no server has taken or refused: at once, unasked, put off, or by a mistake of ours."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable

import structlog

from postroom_server.clock import Clock, Millis
from postroom_server.delivery import retry
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.letters import why_unwritable
from postroom_server.delivery.line import Job
from postroom_server.delivery.metrics import DeliveryMetrics
from postroom_server.delivery.verdict import (
    Outcome,
    Verdict,
    judge_abandoned,
    judge_local_error,
    judge_unwritable,
    judge_without_server,
)
from postroom_server.refusals import Refusal
from postroom_server.store.models import RecipientState

log = structlog.get_logger()


class PutOff(enum.StrEnum):
    """Why a delivery goes back that was not begun; a label of the metrics."""

    NO_SERVER = "no_server"  # none is enabled that may carry it
    UNREACHABLE = "unreachable"  # all are out of reach, or have said so within this attempt
    BUSY = "busy"  # no slot in time
    STOPPED = "stopped"  # a cancel, a stop, or a fence


class Endings:
    """`report` hears of each of these jobs, once."""

    def __init__(
        self,
        clock: Clock,
        *,
        report: Callable[[Settlement], None],
        uniform: Callable[[float, float], float],
        metrics: DeliveryMetrics,
    ) -> None:
        self._clock = clock
        self._report = report
        self._uniform = uniform
        self._metrics = metrics

    def end_unasked(self, job: Job, now: Millis) -> bool:
        """Ends a job for which no server needs to be asked; False for all others."""
        leased = job.leased
        if job.cancelled:
            self.stop(job)
        elif now >= leased.expire_time or not leased.open_recipients:
            self.end(job, judge_without_server(leased, RecipientState.EXPIRED, Outcome.ABANDONED, now))
        elif leased.email.test:
            self.end(job, judge_without_server(leased, RecipientState.DELIVERED, Outcome.DELIVERED, now))
        else:
            return False
        return True

    def stop(self, job: Job) -> None:
        """Gives a job back because of a cancel, a stop, or a fence."""
        self.put_off(job, self._clock.now(), PutOff.STOPPED)

    def put_off(self, job: Job, run_at: Millis, why: PutOff, told: str = "") -> None:
        """Nobody can be asked now. What was heard of the message decides, else it waits until `run_at`."""
        run_at = min(run_at, job.leased.expire_time)
        self._metrics.put_off(why)
        if not job.tried:
            self.end(job, judge_abandoned(job.leased, run_at, told))
            return
        last = next((one for one in job.tried if one.verdict.counts_as_try), job.tried[-1])
        earlier = tuple(one for one in job.tried if one is not last)
        verdict = last.verdict
        if verdict.outcome is Outcome.CONNECTION:
            verdict = dataclasses.replace(verdict, run_at=run_at)
        self._report(dataclasses.replace(last, verdict=verdict, earlier=earlier))

    def end_by(self, error: Exception, job: Job) -> None:
        """Ends a job whose letter was not written, or whose server could not be asked for our own reasons."""
        self.end(job, self._judge(job, error))

    def _judge(self, job: Job, error: Exception) -> Verdict:
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

    def end(self, job: Job, verdict: Verdict) -> None:
        now = self._clock.now()
        self._report(Settlement(job.leased, verdict, None, None, now, now, job.tried))
