"""Marks on a delivery under lease: durable notes of how far it has come, read after a crash."""

from __future__ import annotations

from collections.abc import Iterable

import peewee

from postroom_server.clock import Millis
from postroom_server.store.models import Delivery
from postroom_server.store.statement import Statement, bind

DOT = "DOT"  # the message is about to leave for good
WAITING = "WAITING"  # it is written, and a server has taken its time since

_UNDER_LEASE = (
    (Delivery.id == bind("id"))
    & (Delivery.state == peewee.SQL("'LEASED'"))
    & (Delivery.lease_owner == bind("owner"))
    & (Delivery.lease_token == bind("token"))
)
_MARK_DOT = Statement(lambda: Delivery.update(phase=DOT, dot_time=bind("now")).where(_UNDER_LEASE))
_MARK_WAITING = Statement(
    lambda: Delivery.update(phase=WAITING).where(_UNDER_LEASE & Delivery.phase.is_null())
)


def mark_dot(owner: int, delivery_id: int, token: int, now: Millis) -> bool:
    """Marks a delivery under its lease. False: the lease has passed to another. A unit of work."""
    return _MARK_DOT.change(id=delivery_id, owner=owner, token=token, now=now) == 1


def mark_waiting(owner: int, leases: Iterable[tuple[int, int]]) -> None:
    """Marks deliveries, each with the token of its lease. Part of a unit."""
    _MARK_WAITING.execute_many([{"id": id_, "owner": owner, "token": token} for id_, token in leases])
