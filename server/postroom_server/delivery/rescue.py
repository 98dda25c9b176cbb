"""Takes deliveries back from a process that died with them in its hands (delivery.md §2)."""

from __future__ import annotations

import dataclasses

from postroom_server.clock import Millis
from postroom_server.delivery.verdict import CRASHES_TO_HOLD, Outcome
from postroom_server.store import history, outcome
from postroom_server.store.history import Kind, event
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Attempt, Delivery, DeliveryState, Email, Recipient, RecipientState

_AT_ONCE = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Rescued:
    ready: int = 0
    held: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        return self.ready + self.held + self.unknown


def rescue(owner: int | None, mint: IdMint, now: Millis) -> Rescued:
    """Rescues up to 500 leased deliveries of a dead owner (None: of anybody). A unit of work; repeat until none.

    The dot mark tells whether an AT_MOST_ONCE mail may have left; for the others nobody can tell, which
    makes the crash an ambiguous one, and they are sent again.
    """
    query = Delivery.select().where(Delivery.state == DeliveryState.LEASED)
    if owner is not None:
        query = query.where(Delivery.lease_owner == owner)
    ready = held = unknown = 0
    for delivery in query.order_by(Delivery.lease_owner, Delivery.id).limit(_AT_ONCE):
        crashes = delivery.crash_count + 1
        left_perhaps = not delivery.at_most_once or delivery.phase == "DOT"
        if delivery.at_most_once and delivery.phase == "DOT":
            state = DeliveryState.DONE
            _end_as_unknown(delivery, now)
            unknown += 1
        elif crashes >= CRASHES_TO_HOLD:
            state = DeliveryState.HELD
            held += 1
        else:
            state = DeliveryState.READY
            ready += 1
        # The state and token are tested again: its owner may have come back to life in between.
        changed = (
            Delivery.update(state=state, lease_owner=None, run_at=now, crash_count=crashes)
            .where(
                (Delivery.id == delivery.id)
                & (Delivery.state == DeliveryState.LEASED)
                & (Delivery.lease_owner == delivery.lease_owner)
                & (Delivery.lease_token == delivery.lease_token)
            )
            .execute()
        )
        if changed:
            _note(delivery, state, left_perhaps, mint, now)
    return Rescued(ready, held, unknown)


def _end_as_unknown(delivery: Delivery, now: Millis) -> None:
    still_open = (Recipient.delivery_id == delivery.id) & (Recipient.state == RecipientState.OPEN)
    ids = [row.id for row in Recipient.select(Recipient.id).where(still_open)]
    Recipient.update(state=RecipientState.UNKNOWN, settle_time=now).where(Recipient.id.in_(ids)).execute()
    history.append(
        [
            event(
                delivery.tenant_id,
                Kind.RECIPIENT_SETTLED,
                now,
                email_id=delivery.email_id,
                delivery_id=delivery.id,
                recipient_id=id_,
                state=RecipientState.UNKNOWN.value,
                outcome=Outcome.CRASHED.value,
                ambiguous=True,
            )
            for id_ in ids
        ]
    )
    outcome.record([(delivery.email_id, RecipientState.UNKNOWN, len(ids))], now)


def _note(delivery: Delivery, state: DeliveryState, left_perhaps: bool, mint: IdMint, now: Millis) -> None:
    Attempt.insert(
        id=mint.one(),
        tenant_id=delivery.tenant_id,
        email_id=delivery.email_id,
        delivery_id=delivery.id,
        worker_id=delivery.lease_owner,
        outcome=Outcome.CRASHED,
        phase=delivery.phase,
        ambiguous=left_perhaps,
        accepted_count=0,
        refused_count=0,
        start_time=now,
        end_time=now,
    ).execute()
    if left_perhaps:
        Email.update(ambiguous_count=Email.ambiguous_count + 1).where(Email.id == delivery.email_id).execute()
    kinds = [Kind.DELIVERY_RESCUED, *([Kind.DELIVERY_HELD] if state is DeliveryState.HELD else [])]
    history.append(
        [
            event(
                delivery.tenant_id,
                kind,
                now,
                email_id=delivery.email_id,
                delivery_id=delivery.id,
                outcome=Outcome.CRASHED.value,
                ambiguous=left_perhaps,
            )
            for kind in kinds
        ]
    )
