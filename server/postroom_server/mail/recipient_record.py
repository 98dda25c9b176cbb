"""What is told of one recipient: its outcome, and where its delivery stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from postroom_server.clock import Millis
from postroom_server.store.models import Delivery, DeliveryState, MemberCopy, Recipient, RecipientState, Role

_WAITING = (DeliveryState.READY, DeliveryState.PREPARING)
COLUMNS: Sequence[Any] = (
    Recipient.id, Recipient.email_id, Recipient.delivery_id, Recipient.address, Recipient.role,
    Recipient.state, Recipient.last_code, Recipient.last_enhanced, Recipient.last_reply,
    Recipient.settle_time, Delivery.state, Delivery.tries, Delivery.run_at, Delivery.message_id,
    MemberCopy.user_id,
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class RecipientRecord:
    id: int
    email_id: int
    delivery_id: int
    address: str
    role: Role
    state: RecipientState
    code: int
    enhanced_code: str
    reply: str
    settle_time: Millis | None
    delivery_state: DeliveryState
    tries: int
    next_try_time: Millis | None
    message_id: str  # with angle brackets
    user_id: int = 0  # of the directory's member


def of_row(row: Sequence[Any]) -> RecipientRecord:
    """Makes a record of a row of `COLUMNS`."""
    (
        recipient_id, email_id, delivery_id, address, role, state, code, enhanced, reply, settle_time,
        delivery_state, tries, run_at, message_id, user_id,
    ) = row  # fmt: skip
    waits = state == RecipientState.OPEN and delivery_state in _WAITING
    return RecipientRecord(
        id=recipient_id,
        email_id=email_id,
        delivery_id=delivery_id,
        address=address,
        role=Role(role),
        state=RecipientState(state),
        code=code or 0,
        enhanced_code=enhanced or "",
        reply=reply or "",
        settle_time=settle_time,
        delivery_state=DeliveryState(delivery_state),
        tries=tries,
        next_try_time=run_at if waits else None,
        message_id=f"<{message_id}>",
        # Of those who get a copy beside a member the directory knows nothing.
        user_id=(user_id or 0) if role == Role.TO else 0,
    )
