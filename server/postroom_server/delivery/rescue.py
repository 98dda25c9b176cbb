"""Takes deliveries back from a process that died with them in its hands (delivery.md §2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import peewee

from postroom_server.clock import Millis
from postroom_server.delivery.codes import hand_over_at_dot
from postroom_server.delivery.lease import ALONE
from postroom_server.delivery.marks import DOT, WAITING
from postroom_server.delivery.sheet import FINISH_IF_SETTLED
from postroom_server.delivery.verdict import CRASHES_TO_HOLD, Outcome
from postroom_server.failpoints import reach
from postroom_server.store import history, outcome
from postroom_server.store.history import Kind, event
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Attempt, Delivery, DeliveryState, Email, Recipient, RecipientState

_AT_ONCE = 500

# Whoever has been leased so often is suspected again, even if it only waited: something must end its crashes.
_BEYOND_SUSPICION = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Rescued:
    ready: int = 0
    held: int = 0
    ended: int = 0
    ambiguous: int = 0  # of all of these: those of which nobody knows whether they left

    @property
    def total(self) -> int:
        return self.ready + self.held + self.ended


def rescue(owner: int | None, mint: IdMint, now: Millis) -> Rescued:
    """Rescues up to 500 leased deliveries of a dead owner (None: of anybody). A unit; repeat until none.

    The dot mark tells whether an AT_MOST_ONCE mail may have left; for the others nobody can tell, which
    makes the crash an ambiguous one, and they are sent again unless a cancel was asked for.
    """
    query = Delivery.select().where(Delivery.state == peewee.SQL("'LEASED'"))
    if owner is not None:
        query = query.where(Delivery.lease_owner == owner)
    return _rescue(query.order_by(Delivery.lease_owner, Delivery.id).limit(_AT_ONCE), mint, now)


def rescue_one(owner: int, delivery_id: int, token: int, mint: IdMint, now: Millis) -> Rescued:
    """Rescues one delivery from a living owner who cannot settle it. A unit."""
    lease = (Delivery.lease_owner == owner) & (Delivery.lease_token == token)
    leased = (Delivery.id == delivery_id) & (Delivery.state == DeliveryState.LEASED)
    return _rescue(Delivery.select().where(leased & lease), mint, now)


def _rescue(query: Iterable[Delivery], mint: IdMint, now: Millis) -> Rescued:
    counts = dict.fromkeys((DeliveryState.READY, DeliveryState.HELD, DeliveryState.DONE), 0)
    ambiguous = 0
    for delivery in list(query):
        left_perhaps = not delivery.at_most_once or delivery.phase == DOT
        crash_count = delivery.crash_count + int(_is_blamed(delivery))
        state, ends_as = _fate(delivery, left_perhaps, crash_count)
        # Tested again: its owner may have come back to life in between.
        changed = (
            Delivery.update(
                state=state,
                lease_owner=None,
                lane=delivery.lane % ALONE + ALONE,
                # A server's trial is kept from the engine by a time far ahead.
                run_at=max(now, delivery.run_at),
                crash_count=crash_count,
            )
            .where(
                (Delivery.id == delivery.id)
                & (Delivery.state == DeliveryState.LEASED)
                & (Delivery.lease_owner == delivery.lease_owner)
                & (Delivery.lease_token == delivery.lease_token)
            )
            .execute()
        )
        reach("during_rescue")
        if changed:
            if ends_as is not None:
                _end(delivery, ends_as, left_perhaps, now)
            elif FINISH_IF_SETTLED.change(id=delivery.id):
                state = DeliveryState.DONE
            counts[DeliveryState.DONE if ends_as else state] += 1
            _note(delivery, state, left_perhaps, mint, now)
            ambiguous += left_perhaps
    ready, held, ended = counts.values()
    return Rescued(ready, held, ended, ambiguous)


def _is_blamed(delivery: Delivery) -> bool:
    """Whether the crash may have been this mail's doing: not, when it only waited for a server's answer."""
    return delivery.phase != WAITING or delivery.transactions > _BEYOND_SUSPICION


def _fate(
    delivery: Delivery, left_perhaps: bool, crash_count: int
) -> tuple[DeliveryState, RecipientState | None]:
    """The delivery's state, and that of its open recipients where they end with it."""
    if delivery.cancel_requested:
        # Nobody waits for it any more.
        return DeliveryState.CANCELLED, RecipientState.UNKNOWN if left_perhaps else RecipientState.CANCELLED
    if delivery.at_most_once and left_perhaps:
        return DeliveryState.DONE, RecipientState.UNKNOWN
    if crash_count >= CRASHES_TO_HOLD and _is_blamed(delivery):
        return DeliveryState.HELD, None
    return DeliveryState.READY, None


def _end(delivery: Delivery, state: RecipientState, ambiguous: bool, now: Millis) -> None:
    still_open = (Recipient.delivery_id == delivery.id) & (Recipient.state == RecipientState.OPEN)
    ids = [row.id for row in Recipient.select(Recipient.id).where(still_open)]
    if not ids:
        return
    Recipient.update(state=state, settle_time=now).where(Recipient.id.in_(ids)).execute()
    if state is RecipientState.UNKNOWN:
        hand_over_at_dot([delivery.id], now)
    history.append(
        [
            event(
                delivery.tenant_id,
                Kind.RECIPIENT_SETTLED,
                now,
                email_id=delivery.email_id,
                delivery_id=delivery.id,
                recipient_id=id_,
                state=state.value,
                outcome=Outcome.CRASHED.value,
                ambiguous=ambiguous,
            )
            for id_ in ids
        ]
    )
    outcome.record([(delivery.email_id, state, len(ids))], now)


def _note(delivery: Delivery, state: DeliveryState, left_perhaps: bool, mint: IdMint, now: Millis) -> None:
    Attempt.insert(
        id=mint.one(),
        tenant_id=delivery.tenant_id,
        email_id=delivery.email_id,
        delivery_id=delivery.id,
        worker_id=delivery.lease_owner,
        outcome=Outcome.CRASHED,
        phase=DOT if delivery.phase == DOT else None,
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
