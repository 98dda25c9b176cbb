"""Lets mail go on that has come to a stop: what failed for good is opened again, what is held is released.

Deliveries first, then recipients, then emails, in the order in which the engine's settle writes them.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import peewee

from postroom_server.clock import Clock
from postroom_server.mail.limits import Limits
from postroom_server.mail.recipients import no_such_email
from postroom_server.message.address import key
from postroom_server.refusals import Reason, Refusal
from postroom_server.store import history, suppressed
from postroom_server.store.history import Kind
from postroom_server.store.models import (
    Attachment,
    Delivery,
    DeliveryState,
    Email,
    EmailState,
    Lane,
    MemberCopy,
    Preparation,
    Recipient,
    RecipientState,
    SuppressionReason,
    TemplateKind,
    TemplateVersion,
)
from postroom_server.store.statement import Statement, as_list, bind, insert, is_postgresql, one_of

_FAILED = (RecipientState.REFUSED, RecipientState.EXPIRED, RecipientState.UNKNOWN)
_COUNTERS = {
    RecipientState.REFUSED: Email.refused_count,
    RecipientState.EXPIRED: Email.expired_count,
    RecipientState.UNKNOWN: Email.unknown_count,
}
# Not what a worker has in its hands: it would never learn of who was opened. Not what is held: that waits for
# a release. Not what is being prepared: nobody of it has been tried.
_AT_REST = (DeliveryState.DONE, DeliveryState.CANCELLED, DeliveryState.READY)

_VISIBLE = Statement(
    lambda: Email.select(
        Email.expire_time,
        Email.verification,
        Email.ignore_suppression,
        Email.template_version_id,
        Email.audience.is_null(False),
    ).where((Email.id == bind("id")) & (Email.tenant_id == bind("tenant_id")) & Email.delete_time.is_null())
)


def _retryable_query() -> Any:
    query = (
        Delivery.select(Delivery.id, Delivery.lane)
        .where(
            (Delivery.email_id == bind("email_id"))
            & Delivery.state.in_([state.value for state in _AT_REST])
            & peewee.fn.EXISTS(
                Recipient.select(Recipient.id).where((Recipient.delivery_id == Delivery.id) & _HAS_FAILED)
            )
            # The copy of a member who lacks what it shows cannot be written today either.
            & ~peewee.fn.EXISTS(
                MemberCopy.select(MemberCopy.delivery_id).where(
                    (MemberCopy.delivery_id == Delivery.id) & MemberCopy.problem.is_null(False)
                )
            )
        )
        .order_by(Delivery.id)
    )
    # What was leased or retried meanwhile is not touched: the states are looked at again behind the lock.
    return query.for_update() if is_postgresql() else query


_HAS_FAILED = Recipient.state.in_([state.value for state in _FAILED])
_LOCK_RETRYABLE = Statement(_retryable_query)
_FAILED_OF = Statement(
    lambda: Recipient.select(Recipient.id, Recipient.delivery_id, Recipient.state, Recipient.address).where(
        one_of(Recipient.delivery_id, "delivery_ids") & _HAS_FAILED
    )
)
_OPEN_RECIPIENTS = Statement(
    lambda: Recipient.update(state=RecipientState.OPEN.value, settle_time=None).where(
        one_of(Recipient.id, "ids")
    )
)
_OPEN_DELIVERIES = Statement(
    lambda: Delivery.update(
        state=bind("state"),
        run_at=bind("now"),
        expire_time=bind("expire_time"),
        tries=0,
        crash_count=0,  # it may have expired while it was held
        cancel_requested=False,
    ).where(one_of(Delivery.id, "ids"))
)


def _open_email() -> Any:
    changes: dict[Any, Any] = {counter: counter - bind(state.value) for state, counter in _COUNTERS.items()}
    changes[Email.open_count] = Email.open_count + bind("opened")
    changes[Email.state] = EmailState.PENDING.value
    changes[Email.failure_reason] = None
    changes[Email.settle_time] = None
    changes[Email.expire_time] = bind("expire_time")
    return Email.update(changes).where(Email.id == bind("id"))


_OPEN_EMAIL = Statement(_open_email)
_MISSING_FILES = Statement(
    lambda: (
        Attachment.select(Attachment.id)
        .where((Attachment.email_id == bind("email_id")) & Attachment.blob_id.is_null())
        .limit(1)
    )
)
_PREPARE = insert(Preparation)
_RELEASE = Statement(
    lambda: (
        Delivery.update(state=DeliveryState.READY.value, run_at=bind("now"), crash_count=0)
        .where((Delivery.email_id == bind("email_id")) & (Delivery.state == peewee.SQL("'HELD'")))
        .returning(Delivery.id)
    )
)


class Retries:
    """`retry` and `release` are units of work."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits

    def retry(self, tenant_id: int, email_id: int) -> int:
        """Opens the recipients that failed for good, with a fresh budget, and says how many.

        An outcome that nobody knows is tried again, too: the caller has decided it. Whom the suppression list
        holds back stays as they ended until they are taken off it. So does a verification mail: its code is
        stale, and a new one goes through the limits of codes (security.md D2).
        """
        now = self._clock.now()
        rows = _VISIBLE.rows(id=email_id, tenant_id=tenant_id)
        if not rows:
            raise no_such_email(email_id)
        expire_time, is_code, ignores_list, version_id, to_audience = rows[0]
        if is_code:
            raise _nothing_to_retry(email_id, "a verification mail is not sent again; send a new one")
        lanes = dict(_LOCK_RETRYABLE.rows(email_id=email_id))
        failed = _FAILED_OF.rows(delivery_ids=as_list(lanes))
        if not failed:
            raise _nothing_to_retry(email_id, "no recipient of this email has failed for good")
        if not ignores_list:
            # The engine would hold them back at once, and then they could never be opened again.
            failed = _not_listed(tenant_id, version_id, failed, to_audience=bool(to_audience))
        if not failed:
            raise _nothing_to_retry(email_id, "whoever failed is on the suppression list; remove them first")
        fresh = {"now": now, "expire_time": max(expire_time, now + self._limits.lifetime)}
        state = DeliveryState.READY
        if _MISSING_FILES.rows(email_id=email_id):
            state = DeliveryState.PREPARING
            lane = min(lane % len(Lane) for lane in lanes.values())
            _PREPARE.many([(email_id, tenant_id, lane, now, 0)])
        _OPEN_DELIVERIES.execute(
            ids=as_list({delivery_id for _, delivery_id, *_ in failed}), state=state.value, **fresh
        )
        _OPEN_RECIPIENTS.execute(ids=as_list(id_ for id_, *_ in failed))
        counts = collections.Counter(RecipientState(ended) for _, _, ended, _ in failed)
        _OPEN_EMAIL.execute(
            id=email_id,
            opened=len(failed),
            expire_time=fresh["expire_time"],
            **{counted.value: counts[counted] for counted in _FAILED},
        )
        history.append([history.event(tenant_id, Kind.EMAIL_RETRIED, now, email_id=email_id)])
        return len(failed)

    def release(self, tenant_id: int, email_id: int) -> int:
        """Lets held deliveries go on, each with three crashes to go, and says how many.

        They are still leased alone: what has brought a process down may do so again.
        """
        now = self._clock.now()
        if not _VISIBLE.rows(id=email_id, tenant_id=tenant_id):
            raise no_such_email(email_id)
        released = sorted(row[0] for row in _RELEASE.rows(email_id=email_id, now=now))
        if not released:
            raise Refusal(
                Reason.NOT_HELD,
                "no delivery of this email is held",
                metadata={"email_id": str(email_id)},
            )
        history.append(
            [
                history.event(
                    tenant_id, Kind.DELIVERY_RELEASED, now, email_id=email_id, delivery_id=delivery_id
                )
                for delivery_id in released
            ]
        )
        return len(released)


def _not_listed(
    tenant_id: int, version_id: int | None, failed: Sequence[tuple[Any, ...]], *, to_audience: bool
) -> list[tuple[Any, ...]]:
    """Those of these recipients that the suppression list does not stop."""
    listed = suppressed.find({(tenant_id, key(address)) for *_, address in failed})
    is_batch = to_audience
    if not is_batch and SuppressionReason.UNSUBSCRIBED in listed.values() and version_id is not None:
        is_batch = TemplateVersion.get_by_id(version_id).kind == TemplateKind.BATCH
    return [
        row
        for row in failed
        if not suppressed.stops(listed.get((tenant_id, key(row[-1]))), is_batch=is_batch)
    ]


def _nothing_to_retry(email_id: int, message: str) -> Refusal:
    return Refusal(Reason.NOTHING_TO_RETRY, message, metadata={"email_id": str(email_id)})
