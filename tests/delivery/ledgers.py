"""Deliveries put into the tables and leased from them, for tests of what changes them."""

from __future__ import annotations

from typing import Any

from fakes import NOON
from postroom_server.delivery.lease import Turns, lease
from postroom_server.delivery.leased import Leased
from postroom_server.store.models import Attempt, Content, Delivery, Email, Event, Lane, Recipient
from postroom_server.store.statement import insert
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


def put_many(counts: dict[int, int], *, lane: int = 1, run_at: int = NOON) -> None:
    """So many emails of each tenant, all rows in a few statements."""
    template = put_email(tenant_id=0, delivery={"state": "DONE"})
    email = Email.select().where(Email.id == template).tuples().get()
    content = Content.select().where(Content.email_id == template).tuples().get()
    (sent,) = Delivery.select().where(Delivery.email_id == template).dicts()
    recipient = Recipient.select().where(Recipient.email_id == template).dicts().get()
    ids = [(tenant, n) for tenant, count in counts.items() for n in range(count)]
    rows = [(tenant, 10_000_000 + place) for place, (tenant, _) in enumerate(ids)]
    insert(Email).many([(id_, tenant, *email[2:]) for tenant, id_ in rows])
    insert(Content).many([(id_, tenant, *content[2:]) for tenant, id_ in rows])
    insert(Delivery).many(
        [
            tuple(
                {
                    **sent, "id": id_, "tenant_id": tenant, "email_id": id_, "lane": lane,
                    "run_at": run_at, "state": "READY",
                }.values()
            )
            for tenant, id_ in rows
        ]
    )  # fmt: skip
    insert(Recipient).many(
        [
            tuple({**recipient, "id": id_, "tenant_id": tenant, "email_id": id_, "delivery_id": id_}.values())
            for tenant, id_ in rows
        ]
    )
