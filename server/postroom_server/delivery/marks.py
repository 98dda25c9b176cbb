"""The dot mark: a durable note that a message is about to leave for good."""

from __future__ import annotations

import peewee

from postroom_server.clock import Millis
from postroom_server.store.models import Delivery
from postroom_server.store.statement import Statement, bind

_MARK = Statement(
    lambda: Delivery.update(phase="DOT", dot_time=bind("now")).where(
        (Delivery.id == bind("id"))
        & (Delivery.state == peewee.SQL("'LEASED'"))
        & (Delivery.lease_owner == bind("owner"))
        & (Delivery.lease_token == bind("token"))
    )
)


def mark_dot(owner: int, delivery_id: int, token: int, now: Millis) -> bool:
    """Marks a delivery under its lease. False: the lease has passed to another. A unit of work."""
    return bool(_MARK.execute(id=delivery_id, owner=owner, token=token, now=now).rowcount == 1)
