"""Takes back what has not left: cancel, delete, and another time.

Each works on deliveries first, then recipients, then emails, as the engine's settle does: on PostgreSQL two
transactions that meet in one email then wait for each other in one order.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

import peewee

from postroom_server.clock import Clock, Millis
from postroom_server.mail import rescheduling
from postroom_server.mail.email_record import EmailRecord
from postroom_server.mail.limits import Limits
from postroom_server.mail.recipients import no_such_email
from postroom_server.refusals import Reason, Refusal, Violation, refuse_all
from postroom_server.store import expansions, history, outcome
from postroom_server.store.models import (
    AudienceState,
    Delivery,
    DeliveryState,
    Email,
    Recipient,
    RecipientState,
)
from postroom_server.store.statement import Statement, as_list, bind, one_of

# A unit of work holds everyone else's writes up: this many recipients are cancelled in one, and of an
# audience this many copies.
_MOST_RECIPIENTS = 1000

_VISIBLE = Statement(
    lambda: (
        Email.select(
            Email.id, Email.recipient_count, Email.open_count, Email.cancelled_count, Email.audience_state
        )
        .where(one_of(Email.id, "ids") & (Email.tenant_id == bind("tenant_id")) & Email.delete_time.is_null())
        .order_by(Email.id)
    )
)
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
            & (Delivery.position >= bind("first"))
            & (Delivery.position < bind("behind"))
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
_HAS_MORE = Statement(
    lambda: (
        Delivery.select(Delivery.id)
        .where(one_of(Delivery.email_id, "email_ids") & (Delivery.position >= bind("behind")))
        .limit(1)
    )
)
_HIDE = Statement(
    lambda: (
        Email.update(delete_time=bind("now"))
        .where(one_of(Email.id, "ids") & (Email.tenant_id == bind("tenant_id")) & Email.delete_time.is_null())
        .returning(Email.id)
    )
)


@dataclasses.dataclass(frozen=True, slots=True)
class Rest:
    """What is left of emails with many copies: those from this position on."""

    first: int
    announced: bool  # the event has told that they were cancelled


_ALL_OF_IT = Rest(0, announced=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Cancelled:
    """What a cancel has reached. `leased` are deliveries whose worker is to be told.

    With `rest` it is not done: the unit is to be run again with it.
    """

    cancelled_count: int
    in_flight_count: int
    too_late_count: int
    leased: list[int]
    rest: Rest | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Deleted:
    """What a delete hid. `leased` are deliveries whose worker is to be told; `rest` as with `Cancelled`."""

    count: int
    leased: list[int]
    rest: Rest | None = None


class Changes:
    """`cancel`, `delete` and `reschedule` are units of work; `delete_parts` is one that reads."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits

    def cancel(self, tenant_id: int, email_id: int, rest: Rest = _ALL_OF_IT) -> Cancelled:
        """Cancels what has not left. TOO_LATE when every recipient had ended otherwise."""
        if not _VISIBLE.rows(ids=as_list([email_id]), tenant_id=tenant_id):
            raise no_such_email(email_id)
        leased, left = _cancel(tenant_id, [email_id], rest, self._clock.now(), is_told=True)
        [(_, recipients, open_now, cancelled, audience)] = _VISIBLE.rows(
            ids=as_list([email_id]), tenant_id=tenant_id
        )
        if left is not None:
            return Cancelled(cancelled, open_now, recipients - open_now - cancelled, leased, left)
        if not open_now and not cancelled and audience != AudienceState.CANCELLED:
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

    def delete(self, tenant_id: int, email_ids: Sequence[int], rest: Rest = _ALL_OF_IT) -> Deleted:
        """Hides emails from now on, and cancels what of them has not left.

        They are hidden at the end of it: should it break off, repeating goes on with it.
        """
        now = self._clock.now()
        visible = [row[0] for row in _VISIBLE.rows(ids=as_list(email_ids), tenant_id=tenant_id)]
        leased, left = _cancel(tenant_id, visible, rest, now, is_told=False)
        if left is not None:
            return Deleted(0, leased, left)
        hidden = [row[0] for row in _HIDE.rows(ids=as_list(visible), tenant_id=tenant_id, now=now)]
        history.append(
            [history.event(tenant_id, history.Kind.EMAIL_DELETED, now, email_id=i) for i in sorted(hidden)]
        )
        return Deleted(len(hidden), leased)

    def reschedule(self, tenant_id: int, email_id: int, schedule_time: Millis | None) -> EmailRecord:
        """Gives an email of which nothing was attempted yet another time."""
        return rescheduling.reschedule(
            tenant_id, email_id, schedule_time, now=self._clock.now(), limits=self._limits
        )


def _cancel(
    tenant_id: int, email_ids: Sequence[int], rest: Rest, now: Millis, *, is_told: bool
) -> tuple[list[int], Rest | None]:
    """Cancels what waits and asks for what is leased. Returns their deliveries, and what is left."""
    # First of all: from here on nobody is added.
    stopped = expansions.stop(email_ids)
    behind = rest.first + _MOST_RECIPIENTS
    touched = _CANCEL_DELIVERIES.rows(email_ids=as_list(email_ids), first=rest.first, behind=behind)
    waiting = [delivery_id for delivery_id, _, state in touched if state != DeliveryState.LEASED]
    ended = sorted(_CANCEL_RECIPIENTS.rows(delivery_ids=as_list(waiting), now=now))
    events = []
    asked = sorted({email_id for _, email_id, _ in touched} | set(stopped))
    if is_told and not rest.announced:
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
    expansions.end(stopped, AudienceState.CANCELLED, now)
    leased = [delivery_id for delivery_id, _, state in touched if state == DeliveryState.LEASED]
    has_more = bool(_HAS_MORE.rows(email_ids=as_list(email_ids), behind=behind))
    return leased, Rest(behind, rest.announced or bool(asked)) if has_more else None
