"""The rows of a moment, and what must be true of them at any moment (delivery.md §2)."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

from postroom_server.clock import Millis
from postroom_server.store.models import Delivery, DeliveryState, Email, EmailState, Recipient, RecipientState

_ENDED = set(RecipientState) - {RecipientState.OPEN}
_COUNTERS = {
    RecipientState.OPEN: "open_count",
    RecipientState.DELIVERED: "delivered_count",
    RecipientState.REFUSED: "refused_count",
    RecipientState.EXPIRED: "expired_count",
    RecipientState.CANCELLED: "cancelled_count",
    RecipientState.SUPPRESSED: "suppressed_count",
    RecipientState.UNKNOWN: "unknown_count",
    RecipientState.BOUNCED: "bounced_count",
}


@dataclasses.dataclass(frozen=True)
class Snapshot:
    emails: dict[int, dict[str, Any]]
    deliveries: dict[int, dict[str, Any]]
    recipients: dict[int, dict[str, Any]]

    def of_delivery(self, delivery_id: int) -> list[dict[str, Any]]:
        return [row for row in self.recipients.values() if row["delivery_id"] == delivery_id]

    def check(self, now: Millis) -> None:
        by_email = collections.defaultdict[int, list[RecipientState]](list)
        by_delivery = collections.defaultdict[int, list[RecipientState]](list)
        for row in self.recipients.values():
            state = RecipientState(row["state"])
            by_email[row["email_id"]].append(state)
            by_delivery[row["delivery_id"]].append(state)
            assert (row["settle_time"] is None) == (state is RecipientState.OPEN), row
        for id_, email in self.emails.items():
            _check_email(email, by_email[id_])
        for id_, delivery in self.deliveries.items():
            _check_delivery(delivery, by_delivery[id_], now)


def take() -> Snapshot:
    """A unit that reads."""
    emails, deliveries, recipients = (
        {row["id"]: row for row in model.select().dicts()} for model in (Email, Delivery, Recipient)
    )
    return Snapshot(emails, deliveries, recipients)


def _check_email(email: dict[str, Any], states: list[RecipientState]) -> None:
    """Its counters are those of its recipients, and its state follows from them."""
    counts = collections.Counter(states)
    assert {state: email[column] for state, column in _COUNTERS.items()} == {
        state: counts[state] for state in _COUNTERS
    }, email
    assert email["recipient_count"] == len(states)
    everybody = counts[RecipientState.DELIVERED] == len(states)
    ended = EmailState.SUCCESS if everybody else EmailState.FAILURE
    assert email["state"] == (EmailState.PENDING if counts[RecipientState.OPEN] else ended), email
    assert (email["settle_time"] is None) == (email["state"] == EmailState.PENDING), email


def _check_delivery(delivery: dict[str, Any], states: list[RecipientState], now: Millis) -> None:
    """Whoever is open has a delivery with a way forward, and nobody else is tried again."""
    state = DeliveryState(delivery["state"])
    if state in (DeliveryState.DONE, DeliveryState.CANCELLED):
        assert RecipientState.OPEN not in states, delivery
    else:
        # A lease may outlive its recipients: late evidence settles them under somebody else's.
        assert RecipientState.OPEN in states or state is DeliveryState.LEASED, delivery
    assert (delivery["lease_owner"] is not None) == (state is DeliveryState.LEASED), delivery
    if state is DeliveryState.READY:
        # Nobody is left to wait beyond the end of their time, when they expire.
        assert delivery["run_at"] <= max(delivery["expire_time"], now), delivery
    if state is DeliveryState.HELD:
        assert delivery["crash_count"] >= 3, delivery
    if state in (DeliveryState.READY, DeliveryState.LEASED):
        assert delivery["crash_count"] < 3, delivery
    if state in (DeliveryState.READY, DeliveryState.HELD):
        assert not delivery["cancel_requested"], delivery
    assert 0 <= delivery["transactions"] <= delivery["lease_token"], delivery


def moves(before: Snapshot, after: Snapshot) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Which states deliveries and recipients went through."""
    found = tuple(
        {(old[id_]["state"], new[id_]["state"]) for id_ in old if old[id_]["state"] != new[id_]["state"]}
        for old, new in ((before.deliveries, after.deliveries), (before.recipients, after.recipients))
    )
    return found[0], found[1]


def ways(*pairs: str) -> set[tuple[str, str]]:
    """`READY>LEASED`, as pairs."""
    return {(old, new) for old, _, new in (pair.partition(">") for pair in pairs)}


ENDS = {("OPEN", state.value) for state in _ENDED}
