"""Deliveries put into the tables and leased from them, for tests of what changes them."""

from __future__ import annotations

from typing import Any

from fakes import NOON
from postroom_server.delivery.lease import Turns, lease
from postroom_server.delivery.leased import Leased
from postroom_server.store.models import Attempt, Delivery, Email, Event, Lane, Recipient
from stored_mail import put_email

IDLE = dict.fromkeys(Lane, 0)


def take(
    owner: int = 1, capacity: int = 1000, turns: Turns | None = None, *, now: int = NOON, alone: bool = False,
    held: dict[Lane, int] | None = None,
) -> list[Leased]:  # fmt: skip
    """A unit: leases for an idle process."""
    return lease(owner, held or IDLE, capacity, turns or Turns(), now, alone=alone)


def put_and_take(owner: int = 1, **columns: Any) -> Leased:
    """A unit: an email of one delivery, under lease."""
    email_id = put_email(**columns)
    (found,) = [one for one in take(owner, now=NOON * 2, alone=True) if one.email.id == email_id]
    return found


def delivery(id_: int) -> dict[str, Any]:
    return Delivery.select().where(Delivery.id == id_).dicts().get()


def email(id_: int) -> dict[str, Any]:
    return Email.select().where(Email.id == id_).dicts().get()


def recipient_states(delivery_id: int) -> list[str]:
    rows = Recipient.select().where(Recipient.delivery_id == delivery_id).order_by(Recipient.id)
    return [row.state for row in rows]


def attempts(email_id: int) -> list[dict[str, Any]]:
    return list(Attempt.select().where(Attempt.email_id == email_id).order_by(Attempt.id).dicts())


def kinds(email_id: int) -> list[str]:
    return [row.kind for row in Event.select().where(Event.email_id == email_id).order_by(Event.id)]
