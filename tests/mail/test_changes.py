"""What has not left can be taken back; what has left cannot, and the answer says so."""

from __future__ import annotations

from typing import Any

import pytest

from fakes import NOON, ManualClock
from postroom_server.clock import DAY, HOUR
from postroom_server.mail.changes import Cancelled, Changes
from postroom_server.mail.limits import Limits
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.history import START, read_after
from postroom_server.store.models import Delivery, Email, Recipient
from postroom_server.store.unit import Store
from stored_mail import deliveries_of, put_email, recipients_of

THREE = ("a@example.com", "b@example.com", "c@example.com")
LIMITS = Limits()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def changes(clock: ManualClock) -> Changes:
    return Changes(clock, LIMITS)


def row(email_id: int) -> Email:
    return Email.get_by_id(email_id)


def states(email_id: int) -> tuple[list[str], list[str]]:
    """The states of the deliveries and of the recipients."""
    return [d.state for d in deliveries_of(email_id)], [r.state for r in recipients_of(email_id)]


def kinds() -> list[tuple[str, str | None]]:
    return [(str(event.kind), event.state) for event in read_after(1, START, 100)]


def set_delivery(email_id: int, position: int, **columns: Any) -> int:
    at = (Delivery.email_id == email_id) & (Delivery.position == position)
    Delivery.update(**columns).where(at).execute()
    return int(Delivery.get(at).id)


def lease(email_id: int, position: int) -> int:
    return set_delivery(email_id, position, state="LEASED", lease_owner=1, transactions=1)


def deliver(email_id: int, position: int) -> None:
    delivery_id = set_delivery(email_id, position, state="DONE", transactions=1)
    Recipient.update(state="DELIVERED", settle_time=NOON).where(
        Recipient.delivery_id == delivery_id
    ).execute()
    counted = {"open_count": Email.open_count - 1, "delivered_count": Email.delivered_count + 1}
    Email.update(**counted).where(Email.id == email_id).execute()


# Cancel.


@pytest.mark.every_database
async def test_cancelling_what_waits_ends_the_email(store: Store, changes: Changes) -> None:
    email_id = await store.write(put_email, to=THREE)
    cancelled = await store.write(changes.cancel, 1, email_id)
    email = await store.read(row, email_id)
    assert cancelled == Cancelled(3, 0, 0, [])
    assert await store.read(states, email_id) == (["CANCELLED"] * 3, ["CANCELLED"] * 3)
    assert (email.state, email.settle_time, email.cancelled_count, email.open_count) == (
        "FAILURE",
        NOON,
        3,
        0,
    )
    assert await store.read(kinds) == [
        ("EMAIL_CANCELLED", None),
        *[("RECIPIENT_SETTLED", "CANCELLED")] * 3,
        ("EMAIL_SETTLED", "FAILURE"),
    ]


@pytest.mark.every_database
async def test_what_is_leased_is_asked_for_and_stays_open(store: Store, changes: Changes) -> None:
    email_id = await store.write(put_email, to=THREE)
    leased = await store.write(lease, email_id, 1)
    await store.write(deliver, email_id, 2)
    cancelled = await store.write(changes.cancel, 1, email_id)
    deliveries = await store.read(deliveries_of, email_id)
    assert cancelled == Cancelled(1, 1, 1, [leased])
    assert await store.read(states, email_id) == (
        ["CANCELLED", "LEASED", "DONE"],
        ["CANCELLED", "OPEN", "DELIVERED"],
    )
    assert [bool(d.cancel_requested) for d in deliveries] == [True, True, False]
    assert (await store.read(row, email_id)).state == "PENDING"


@pytest.mark.parametrize("state", ["PREPARING", "READY", "HELD"])
async def test_whatever_is_not_in_a_workers_hands_is_cancelled(
    store: Store, changes: Changes, state: str
) -> None:
    email_id = await store.write(put_email, delivery={"state": state})
    assert (await store.write(changes.cancel, 1, email_id)).cancelled_count == 1
    assert (await store.read(row, email_id)).state == "FAILURE"


async def test_cancelling_again_answers_the_counts_as_they_are_and_does_nothing(
    store: Store, changes: Changes
) -> None:
    email_id = await store.write(put_email, to=THREE)
    await store.write(lease, email_id, 0)
    first = await store.write(changes.cancel, 1, email_id)
    events = await store.read(kinds)
    again = await store.write(changes.cancel, 1, email_id)
    assert (first.cancelled_count, first.in_flight_count) == (2, 1)
    assert again == Cancelled(2, 1, 0, [])
    assert await store.read(kinds) == events


async def test_a_cancel_after_everything_has_left_is_too_late(store: Store, changes: Changes) -> None:
    email_id = await store.write(put_email)
    await store.write(deliver, email_id, 0)
    with pytest.raises(Refusal) as caught:
        await store.write(changes.cancel, 1, email_id)
    assert caught.value.reason is Reason.TOO_LATE
    assert await store.read(kinds) == []


async def test_foreign_deleted_and_unknown_emails_are_not_found(store: Store, changes: Changes) -> None:
    foreign = await store.write(put_email, tenant_id=2)
    deleted = await store.write(put_email, delete_time=NOON)
    for email_id in (foreign, deleted, 5):
        for change in (lambda i: changes.cancel(1, i), lambda i: changes.reschedule(1, i, NOON + HOUR)):
            with pytest.raises(Refusal) as caught:
                await store.write(change, email_id)
            assert caught.value.reason is Reason.EMAIL_NOT_FOUND
    assert await store.read(states, foreign) == (["READY"], ["OPEN"])


# Delete.


@pytest.mark.every_database
async def test_a_deleted_email_is_hidden_and_what_has_not_left_is_cancelled(
    store: Store, changes: Changes
) -> None:
    one = await store.write(put_email, to=THREE)
    two = await store.write(put_email)
    kept = await store.write(put_email)
    leased = await store.write(lease, one, 2)
    deleted = await store.write(changes.delete, 1, [one, two])
    assert (deleted.count, deleted.leased) == (2, [leased])
    assert (await store.read(states, one))[1] == ["CANCELLED", "CANCELLED", "OPEN"]
    assert [(await store.read(row, i)).delete_time for i in (one, two, kept)] == [NOON, NOON, None]
    assert await store.read(states, kept) == (["READY"], ["OPEN"])
    told = [kind for kind, _ in await store.read(kinds)]
    assert (told.count("EMAIL_DELETED"), told.count("EMAIL_SETTLED"), told.count("EMAIL_CANCELLED")) == (
        2,
        1,
        0,
    )


async def test_foreign_unknown_and_deleted_ids_are_passed_over(store: Store, changes: Changes) -> None:
    own = await store.write(put_email)
    foreign = await store.write(put_email, tenant_id=2)
    ids = [own, foreign, 5, own]
    assert await store.read(changes.delete_parts, 1, ids) == [[own]]
    assert (await store.write(changes.delete, 1, ids)).count == 1
    assert (await store.write(changes.delete, 1, ids)).count == 0
    assert await store.read(changes.delete_parts, 1, ids) == []
    assert (await store.read(row, foreign)).delete_time is None


async def test_a_sent_email_is_deleted_without_being_settled_again(store: Store, changes: Changes) -> None:
    email_id = await store.write(put_email, state="SUCCESS", delivery={"state": "DONE"}, settle_time=NOON - 5)
    assert (await store.write(changes.delete, 1, [email_id])).count == 1
    email = await store.read(row, email_id)
    assert (email.state, email.settle_time) == ("SUCCESS", NOON - 5)
    assert await store.read(kinds) == [("EMAIL_DELETED", None)]


async def test_two_hundred_different_ids_are_taken_and_one_more_is_not(
    store: Store, changes: Changes
) -> None:
    assert await store.read(changes.delete_parts, 1, [*range(200), 0, 0]) == []
    with pytest.raises(Refusal) as caught:
        await store.read(changes.delete_parts, 1, list(range(201)))
    assert [v.field for v in caught.value.violations] == ["ids"]
    assert await store.read(changes.delete_parts, 1, []) == []


async def test_a_large_delete_is_cut_into_units_of_a_thousand_recipients(
    store: Store, changes: Changes
) -> None:
    def put() -> list[int]:
        return [put_email(recipient_count=n, open_count=n) for n in (400, 600, 1, 0, 5000, 2)]

    ids = await store.write(put)
    assert await store.read(changes.delete_parts, 1, ids[::-1]) == [ids[:2], ids[2:4], ids[4:5], ids[5:]]


# Another time.


@pytest.mark.every_database
async def test_a_waiting_email_moves_and_its_expiry_with_it(store: Store, changes: Changes) -> None:
    email_id = await store.write(put_email, to=THREE)
    email = await store.write(changes.reschedule, 1, email_id, NOON + 5 * HOUR)
    assert (email.schedule_time, email.expire_time) == (NOON + 5 * HOUR, NOON + 53 * HOUR)
    for delivery in await store.read(deliveries_of, email_id):
        assert (delivery.run_at, delivery.date_time) == (NOON + 5 * HOUR, NOON + 5 * HOUR)
        assert delivery.expire_time == NOON + 53 * HOUR
    assert await store.read(kinds) == [("EMAIL_RESCHEDULED", None)]


async def test_moving_again_counts_from_the_new_time(
    store: Store, changes: Changes, clock: ManualClock
) -> None:
    email_id = await store.write(put_email)
    await store.write(changes.reschedule, 1, email_id, NOON + 5 * HOUR)
    clock.advance(HOUR)
    await store.write(changes.reschedule, 1, email_id, NOON)
    email = await store.write(changes.reschedule, 1, email_id, NOON + 2 * HOUR)
    assert (email.schedule_time, email.expire_time) == (NOON + 2 * HOUR, NOON + 50 * HOUR)


async def test_a_past_time_means_at_once(store: Store, changes: Changes) -> None:
    email_id = await store.write(put_email, schedule_time=NOON + DAY, delivery={"run_at": NOON + DAY})
    await store.write(changes.reschedule, 1, email_id, NOON - DAY)
    [delivery] = await store.read(deliveries_of, email_id)
    assert delivery.run_at == NOON


async def test_a_fixed_expiry_stays(store: Store, changes: Changes) -> None:
    email_id = await store.write(put_email, expire_time=NOON + 3 * HOUR)
    email = await store.write(changes.reschedule, 1, email_id, NOON + 2 * HOUR)
    assert email.expire_time == NOON + 3 * HOUR


async def test_a_fixed_expiry_that_would_be_passed_refuses(store: Store, changes: Changes) -> None:
    email_id = await store.write(put_email, expire_time=NOON + 3 * HOUR)
    with pytest.raises(Refusal) as caught:
        await store.write(changes.reschedule, 1, email_id, NOON + 3 * HOUR)
    assert [v.field for v in caught.value.violations] == ["schedule_time"]


@pytest.mark.every_database
@pytest.mark.parametrize(
    ("fixed", "expire_time", "moved"),
    [
        (True, NOON + 48 * HOUR, NOON + 48 * HOUR),
        (False, NOON + 48 * HOUR, NOON + 53 * HOUR),
        (False, NOON + 3 * HOUR, NOON + 8 * HOUR),  # the setting has been changed since
        (None, NOON + 48 * HOUR, NOON + 53 * HOUR),
        (None, NOON + 47 * HOUR, NOON + 47 * HOUR),
    ],
)
async def test_who_fixed_the_expiry_decides_whether_it_moves(
    store: Store, changes: Changes, fixed: bool | None, expire_time: int, moved: int
) -> None:
    email_id = await store.write(put_email, expire_time=expire_time, expire_fixed=fixed)
    email = await store.write(changes.reschedule, 1, email_id, NOON + 5 * HOUR)
    assert email.expire_time == moved


async def test_mail_that_found_no_server_for_a_while_keeps_its_whole_time(
    store: Store, changes: Changes
) -> None:
    email_id = await store.write(put_email, expire_fixed=False, delivery={"run_at": NOON + HOUR})
    email = await store.write(changes.reschedule, 1, email_id, NOON + 5 * HOUR)
    assert email.expire_time == NOON + 53 * HOUR


def hold_back(email_id: int, position: int) -> None:
    delivery_id = set_delivery(email_id, position, state="DONE")
    Recipient.update(state="SUPPRESSED").where(Recipient.delivery_id == delivery_id).execute()
    changed = {"open_count": Email.open_count - 1, "suppressed_count": Email.suppressed_count + 1}
    Email.update(changed).where(Email.id == email_id).execute()


@pytest.mark.every_database
async def test_whom_the_suppression_list_holds_back_does_not_keep_the_others(
    store: Store, changes: Changes
) -> None:
    email_id = await store.write(put_email, to=THREE)
    await store.write(hold_back, email_id, 0)
    for hours in (5, 6):
        email = await store.write(changes.reschedule, 1, email_id, NOON + hours * HOUR)
        assert email.expire_time == NOON + (48 + hours) * HOUR
    moved = [delivery.run_at for delivery in await store.read(deliveries_of, email_id)]
    assert moved == [NOON, NOON + 6 * HOUR, NOON + 6 * HOUR]


async def test_who_has_expired_or_was_refused_keeps_the_others(store: Store, changes: Changes) -> None:
    email_id = await store.write(put_email, to=THREE, open_count=2, expired_count=1)
    await store.write(lambda: set_delivery(email_id, 0, state="DONE"))
    with pytest.raises(Refusal) as caught:
        await store.write(changes.reschedule, 1, email_id, NOON + HOUR)
    assert caught.value.reason is Reason.TOO_LATE


@pytest.mark.parametrize("time", [None, NOON + LIMITS.longest_schedule + 1])
async def test_a_time_that_is_missing_or_too_far_is_named(
    store: Store, changes: Changes, time: int | None
) -> None:
    email_id = await store.write(put_email)
    with pytest.raises(Refusal) as caught:
        await store.write(changes.reschedule, 1, email_id, time)
    assert [v.field for v in caught.value.violations] == ["schedule_time"]


async def test_the_longest_schedule_is_taken(store: Store, changes: Changes) -> None:
    email_id = await store.write(put_email)
    email = await store.write(changes.reschedule, 1, email_id, NOON + LIMITS.longest_schedule)
    assert email.schedule_time == NOON + LIMITS.longest_schedule


@pytest.mark.parametrize(
    "attempted",
    [
        {"state": "LEASED", "transactions": 1},
        {"state": "READY", "transactions": 1},
        {"state": "HELD", "transactions": 3},
        {"state": "DONE", "transactions": 1},
        {"state": "CANCELLED"},
    ],
)
async def test_once_any_part_was_attempted_nothing_moves(
    store: Store, changes: Changes, attempted: dict[str, Any]
) -> None:
    email_id = await store.write(put_email, to=THREE)
    await store.write(lambda: set_delivery(email_id, 1, **attempted))
    with pytest.raises(Refusal) as caught:
        await store.write(changes.reschedule, 1, email_id, NOON + HOUR)
    assert caught.value.reason is Reason.TOO_LATE
    assert [d.run_at for d in await store.read(deliveries_of, email_id)] == [NOON] * 3
    assert await store.read(kinds) == []
