"""The row of a new delivery: what a worker finds before anything was tried."""

from __future__ import annotations

from typing import Any

from postroom_server.clock import Millis
from postroom_server.store.models import Delivery
from postroom_server.store.randomness import randomness
from postroom_server.store.statement import Insert

Row = tuple[Any, ...]

DELIVERY = Insert(
    Delivery,
    [
        Delivery.id, Delivery.tenant_id, Delivery.email_id, Delivery.lane, Delivery.position,
        Delivery.message_id, Delivery.date_time, Delivery.at_most_once, Delivery.state, Delivery.run_at,
        Delivery.expire_time, Delivery.lease_token, Delivery.cancel_requested, Delivery.transactions,
        Delivery.tries, Delivery.crash_count,
    ],
)  # fmt: skip


def new_delivery(
    delivery_id: int,
    tenant_id: int,
    email_id: int,
    *,
    lane: int,
    position: int,
    domain: str,
    date_time: Millis,
    at_most_once: bool,
    state: str,
    run_at: Millis,
    expire_time: Millis,
) -> Row:
    """A row for DELIVERY."""
    return (
        delivery_id, tenant_id, email_id, lane, position, message_id(delivery_id, domain), date_time,
        at_most_once, state, run_at, expire_time, 0, False, 0, 0, 0,
    )  # fmt: skip


def message_id(delivery_id: int, domain: str) -> str:
    """A Message-ID: it names its delivery, and cannot be guessed."""
    return f"{delivery_id:x}.{randomness.take(8).hex()}@{domain}"
