"""Gives an email another time: its deliveries are moved, or the look-up of its audience is."""

from __future__ import annotations

import peewee

from postroom_server.clock import DAY, Millis
from postroom_server.mail import email_rows
from postroom_server.mail.email_record import EmailRecord
from postroom_server.mail.limits import Limits
from postroom_server.mail.recipients import no_such_email
from postroom_server.refusals import Reason, Refusal, Violation
from postroom_server.store import expansions, history
from postroom_server.store.models import Delivery, DeliveryState, Email, EmailState
from postroom_server.store.statement import Statement, bind

_STANDING = Statement(
    lambda: Email.select(
        Email.recipient_count, Email.open_count, Email.suppressed_count, Email.state, Email.expire_time,
        Email.expire_fixed, Email.validity, Email.audience_state, Email.accept_time, Email.schedule_time,
    ).where(
        (Email.id == bind("email_id"))
        & (Email.tenant_id == bind("tenant_id"))
        & Email.delete_time.is_null()
    )
)  # fmt: skip
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


def reschedule(
    tenant_id: int, email_id: int, schedule_time: Millis | None, *, now: Millis, limits: Limits
) -> EmailRecord:
    """Moves the time of an email of which nothing was attempted yet; a past time means at once."""
    if schedule_time is None:
        raise _not_then("is required")
    if schedule_time > now + limits.longest_schedule:
        raise _not_then(f"is more than {limits.longest_schedule // DAY} days away")
    rows = _STANDING.rows(email_id=email_id, tenant_id=tenant_id)
    if not rows:
        raise no_such_email(email_id)
    (
        recipients, open_now, suppressed, state, expire_time, fixed, validity, audience, accept_time,
        was_scheduled,
    ) = rows[0]  # fmt: skip
    due = max(now, schedule_time)
    if audience is not None:
        expires = _expires(expire_time, fixed, due, max(accept_time, was_scheduled or 0))
        # Once the look-up has begun, who was found has their copy.
        if not expansions.move(email_id, due, expires):
            raise _attempted(email_id)
    else:
        deliveries, was_due = _WHEN.rows(email_id=email_id)[0]
        # Whom the suppression list holds back was not attempted, and has no time to be moved.
        if state != EmailState.PENDING or not deliveries or open_now + suppressed != recipients:
            raise _attempted(email_id)
        if fixed is None:
            fixed = expire_time - was_due != (validity or limits.lifetime)
        expires = _expires(expire_time, fixed, due, was_due)
        if len(_MOVE_DELIVERIES.rows(email_id=email_id, due=due, expire_time=expires)) != deliveries:
            raise _attempted(email_id)
    _MOVE_EMAIL.execute(email_id=email_id, schedule_time=schedule_time, expire_time=expires)
    history.append([history.event(tenant_id, history.Kind.EMAIL_RESCHEDULED, now, email_id=email_id)])
    return email_rows.load([email_id], tenant_id)[0]


def _expires(expire_time: Millis, fixed: object, due: Millis, was_due: Millis) -> Millis:
    """What nobody fixed was counted from when the mail was due, and is again."""
    expires = expire_time if fixed else due + expire_time - was_due
    if expires <= due:
        raise _not_then("is not before expire_time")
    return expires


def _not_then(problem: str) -> Refusal:
    violation = Violation("schedule_time", problem)
    return Refusal(Reason.INVALID_FIELD, f"schedule_time: {problem}", violations=[violation])


def _attempted(email_id: int) -> Refusal:
    return Refusal(
        Reason.TOO_LATE,
        "part of this email has been attempted, or it has ended",
        metadata={"email_id": str(email_id)},
    )
