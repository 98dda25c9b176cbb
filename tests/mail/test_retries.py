"""What failed for good is opened again on demand; what is held is let go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from delivery.ledgers import take
from fakes import NOON, ManualClock
from postroom_server.clock import HOUR, MINUTE
from postroom_server.delivery.lease import ALONE
from postroom_server.mail.changes import Changes
from postroom_server.mail.limits import Limits
from postroom_server.mail.retries import Retries
from postroom_server.refusals import Reason, Refusal
from postroom_server.store import suppressed
from postroom_server.store.history import START, read_after
from postroom_server.store.ids import IdMint
from postroom_server.store.models import (
    Attachment,
    Delivery,
    Email,
    Preparation,
    Recipient,
    Suppression,
    SuppressionReason,
    TemplateVersion,
)
from postroom_server.store.unit import Store
from stored_mail import deliveries_of, put_email, recipients_of

pytestmark = pytest.mark.every_database
LATER = NOON + 50 * HOUR
FIVE = tuple(f"{name}@example.com" for name in "abcde")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(LATER)


@pytest.fixture
def retries(clock: ManualClock) -> Retries:
    return Retries(clock, Limits())


def put_ended(*states: str, delivery: dict[str, Any] | None = None, **columns: Any) -> int:
    """An email whose recipients, a delivery each, have ended so."""
    email_id = put_email(
        to=FIVE[: len(states)],
        delivery={"state": "DONE", "tries": 7, "transactions": 9, **(delivery or {})},
        **columns,
    )
    for recipient, state in zip(recipients_of(email_id), states, strict=True):
        ended = None if state == "OPEN" else NOON
        Recipient.update(state=state, settle_time=ended).where(Recipient.id == recipient.id).execute()
        if state == "OPEN":
            Delivery.update(state="READY").where(Delivery.id == recipient.delivery_id).execute()
    counts = {f"{state.lower()}_count": states.count(state) for state in states}
    ended = None if "OPEN" in states else NOON
    state = "PENDING" if "OPEN" in states else "FAILURE"
    changes = {"open_count": 0, **counts, "settle_time": ended, "state": state}
    Email.update(changes).where(Email.id == email_id).execute()
    return email_id


def counts(email_id: int) -> dict[str, int]:
    row = Email.select().where(Email.id == email_id).dicts().get()
    return {name: row[name] for name in row if name.endswith("_count") and row[name] and name[0] != "a"}


def row(email_id: int) -> Email:
    return Email.get_by_id(email_id)


def told() -> list[tuple[str, int | None]]:
    return [(str(event.kind), event.delivery_id) for event in read_after(1, START, 100)]


async def reason_of(store: Store, unit: Any, *args: Any) -> Reason:
    with pytest.raises(Refusal) as caught:
        await store.write(unit, *args)
    return caught.value.reason


async def states(store: Store, email_id: int) -> Sequence[tuple[str, str]]:
    deliveries = await store.read(deliveries_of, email_id)
    recipients = await store.read(recipients_of, email_id)
    return [(d.state, r.state) for d, r in zip(deliveries, recipients, strict=True)]


async def test_what_failed_for_good_is_opened_and_nothing_else(store: Store, retries: Retries) -> None:
    ended = ("DELIVERED", "REFUSED", "EXPIRED", "UNKNOWN", "BOUNCED")
    email_id = await store.write(put_ended, *ended, failure_reason="ATTACHMENT")
    assert await store.write(retries.retry, 1, email_id) == 3
    assert await states(store, email_id) == [
        ("DONE", "DELIVERED"), ("READY", "OPEN"), ("READY", "OPEN"), ("READY", "OPEN"), ("DONE", "BOUNCED"),
    ]  # fmt: skip
    assert await store.read(counts, email_id) == {
        "recipient_count": 5, "open_count": 3, "delivered_count": 1, "bounced_count": 1,
    }  # fmt: skip
    email = await store.read(row, email_id)
    assert (email.state, email.settle_time, email.failure_reason) == ("PENDING", None, None)
    opened = (await store.read(recipients_of, email_id))[1:4]
    assert [recipient.settle_time for recipient in opened] == [None] * 3
    assert await store.read(told) == [("EMAIL_RETRIED", None)]


async def test_the_suppressed_and_the_cancelled_stay_as_they_are(store: Store, retries: Retries) -> None:
    email_id = await store.write(put_ended, "SUPPRESSED", "CANCELLED", "DELIVERED")
    before = await states(store, email_id)
    assert await reason_of(store, retries.retry, 1, email_id) is Reason.NOTHING_TO_RETRY
    assert await states(store, email_id) == before
    assert await store.read(told) == []


async def test_the_budget_is_fresh(store: Store, retries: Retries) -> None:
    email_id = await store.write(put_ended, "EXPIRED")
    await store.write(retries.retry, 1, email_id)
    (delivery,) = await store.read(deliveries_of, email_id)
    assert (delivery.tries, delivery.run_at, delivery.expire_time) == (0, LATER, LATER + 48 * HOUR)
    assert delivery.transactions == 9  # it has been attempted, and is not to be rescheduled
    assert (await store.read(row, email_id)).expire_time == LATER + 48 * HOUR
    (leased,) = await store.write(take, now=LATER)
    assert [recipient.is_open for recipient in leased.recipients] == [True]


async def test_an_expire_time_farther_off_stays(store: Store, retries: Retries) -> None:
    far = LATER + 100 * HOUR
    email_id = await store.write(put_ended, "REFUSED", expire_time=far)
    await store.write(retries.retry, 1, email_id)
    (delivery,) = await store.read(deliveries_of, email_id)
    assert (delivery.expire_time, (await store.read(row, email_id)).expire_time) == (far, far)


async def test_repeating_has_nothing_to_retry_until_it_fails_again(store: Store, retries: Retries) -> None:
    email_id = await store.write(put_ended, "UNKNOWN", delivery={"at_most_once": True})
    assert await store.write(retries.retry, 1, email_id) == 1
    assert await reason_of(store, retries.retry, 1, email_id) is Reason.NOTHING_TO_RETRY

    def fail_again() -> None:
        Recipient.update(state="REFUSED").execute()
        Delivery.update(state="DONE").execute()
        Email.update(open_count=0, refused_count=1, state="FAILURE").execute()

    await store.write(fail_again)
    assert await store.write(retries.retry, 1, email_id) == 1
    assert await store.read(counts, email_id) == {"recipient_count": 1, "open_count": 1}


async def test_a_delivery_that_was_cancelled_under_way_goes_out_again(store: Store, retries: Retries) -> None:
    of = {"state": "CANCELLED", "cancel_requested": True}
    email_id = await store.write(put_ended, "UNKNOWN", delivery=of)
    await store.write(retries.retry, 1, email_id)
    (delivery,) = await store.read(deliveries_of, email_id)
    assert (delivery.state, bool(delivery.cancel_requested)) == ("READY", False)


async def test_an_email_of_which_some_still_waits_is_retried_in_part(store: Store, retries: Retries) -> None:
    email_id = await store.write(put_ended, "REFUSED", "OPEN")
    assert await store.write(retries.retry, 1, email_id) == 1
    assert await states(store, email_id) == [("READY", "OPEN"), ("READY", "OPEN")]
    first, second = await store.read(deliveries_of, email_id)
    assert (first.tries, second.tries) == (0, 7)
    assert await store.read(counts, email_id) == {"recipient_count": 2, "open_count": 2}


@pytest.mark.parametrize("state", ["LEASED", "HELD", "PREPARING"])
async def test_what_is_in_other_hands_is_passed_over(store: Store, retries: Retries, state: str) -> None:
    email_id = await store.write(put_ended, "REFUSED", delivery={"state": state})
    assert await reason_of(store, retries.retry, 1, email_id) is Reason.NOTHING_TO_RETRY
    assert await states(store, email_id) == [(state, "REFUSED")]


async def test_an_email_that_lacks_a_file_is_prepared_first(store: Store, retries: Retries) -> None:
    email_id = await store.write(put_ended, "EXPIRED", "EXPIRED", delivery={"lane": 2 + ALONE})

    def attach() -> None:
        Attachment.insert(
            id=1,
            tenant_id=1,
            email_id=email_id,
            position=0,
            name="a",
            content_type="text/plain",
            url="https://x",
        ).execute()

    await store.write(attach)
    assert await store.write(retries.retry, 1, email_id) == 2
    assert await states(store, email_id) == [("PREPARING", "OPEN")] * 2
    (waits,) = await store.read(lambda: list(Preparation.select().tuples()))
    assert waits == (email_id, 1, 2, LATER, 0)


async def test_a_verification_mail_is_not_opened_again(store: Store, retries: Retries) -> None:
    email_id = await store.write(put_ended, "EXPIRED", verification=True, validity=5 * MINUTE)
    assert await reason_of(store, retries.retry, 1, email_id) is Reason.NOTHING_TO_RETRY


async def test_what_was_retried_can_be_cancelled(store: Store, retries: Retries, clock: ManualClock) -> None:
    email_id = await store.write(put_ended, "REFUSED", "DELIVERED")
    await store.write(retries.retry, 1, email_id)
    assert (await store.write(Changes(clock, Limits()).cancel, 1, email_id)).cancelled_count == 1
    assert await store.read(counts, email_id) == {
        "recipient_count": 2, "delivered_count": 1, "cancelled_count": 1,
    }  # fmt: skip


async def test_foreign_deleted_and_unknown_emails_are_not_found(store: Store, retries: Retries) -> None:
    foreign = await store.write(put_ended, "REFUSED", tenant_id=2)
    deleted = await store.write(put_ended, "REFUSED", delete_time=NOON)
    for email_id in (foreign, deleted, 5):
        for unit in (retries.retry, retries.release):
            assert await reason_of(store, unit, 1, email_id) is Reason.EMAIL_NOT_FOUND
    assert await states(store, foreign) == [("DONE", "REFUSED")]


# Release.


async def test_held_deliveries_go_on(store: Store, retries: Retries) -> None:
    of = {"state": "HELD", "crash_count": 3, "lane": 1 + ALONE, "tries": 2}
    email_id = await store.write(put_email, to=FIVE[:2], delivery=of)
    ids = [row.id for row in await store.read(deliveries_of, email_id)]
    assert await store.write(retries.release, 1, email_id) == 2
    for delivery in await store.read(deliveries_of, email_id):
        assert (delivery.state, delivery.run_at, delivery.crash_count) == ("READY", LATER, 0)
        assert (delivery.lane, delivery.tries) == (1 + ALONE, 2)
    assert await store.read(told) == [("DELIVERY_RELEASED", id_) for id_ in ids]
    assert await reason_of(store, retries.release, 1, email_id) is Reason.NOT_HELD


@pytest.mark.parametrize("state", ["READY", "LEASED", "DONE", "CANCELLED", "PREPARING"])
async def test_what_is_not_held_is_not_released(store: Store, retries: Retries, state: str) -> None:
    email_id = await store.write(put_email, delivery={"state": state})
    assert await reason_of(store, retries.release, 1, email_id) is Reason.NOT_HELD
    assert (await store.read(deliveries_of, email_id))[0].state == state


def put_listed(address: str, reason: SuppressionReason) -> None:
    suppressed.put([suppressed.Entry(1, address, reason)], IdMint(ManualClock(LATER)), LATER)


async def test_whom_the_list_holds_back_stays_as_they_ended(store: Store, retries: Retries) -> None:
    email_id = await store.write(put_ended, "REFUSED", "REFUSED", "DELIVERED")
    await store.write(put_listed, "A@example.com", SuppressionReason.REFUSED)
    assert await store.write(retries.retry, 1, email_id) == 1
    assert await states(store, email_id) == [("DONE", "REFUSED"), ("READY", "OPEN"), ("DONE", "DELIVERED")]
    assert (await store.read(counts, email_id))["refused_count"] == 1


async def test_once_taken_off_the_list_they_are_opened(store: Store, retries: Retries) -> None:
    email_id = await store.write(put_ended, "REFUSED")
    await store.write(put_listed, FIVE[0], SuppressionReason.REFUSED)
    assert await reason_of(store, retries.retry, 1, email_id) is Reason.NOTHING_TO_RETRY
    assert await states(store, email_id) == [("DONE", "REFUSED")]
    await store.write(lambda: Suppression.delete().execute())
    assert await store.write(retries.retry, 1, email_id) == 1


async def test_mail_that_sets_the_list_aside_is_opened_all_the_same(store: Store, retries: Retries) -> None:
    email_id = await store.write(put_ended, "REFUSED", ignore_suppression=True)
    await store.write(put_listed, FIVE[0], SuppressionReason.REFUSED)
    assert await store.write(retries.retry, 1, email_id) == 1


@pytest.mark.parametrize(("kind", "is_opened"), [("BATCH", False), ("TRIGGER", True), (None, True)])
async def test_who_unsubscribed_gets_what_is_not_sent_to_many(
    store: Store, retries: Retries, kind: str | None, is_opened: bool
) -> None:
    def put_version() -> None:
        TemplateVersion.create(
            id=77, tenant_id=1, template_id=1, number=1, name="n", kind=kind or "TRIGGER", syntax="PERCENT",
            default_language="en", author="a", create_time=NOON, review_state="APPROVED",
        )  # fmt: skip

    await store.write(put_version)
    email_id = await store.write(put_ended, "EXPIRED", template_version_id=77 if kind else None)
    await store.write(put_listed, FIVE[0], SuppressionReason.UNSUBSCRIBED)
    try:
        count = await store.write(retries.retry, 1, email_id)
    except Refusal:
        count = 0
    assert count == int(is_opened)
