"""What an SMTP transaction means for a delivery and its recipients (delivery.md §6). Pure."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable

from postroom_server.clock import Millis
from postroom_server.delivery import retry
from postroom_server.delivery.leased import Leased
from postroom_server.record import record
from postroom_server.smtp import Level, Reply, Transaction
from postroom_server.store.models import RecipientState

CRASHES_TO_HOLD = 3


class Outcome(enum.StrEnum):
    """How an attempt ended; the contract's AttemptOutcome, word for word."""

    DELIVERED = "DELIVERED"
    TRANSIENT = "TRANSIENT"
    PERMANENT = "PERMANENT"
    CONNECTION = "CONNECTION"
    AMBIGUOUS = "AMBIGUOUS"
    CRASHED = "CRASHED"
    LOCAL = "LOCAL"
    ABANDONED = "ABANDONED"


class Next(enum.StrEnum):
    """What becomes of the delivery."""

    DONE = "DONE"
    READY = "READY"  # at run_at
    HELD = "HELD"


@record
class Settled:
    """One recipient's end. `reply` is None where no server spoke of them."""

    recipient_id: int
    state: RecipientState
    reply: Reply | None = None


@record
class Verdict:
    outcome: Outcome
    settled: tuple[Settled, ...]
    # Recipients that stay open, with what the server said of them.
    open: tuple[tuple[int, Reply | None], ...]
    next: Next
    run_at: Millis
    counts_as_try: bool = False
    counts_as_crash: bool = False
    may_fail_over: bool = False  # another server may be tried within this attempt
    accepted_count: int = 0
    refused_count: int = 0
    why: str = ""  # nobody was asked: what callers are told of it

    @property
    def ambiguous(self) -> bool:
        return self.outcome is Outcome.AMBIGUOUS


def judge(
    leased: Leased, transaction: Transaction, *, now: Millis, uniform: Callable[[float, float], float]
) -> Verdict:
    """Reads one transaction of the delivery's open recipients, in their order."""
    verdict = _judge(leased, transaction, now, uniform)
    return _with_spared(verdict, leased, now) if leased.spared else verdict


def _judge(
    leased: Leased, transaction: Transaction, now: Millis, uniform: Callable[[float, float], float]
) -> Verdict:
    match transaction.level:
        case Level.NONE:
            return _taken(leased, transaction.final, now)
        case Level.LOCAL:
            return judge_abandoned(leased, now)
        case Level.CONNECTION:
            # The server's fault: the breaker decides when it is asked again, and no try is spent.
            stay = tuple((r.id, transaction.verdict(i)) for i, r in enumerate(leased.open_recipients))
            return Verdict(Outcome.CONNECTION, (), stay, Next.READY, now, may_fail_over=True)
        case Level.AMBIGUOUS:
            return _ambiguous(leased, transaction, now, uniform)
        case _:
            return _spoken(leased, transaction, now, uniform)


def judge_local_error(leased: Leased, *, now: Millis, uniform: Callable[[float, float], float]) -> Verdict:
    """Our own failure to build the message: three of them hold the mail, none is the recipient's fault."""
    holds = leased.crash_count + 1 >= CRASHES_TO_HOLD
    wait = retry.delay(1, is_code=leased.email.is_code, uniform=uniform)
    return Verdict(
        Outcome.LOCAL,
        (),
        tuple((recipient.id, None) for recipient in leased.open_recipients),
        Next.HELD if holds else Next.READY,
        min(now + wait, leased.expire_time),
        counts_as_crash=True,
    )


def judge_unread(
    leased: Leased, transaction: Transaction, *, now: Millis, uniform: Callable[[float, float], float]
) -> Verdict:
    """Our own failure to make sense of what a server said: three of them hold the mail.

    Once the message was on its way, nobody knows any more who has it.
    """
    if not transaction.started:
        return judge_local_error(leased, now=now, uniform=uniform)
    nothing = (None,) * len(leased.open_recipients)
    unheard = dataclasses.replace(transaction, level=Level.AMBIGUOUS, replies=nothing, final=None)
    verdict = judge(leased, unheard, now=now, uniform=uniform)
    holds = bool(verdict.open) and leased.crash_count + 1 >= CRASHES_TO_HOLD
    return dataclasses.replace(
        verdict, next=Next.HELD if holds else verdict.next, counts_as_try=False, counts_as_crash=True
    )


def judge_crashed(leased: Leased, now: Millis) -> Verdict:
    """The process that had it is gone, and whoever is left knows no more than after a crash of their own.

    What becomes of it is decided by its rescue, as for all others that a dead process leaves.
    """
    stay = tuple((recipient.id, None) for recipient in leased.open_recipients)
    return Verdict(Outcome.CRASHED, (), stay, Next.READY, now, counts_as_crash=True)


def judge_abandoned(leased: Leased, run_at: Millis, why: str = "") -> Verdict:
    """Gives the delivery back as if it had not been leased."""
    stay = tuple((recipient.id, None) for recipient in leased.open_recipients)
    return Verdict(Outcome.ABANDONED, (), stay, Next.READY, run_at, why=why)


def judge_unwritable(leased: Leased, why: str, now: Millis) -> Verdict:
    """Ends every open recipient REFUSED: what the mail would show of them can never be written."""
    ended = judge_without_server(leased, RecipientState.REFUSED, Outcome.LOCAL, now)
    return dataclasses.replace(ended, why=why)


def judge_without_server(leased: Leased, state: RecipientState, outcome: Outcome, now: Millis) -> Verdict:
    """Ends every open recipient without asking a server: expired, or accepted under a test token."""
    return Verdict(
        outcome,
        tuple(Settled(recipient.id, state) for recipient in leased.open_recipients),
        (),
        Next.DONE,
        now,
    )


def _with_spared(verdict: Verdict, leased: Leased, now: Millis) -> Verdict:
    """Those left out stay open. They go at once after a transaction that has settled somebody: so it ends."""
    at_once = bool(verdict.settled) and not (verdict.ambiguous and verdict.open)
    return dataclasses.replace(
        verdict,
        open=(*verdict.open, *((id_, None) for id_ in sorted(leased.spared))),
        next=Next.READY,
        run_at=min(now, leased.expire_time) if at_once else verdict.run_at,
        counts_as_try=verdict.counts_as_try and not at_once,
    )


def _ambiguous(
    leased: Leased, transaction: Transaction, now: Millis, uniform: Callable[[float, float], float]
) -> Verdict:
    """The dot was written and no verdict came. Whoever must not get a second copy ends as UNKNOWN."""
    ends = leased.at_most_once or leased.email.is_code
    # Each of these may have been a copy: they grow as far apart as any other retry.
    wait = retry.delay(leased.tries + 1, is_code=leased.email.is_code, uniform=uniform)
    settled: list[Settled] = []
    stay: list[tuple[int, Reply | None]] = []
    for recipient, reply in zip(leased.open_recipients, transaction.replies, strict=True):
        if reply is not None and reply.is_permanent:
            settled.append(Settled(recipient.id, RecipientState.REFUSED, reply))
        elif ends and (reply is None or not reply.is_transient):
            settled.append(Settled(recipient.id, RecipientState.UNKNOWN, transaction.final))
        else:
            # A yes to RCPT is no outcome to show of somebody who stays open.
            stay.append((recipient.id, None if reply is None or reply.is_positive else reply))
    return Verdict(
        Outcome.AMBIGUOUS,
        tuple(settled),
        tuple(stay),
        Next.READY if stay else Next.DONE,
        min(now + max(retry.AFTER_AMBIGUOUS, wait), leased.expire_time),
        counts_as_try=True,
        refused_count=sum(s.state is RecipientState.REFUSED for s in settled),
    )


def _taken(leased: Leased, final: Reply | None, now: Millis) -> Verdict:
    """Everybody was."""
    asked = leased.open_recipients
    ends = tuple(Settled(recipient.id, RecipientState.DELIVERED, final) for recipient in asked)
    return Verdict(Outcome.DELIVERED, ends, (), Next.DONE, now, counts_as_try=True, accepted_count=len(asked))


def _spoken(
    leased: Leased, transaction: Transaction, now: Millis, uniform: Callable[[float, float], float]
) -> Verdict:
    settled: list[Settled] = []
    stay: list[tuple[int, Reply | None]] = []
    over_limit = False
    for i, (recipient, taken) in enumerate(zip(leased.open_recipients, transaction.accepted, strict=True)):
        reply = transaction.verdict(i)
        if taken:
            settled.append(Settled(recipient.id, RecipientState.DELIVERED, transaction.final))
        elif reply is not None and reply.is_permanent:
            settled.append(Settled(recipient.id, RecipientState.REFUSED, reply))
        else:
            stay.append((recipient.id, reply))
            over_limit = over_limit or (reply is not None and reply.is_too_many_recipients)
    accepted = sum(s.state is RecipientState.DELIVERED for s in settled)
    # 452 4.5.3 means "not so many at once": those left over go at once, in a second transaction.
    at_once = over_limit and accepted > 0
    run_at = now
    if stay and not at_once:
        run_at += retry.delay(leased.tries + 1, is_code=leased.email.is_code, uniform=uniform)
    not_accepted = Outcome.TRANSIENT if stay else Outcome.PERMANENT
    outcome = Outcome.DELIVERED if accepted else not_accepted
    return Verdict(
        outcome,
        tuple(settled),
        tuple(stay),
        Next.READY if stay else Next.DONE,
        min(run_at, leased.expire_time),
        counts_as_try=not at_once,
        # A verdict on everybody that was only "not now" may be heard again elsewhere.
        may_fail_over=outcome is Outcome.TRANSIENT and not settled,
        accepted_count=accepted,
        refused_count=len(settled) - accepted,
    )
