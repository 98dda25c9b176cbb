"""A message that was delivered came back: its recipient is BOUNCED, and its email stays SUCCESS."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fakes import NOON, ManualClock
from postroom_server.mail import delivery_rows
from postroom_server.mail.bounces import BounceForm, Bounces, Reported
from postroom_server.refusals import Reason, Refusal, Violation
from postroom_server.store import outcome
from postroom_server.store.history import START, read_after
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Delivery, Email, Recipient, RecipientState, Suppression
from postroom_server.store.unit import Store
from refusing import refusal_of
from stored_mail import deliveries_of, put_email, recipients_of

pytestmark = pytest.mark.every_database
ANN = "Ann@example.com"
CLOCK = ManualClock(NOON + 5)
BOUNCES = Bounces(CLOCK, IdMint(CLOCK))
FORM = BounceForm(delivery_id=1)


def put_delivered(*to: str, shared: bool = False, **columns: Any) -> int:
    """A sent email; `shared` makes the others of `to` copies on the first one's message."""
    to, cc = (to[:1], to[1:]) if shared else (to, ())
    email_id = put_email(to=to or (ANN,), cc=cc, delivery={"state": "DONE"}, **columns)
    changed = Recipient.update(state="DELIVERED", settle_time=NOON, last_code=250).where(
        Recipient.email_id == email_id
    )
    outcome.record([(email_id, RecipientState.DELIVERED, changed.execute())], NOON)
    for delivery in deliveries_of(email_id):
        named = delivery_rows.message_id(delivery.id, "example.com")
        Delivery.update(message_id=named).where(Delivery.id == delivery.id).execute()
    return email_id


async def report(store: Store, tenant_id: int = 1, **form: Any) -> Reported:
    bounce = BOUNCES.check(BounceForm(**{"delivery_id": None, **form}))
    return await store.write(BOUNCES.report, tenant_id, bounce)


def first(email_id: int) -> tuple[Email, Delivery, Recipient]:
    return Email.get_by_id(email_id), deliveries_of(email_id)[0], recipients_of(email_id)[0]


def listed() -> list[Any]:
    rows = Suppression.select().order_by(Suppression.id)
    return [(row.tenant_id, row.address, row.reason, row.email_id) for row in rows]


async def test_a_bounce_changes_the_recipient_and_not_the_emails_success(store: Store) -> None:
    email_id = await store.write(put_delivered)
    _, delivery, before = await store.read(first, email_id)
    reported = await report(
        store, delivery_id=delivery.id, code=550, enhanced_code="5.7.1", reply="No\r\nthanks" + "x" * 600
    )
    assert reported == Reported(email_id, before.id, RecipientState.BOUNCED, changed=True)
    email, _, recipient = await store.read(first, email_id)
    assert (email.state, email.delivered_count, email.bounced_count, email.settle_time) == (
        "SUCCESS", 0, 1, NOON,
    )  # fmt: skip
    assert (recipient.state, recipient.settle_time) == ("BOUNCED", NOON + 5)
    assert (recipient.last_code, recipient.last_enhanced) == (550, "5.7.1")
    assert recipient.last_reply.startswith("No??thanks")
    assert len(recipient.last_reply) == 512
    event = (await store.read(read_after, 1, START, 100))[-1]
    assert (str(event.kind), event.delivery_id, event.recipient_id) == (
        "RECIPIENT_BOUNCED", delivery.id, recipient.id,
    )  # fmt: skip
    assert (event.state, event.code, event.enhanced, event.time) == ("BOUNCED", 550, "5.7.1", NOON + 5)
    assert await store.read(listed) == []


async def test_reporting_again_changes_nothing(store: Store) -> None:
    email_id = await store.write(put_delivered)
    _, delivery, _ = await store.read(first, email_id)
    await report(store, delivery_id=delivery.id, code=550)
    events = await store.read(read_after, 1, START, 100)
    again = await report(store, delivery_id=delivery.id, code=551)
    email, _, recipient = await store.read(first, email_id)
    assert (again.changed, again.state) == (False, RecipientState.BOUNCED)
    assert (recipient.last_code, email.bounced_count) == (550, 1)
    assert await store.read(read_after, 1, START, 100) == events


@pytest.mark.parametrize("state", sorted(set(RecipientState) - {"DELIVERED"}))
async def test_only_the_delivered_change(store: Store, state: str) -> None:
    email_id = await store.write(put_delivered)

    def set_state() -> None:
        Recipient.update(state=state).execute()

    await store.write(set_state)
    _, delivery, _ = await store.read(first, email_id)
    reported = await report(store, delivery_id=delivery.id, enhanced_code="5.1.1")
    assert (reported.changed, reported.state) == (False, state)
    assert await store.read(listed) == []


@pytest.mark.parametrize(
    ("enhanced", "lists"),
    [("5.1.1", True), ("5.1.10", True), ("5.2.1", True), ("5.2.2", False), ("5.7.1", False), ("4.4.7", False),
     ("5.1.2", False), ("", False)],
)  # fmt: skip
async def test_an_address_that_is_no_good_is_listed(store: Store, enhanced: str, lists: bool) -> None:
    email_id = await store.write(put_delivered)
    _, delivery, _ = await store.read(first, email_id)
    await report(store, delivery_id=delivery.id, code=550, enhanced_code=enhanced)
    assert await store.read(listed) == ([(1, ANN, "BOUNCED", email_id)] if lists else [])


async def test_a_message_is_found_by_its_message_id(store: Store) -> None:
    email_id = await store.write(put_delivered)
    _, delivery, _ = await store.read(first, email_id)
    assert (await report(store, message_id=f"<{delivery.message_id}>")).email_id == email_id
    assert (await report(store, message_id=delivery.message_id)).changed is False


async def test_what_is_none_of_ours_is_not_found(store: Store) -> None:
    email_id = await store.write(put_delivered)
    foreign = await store.write(put_delivered, tenant_id=2)
    _, delivery, _ = await store.read(first, email_id)
    _, theirs, _ = await store.read(first, foreign)
    for wrong in (
        {"delivery_id": 5},
        {"delivery_id": 0},
        {"delivery_id": -1},
        {"delivery_id": theirs.id},
        {"message_id": theirs.message_id},
        # Who knows ids knows no Message-IDs: half of one is random.
        {"message_id": f"{delivery.id:x}.0000000000000000@example.com"},
        {"message_id": "CAF1.x@mail.example"},
        {"message_id": "ffffffffffffffff.0@example.com"},
        {"message_id": "no id"},
        {"delivery_id": delivery.id, "address": "bob@example.com"},
    ):
        assert (await refusal_of(report(store, **wrong))).reason is Reason.DELIVERY_NOT_FOUND, wrong


async def test_of_a_shared_message_the_address_tells_who(store: Store) -> None:
    email_id = await store.write(put_delivered, ANN, "bob@example.com", "BOB@example.com", shared=True)
    _, delivery, _ = await store.read(first, email_id)
    without = await refusal_of(report(store, delivery_id=delivery.id))
    assert [v.field for v in without.violations] == ["address"]
    await report(store, delivery_id=delivery.id, address="ann@EXAMPLE.com")
    await report(store, delivery_id=delivery.id, address="BOB@example.com")
    assert {row.address: row.state for row in await store.read(recipients_of, email_id)} == {
        ANN: "BOUNCED", "bob@example.com": "DELIVERED", "BOB@example.com": "BOUNCED",
    }  # fmt: skip


async def test_the_time_of_the_bounce_is_kept_unless_it_lies_ahead(store: Store) -> None:
    for given, kept in ((NOON - 7, NOON - 7), (NOON + 99, NOON + 5)):
        email_id = await store.write(put_delivered)
        _, delivery, _ = await store.read(first, email_id)
        await report(store, delivery_id=delivery.id, time=given)
        assert (await store.read(first, email_id))[2].settle_time == kept


async def test_a_deleted_email_takes_reports_too(store: Store) -> None:
    email_id = await store.write(put_delivered, delete_time=NOON)
    _, delivery, _ = await store.read(first, email_id)
    assert (await report(store, message_id=delivery.message_id)).changed


async def test_an_email_that_still_waits_for_others_succeeds_all_the_same(store: Store) -> None:
    email_id = await store.write(put_email, to=(ANN, "bob@example.com"))

    def deliver(place: int) -> int:
        recipient = recipients_of(email_id)[place]
        Recipient.update(state="DELIVERED").where(Recipient.id == recipient.id).execute()
        outcome.record([(email_id, RecipientState.DELIVERED, 1)], NOON)
        return int(recipient.delivery_id)

    await report(store, delivery_id=await store.write(deliver, 0))
    await store.write(deliver, 1)
    email, _, _ = await store.read(first, email_id)
    assert (email.state, email.delivered_count, email.bounced_count) == ("SUCCESS", 1, 1)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"delivery_id": None}, ["target"]),
        ({"delivery_id": None, "message_id": " <> "}, ["target"]),
        ({"code": 399}, ["code"]),
        ({"code": 600}, ["code"]),
        ({"code": -1}, ["code"]),
        ({"enhanced_code": "2.0.0"}, ["enhanced_code"]),
        ({"enhanced_code": "5.1.1 x"}, ["enhanced_code"]),
        ({"address": "bad"}, ["address"]),
        ({"unreadable": (Violation("bounce_time", "x"),), "code": 1}, ["bounce_time", "code"]),
        ({"code": 400}, []),
        ({"code": 599, "enhanced_code": "4.999.999"}, []),
    ],
)
def test_what_is_wrong_with_a_report_is_named(changes: dict[str, Any], fields: list[str]) -> None:
    try:
        BOUNCES.check(dataclasses.replace(FORM, **changes))
        found = []
    except Refusal as refusal:
        found = [violation.field for violation in refusal.violations]
    assert found == fields
