"""Takes back what has not left: cancel, delete, and another time.

Each works on deliveries first, then recipients, then emails, as the engine's settle does: on PostgreSQL two
transactions that meet in one email then wait for each other in one order.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

import peewee

from postroom_server.clock import DAY, Clock, Millis
from postroom_server.mail import email_rows
from postroom_server.mail.email_record import EmailRecord
from postroom_server.mail.limits import Limits
from postroom_server.mail.recipients import no_such_email
from postroom_server.refusals import Reason, Refusal, Violation, refuse_all
from postroom_server.store import history, outcome
from postroom_server.store.models import Delivery, DeliveryState, Email, EmailState, Recipient, RecipientState
from postroom_server.store.statement import Statement, as_list, bind, one_of

# A unit of work holds everyone else's writes up: this many recipients are cancelled in one.
_MOST_RECIPIENTS = 1000

_VISIBLE = Statement(
    lambda: (
        Email.select(
            Email.id, Email.recipient_count, Email.open_count, Email.cancelled_count, Email.suppressed_count,
            Email.state, Email.expire_time, Email.expire_fixed, Email.validity,
        )
        .where(one_of(Email.id, "ids") & (Email.tenant_id == bind("tenant_id")) & Email.delete_time.is_null())
        .order_by(Email.id)
    )
)  # fmt: skip
# One statement decides for each delivery: a worker takes it before or after, never in between.
_CANCEL_DELIVERIES = Statement(
    lambda: (
        Delivery.update(
            cancel_requested=True,
            state=peewee.Case(
                None, ((Delivery.state == peewee.SQL("'LEASED'"), Delivery.state),), peewee.SQL("'CANCELLED'")
            ),
        )
        .where(
            one_of(Delivery.email_id, "email_ids")
            & (
                Delivery.state.in_([DeliveryState.PREPARING, DeliveryState.READY, DeliveryState.HELD])
                | ((Delivery.state == DeliveryState.LEASED) & ~Delivery.cancel_requested)
            )
        )
        .returning(Delivery.id, Delivery.email_id, Delivery.state)
    )
)
_CANCEL_RECIPIENTS = Statement(
    lambda: (
        Recipient.update(state=RecipientState.CANCELLED.value, settle_time=bind("now"))
        .where(one_of(Recipient.delivery_id, "delivery_ids") & (Recipient.state == RecipientState.OPEN.value))
        .returning(Recipient.id, Recipient.email_id, Recipient.delivery_id)
    )
)
_HIDE = Statement(
    lambda: (
        Email.update(delete_time=bind("now"))
        .where(one_of(Email.id, "ids") & (Email.tenant_id == bind("tenant_id")) & Email.delete_time.is_null())
        .returning(Email.id)
    )
)
_WHEN = Statement(
    # Its date is when a message was due at first; run_at moves whenever nobody can be asked.
    lambda: Delivery.select(peewee.fn.COUNT(Delivery.id), peewee.fn.MIN(Delivery.date_time)).where(
        (Delivery.email_id == bind("email_id"))
        & ((Delivery.state != peewee.SQL("'DONE'")) | (Delivery.transactions > 0))
    )
)
_MOVE_DELIVERIES = Statement(
    lambda: (
        Delivery.update(run_at=bind("due"), date_time=bind("due"), expire_time=bind("expire_time"))
        .where(
            (Delivery.email_id == bind("email_id"))
            & Delivery.state.in_([DeliveryState.PREPARING, DeliveryState.READY])
            & (Delivery.transactions == 0)
        )
        .returning(Delivery.id)
    )
)
_MOVE_EMAIL = Statement(
    lambda: Email.update(schedule_time=bind("schedule_time"), expire_time=bind("expire_time")).where(
        Email.id == bind("email_id")
    )
)


@dataclasses.dataclass(frozen=True, slots=True)
class Cancelled:
    """What a cancel reached. `leased` are deliveries whose worker is to be told."""

    cancelled_count: int
    in_flight_count: int
    too_late_count: int
    leased: list[int]


@dataclasses.dataclass(frozen=True, slots=True)
class Deleted:
    """What a delete hid. `leased` are deliveries whose worker is to be told."""

    count: int
    leased: list[int]


class Changes:
    """`cancel`, `delete` and `reschedule` are units of work; `delete_parts` is one that reads."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits

    def cancel(self, tenant_id: int, email_id: int) -> Cancelled:
        """Cancels what has not left. TOO_LATE when every recipient had ended otherwise."""
        if not _VISIBLE.rows(ids=as_list([email_id]), tenant_id=tenant_id):
            raise no_such_email(email_id)
        leased = _cancel(tenant_id, [email_id], self._clock.now(), announced=True)
        _, recipients, open_now, cancelled, *_ = _VISIBLE.rows(ids=as_list([email_id]), tenant_id=tenant_id)[
            0
        ]
        if not open_now and not cancelled:
            raise Refusal(
                Reason.TOO_LATE,
                "nothing of this email can be cancelled any more",
                metadata={"email_id": str(email_id)},
            )
        # What is still open is in a worker's hands.
        return Cancelled(cancelled, open_now, recipients - open_now - cancelled, leased)

    def delete_parts(self, tenant_id: int, email_ids: Sequence[int]) -> list[list[int]]:
        """Checks which emails are to be deleted and cuts them into parts, a unit of work each.

        Unknown, foreign and deleted ids are passed over.
        """
        distinct = list(dict.fromkeys(email_ids))
        if len(distinct) > self._limits.delete_ids:
            text = f"{len(distinct)} different ids; at most {self._limits.delete_ids}"
            refuse_all([Violation("ids", text)])
        parts: list[list[int]] = []
        room = 0
        for email_id, _, open_now, *_ in _VISIBLE.rows(ids=as_list(distinct), tenant_id=tenant_id):
            if not parts or open_now > room:
                parts.append([])
                room = _MOST_RECIPIENTS
            parts[-1].append(email_id)
            room -= open_now
        return parts

    def delete(self, tenant_id: int, email_ids: Sequence[int]) -> Deleted:
        """Hides emails from now on, and cancels what of them has not left."""
        now = self._clock.now()
        visible = [row[0] for row in _VISIBLE.rows(ids=as_list(email_ids), tenant_id=tenant_id)]
        leased = _cancel(tenant_id, visible, now, announced=False)
        hidden = [row[0] for row in _HIDE.rows(ids=as_list(visible), tenant_id=tenant_id, now=now)]
        history.append(
            [history.event(tenant_id, history.Kind.EMAIL_DELETED, now, email_id=i) for i in sorted(hidden)]
        )
        return Deleted(len(hidden), leased)

    def reschedule(self, tenant_id: int, email_id: int, schedule_time: Millis | None) -> EmailRecord:
        """Moves the time of an email of which nothing was attempted yet; a past time means at once."""
        now = self._clock.now()
        if schedule_time is None:
            raise _not_then("is required")
        if schedule_time > now + self._limits.longest_schedule:
            raise _not_then(f"is more than {self._limits.longest_schedule // DAY} days away")
        rows = _VISIBLE.rows(ids=as_list([email_id]), tenant_id=tenant_id)
        if not rows:
            raise no_such_email(email_id)
        _, recipients, open_now, _, suppressed, state, expire_time, fixed, validity = rows[0]
        # Whom the suppression list holds back was not attempted, and has no time to be moved.
        deliveries, was_due = _WHEN.rows(email_id=email_id)[0]
        if state != EmailState.PENDING or not deliveries or open_now + suppressed != recipients:
            raise _attempted(email_id)
        due = max(now, schedule_time)
        if fixed is None:
            fixed = expire_time - was_due != (validity or self._limits.lifetime)
        # What nobody fixed was counted from when the mail was due, and is again.
        expires = expire_time if fixed else due + expire_time - was_due
        if expires <= due:
            raise _not_then("is not before expire_time")
        moved = _MOVE_DELIVERIES.rows(email_id=email_id, due=due, expire_time=expires)
        if len(moved) != deliveries:
            raise _attempted(email_id)
        _MOVE_EMAIL.execute(email_id=email_id, schedule_time=schedule_time, expire_time=expires)
        history.append([history.event(tenant_id, history.Kind.EMAIL_RESCHEDULED, now, email_id=email_id)])
        return email_rows.load([email_id], tenant_id)[0]


def _cancel(tenant_id: int, email_ids: Sequence[int], now: Millis, *, announced: bool) -> list[int]:
    """Cancels what waits and asks for what is leased. Returns the deliveries of the latter."""
    touched = _CANCEL_DELIVERIES.rows(email_ids=as_list(email_ids))
    waiting = [delivery_id for delivery_id, _, state in touched if state != DeliveryState.LEASED]
    ended = sorted(_CANCEL_RECIPIENTS.rows(delivery_ids=as_list(waiting), now=now))
    events = []
    if announced:
        asked = sorted({email_id for _, email_id, _ in touched})
        events = [
            history.event(tenant_id, history.Kind.EMAIL_CANCELLED, now, email_id=email_id)
            for email_id in asked
        ]
    events += [
        history.event(
            tenant_id,
            history.Kind.RECIPIENT_SETTLED,
            now,
            email_id=email_id,
            delivery_id=delivery_id,
            recipient_id=recipient_id,
            state=RecipientState.CANCELLED.value,
        )
        for recipient_id, email_id, delivery_id in ended
    ]
    history.append(events)
    counts = collections.Counter(email_id for _, email_id, _ in ended)
    outcome.record([(email_id, RecipientState.CANCELLED, count) for email_id, count in counts.items()], now)
    return [delivery_id for delivery_id, _, state in touched if state == DeliveryState.LEASED]


def _not_then(problem: str) -> Refusal:
    violation = Violation("schedule_time", problem)
    return Refusal(Reason.INVALID_FIELD, f"schedule_time: {problem}", violations=[violation])


def _attempted(email_id: int) -> Refusal:
    return Refusal(
        Reason.TOO_LATE,
        "part of this email has been attempted, or it has ended",
        metadata={"email_id": str(email_id)},
    )
