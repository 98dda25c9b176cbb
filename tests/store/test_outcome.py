"""Emails follow their recipients: counters, state, and the event that says it is over."""

from __future__ import annotations

import asyncio

import pytest

from fakes import NOON
from postroom_server.store import outcome
from postroom_server.store.history import START, Kind, read_after
from postroom_server.store.models import Email, EmailState, RecipientState
from postroom_server.store.outcome import Settled
from postroom_server.store.unit import Store
from stored_mail import put_email

DELIVERED, REFUSED = RecipientState.DELIVERED, RecipientState.REFUSED
THREE = ("a@example.com", "b@example.com", "c@example.com")


def record(*changes: tuple[int, RecipientState, int], now: int = NOON + 5) -> list[Settled]:
    return outcome.record(changes, now)


def row(email_id: int) -> Email:
    return Email.get_by_id(email_id)


async def test_an_email_whose_only_recipient_was_delivered_is_a_success(store: Store) -> None:
    email_id = await store.write(put_email)
    settled = await store.write(record, (email_id, DELIVERED, 1))
    email = await store.read(row, email_id)
    assert settled == [Settled(email_id, 1, EmailState.SUCCESS)]
    assert (email.state, email.settle_time) == ("SUCCESS", NOON + 5)
    assert (email.open_count, email.delivered_count) == (0, 1)


@pytest.mark.parametrize("state", ["REFUSED", "EXPIRED", "CANCELLED", "SUPPRESSED", "UNKNOWN"])
async def test_one_recipient_that_was_not_delivered_makes_the_email_a_failure(
    store: Store, state: str
) -> None:
    email_id = await store.write(put_email, to=THREE)
    settled = await store.write(record, (email_id, DELIVERED, 2), (email_id, RecipientState(state), 1))
    email = await store.read(row, email_id)
    assert settled == [Settled(email_id, 1, EmailState.FAILURE)]
    assert (email.open_count, email.delivered_count) == (0, 2)
    assert getattr(email, f"{state.lower()}_count") == 1


async def test_an_email_waits_for_its_last_recipient(store: Store) -> None:
    email_id = await store.write(put_email, to=THREE)
    early = await store.write(record, (email_id, DELIVERED, 1), (email_id, REFUSED, 1))
    waiting = await store.read(row, email_id)
    late = await store.write(record, (email_id, DELIVERED, 1), now=NOON + 9)
    assert (early, waiting.state, waiting.settle_time, waiting.open_count) == ([], "PENDING", None, 1)
    assert late == [Settled(email_id, 1, EmailState.FAILURE)]
    assert (await store.read(row, email_id)).settle_time == NOON + 9


async def test_a_bounce_before_the_last_delivery_leaves_it_a_success(store: Store) -> None:
    email_id = await store.write(put_email, to=THREE, open_count=1, delivered_count=1, bounced_count=1)
    settled = await store.write(record, (email_id, DELIVERED, 1))
    assert settled == [Settled(email_id, 1, EmailState.SUCCESS)]


@pytest.mark.every_database
async def test_many_emails_of_many_tenants_settle_together(store: Store) -> None:
    def fill() -> list[int]:
        return [put_email(tenant_id=1 + n % 2, to=THREE[: 1 + n % 3]) for n in range(30)]

    ids = await store.write(fill)
    changes = [(email_id, REFUSED if n % 5 == 0 else DELIVERED, 1 + n % 3) for n, email_id in enumerate(ids)]
    settled = await store.write(record, *changes)
    expected = {
        (i, 1 + n % 2, EmailState.FAILURE if n % 5 == 0 else EmailState.SUCCESS) for n, i in enumerate(ids)
    }
    assert {tuple(email) for email in settled} == expected


async def test_only_settled_emails_get_an_event(store: Store) -> None:
    one, two = await store.write(put_email), await store.write(put_email, to=THREE)
    await store.write(record, (one, DELIVERED, 1), (two, DELIVERED, 1))
    [event] = await store.read(read_after, 1, START, 10)
    assert (event.kind, event.email_id, event.state) == (Kind.EMAIL_SETTLED, one, "SUCCESS")
    assert event.recipient_id is None


@pytest.mark.parametrize("state", [RecipientState.OPEN, RecipientState.BOUNCED])
async def test_a_state_that_ends_nothing_is_refused_as_a_bug(store: Store, state: RecipientState) -> None:
    email_id = await store.write(put_email)
    with pytest.raises(KeyError):
        await store.write(record, (email_id, state, 1))
    assert (await store.read(row, email_id)).open_count == 1


@pytest.mark.every_database
async def test_settling_the_same_emails_in_opposite_orders_does_not_dead_lock(store: Store) -> None:
    def fill() -> list[int]:
        return [put_email(to=[f"{n}@example.com" for n in range(16)]) for _ in range(20)]

    ids = await store.write(fill)
    turns = [
        store.write(record, *((email_id, DELIVERED, 1) for email_id in (ids if turn % 2 else ids[::-1])))
        for turn in range(16)
    ]
    settled = [email for turn in await asyncio.gather(*turns) for email in turn]
    assert sorted(email.email_id for email in settled) == ids
