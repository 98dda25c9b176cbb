"""Emails put into the tables row by row, for tests of what reads and changes them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

from fakes import NOON
from postroom_server.clock import HOUR
from postroom_server.store.ids import first_id_at
from postroom_server.store.models import Content, Delivery, Email, Recipient

_serial = itertools.count(1)


def new_id() -> int:
    """An id as the mint makes it at noon, each greater than the last."""
    return first_id_at(NOON) + next(_serial)


def put_email(
    email_id: int | None = None,
    *,
    tenant_id: int = 1,
    to: Sequence[str] = ("ann@example.com",),
    cc: Sequence[str] = (),
    content: dict[str, Any] | None = None,
    delivery: dict[str, Any] | None = None,
    **columns: Any,
) -> int:
    """Stores an email with a delivery per To address, the Cc on the first, and returns its id."""
    email_id = new_id() if email_id is None else email_id
    count = len(to) + len(cc)
    row: dict[str, Any] = {
        "id": email_id,
        "tenant_id": tenant_id,
        "token_id": 1,
        "sender_user_id": 0,
        "out_id": f"out-{email_id}",
        "html": False,
        "subject": "Hello",
        "from_address": "noreply@example.com",
        "from_name": "",
        "ignore_suppression": False,
        "separate": True,
        "at_most_once": False,
        "urgent": False,
        "test": False,
        "verification": False,
        "state": "PENDING",
        "recipient_count": count,
        "open_count": count,
        "delivered_count": 0,
        "accept_time": NOON,
        "expire_time": NOON + 48 * HOUR,
        **columns,
    }
    Email.insert(row).execute()
    texts: dict[str, Any] = {"text": "Hi", **(content or {})}
    for name in ("params", "recipient_params"):
        if name in texts:
            texts[name] = json.dumps(texts[name])
    Content.insert(email_id=email_id, tenant_id=tenant_id, **texts).execute()
    for position, address in enumerate(to):
        delivery_id = new_id()
        Delivery.insert(
            {
                "id": delivery_id,
                "tenant_id": tenant_id,
                "email_id": email_id,
                "lane": 1,
                "position": position,
                "message_id": f"{delivery_id:x}@example.com",
                "date_time": NOON,
                "at_most_once": False,
                "state": "READY",
                "run_at": NOON,
                "expire_time": row["expire_time"],
                **(delivery or {}),
            }
        ).execute()
        copies = [("TO", address), *(("CC", copy) for copy in cc if position == 0)]
        for role, copied in copies:
            Recipient.insert(
                id=new_id(),
                tenant_id=tenant_id,
                email_id=email_id,
                delivery_id=delivery_id,
                role=role,
                address=copied,
                state="OPEN",
            ).execute()
    return email_id


def deliveries_of(email_id: int) -> list[Delivery]:
    return list(Delivery.select().where(Delivery.email_id == email_id).order_by(Delivery.position))


def recipients_of(email_id: int) -> list[Recipient]:
    return list(Recipient.select().where(Recipient.email_id == email_id).order_by(Recipient.id))
