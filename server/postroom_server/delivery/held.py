"""Expiry of held mail: set aside after three crashes, it still ends when its time is over."""

from __future__ import annotations

import asyncio

import peewee
import structlog

from postroom_server.clock import Clock, Millis
from postroom_server.refusals import Refusal
from postroom_server.store import history, outcome
from postroom_server.store.history import Kind, event
from postroom_server.store.models import Delivery, DeliveryState, Recipient, RecipientState
from postroom_server.store.statement import is_postgresql
from postroom_server.store.unit import Store

log = structlog.get_logger()

INTERVAL_SECONDS = 60.0
_AT_ONCE = 100


def expire_held(now: Millis) -> int:
    """Ends up to 100 held deliveries whose time is over; returns how many. A unit of work."""
    over = (
        Delivery.select()
        .where((Delivery.state == peewee.SQL("'HELD'")) & (Delivery.expire_time <= now))
        .order_by(Delivery.expire_time, Delivery.id)
        .limit(_AT_ONCE)
    )
    # A release that runs beside this waits for it, and then finds nothing held.
    held = list(over.for_update() if is_postgresql() else over)
    for delivery in held:
        Delivery.update(state=DeliveryState.DONE).where(Delivery.id == delivery.id).execute()
        still_open = (Recipient.delivery_id == delivery.id) & (Recipient.state == RecipientState.OPEN)
        ids = [row.id for row in Recipient.select(Recipient.id).where(still_open)]
        Recipient.update(state=RecipientState.EXPIRED, settle_time=now).where(Recipient.id << ids).execute()
        history.append([_settled(delivery, id_, now) for id_ in ids])
        outcome.record([(delivery.email_id, RecipientState.EXPIRED, len(ids))] if ids else [], now)
    return len(held)


async def expire_held_forever(store: Store, clock: Clock) -> None:
    while True:
        try:
            while await store.write(expire_held, clock.now()) == _AT_ONCE:
                pass
        except Refusal as refusal:
            log.warning("held_expiry_waits", reason=refusal.reason.value)
        except Exception:
            log.exception("held_expiry_failed")
        await asyncio.sleep(INTERVAL_SECONDS)


def _settled(delivery: Delivery, recipient_id: int, now: Millis) -> tuple[object, ...]:
    return event(
        delivery.tenant_id,
        Kind.RECIPIENT_SETTLED,
        now,
        email_id=delivery.email_id,
        delivery_id=delivery.id,
        recipient_id=recipient_id,
        state=RecipientState.EXPIRED.value,
    )
