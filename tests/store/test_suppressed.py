"""The suppression list as sending sees it."""

from __future__ import annotations

from typing import Any

import pytest

from fakes import NOON, ManualClock
from postroom_server.store import suppressed
from postroom_server.store.history import START, read_after
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Email, Suppression, SuppressionReason, bound
from postroom_server.store.statement import insert, is_postgresql
from postroom_server.store.suppressed import Entry, Held, stops
from postroom_server.store.unit import Store
from stored_mail import deliveries_of, put_email, recipients_of

pytestmark = pytest.mark.every_database
MANUAL, UNSUBSCRIBED = SuppressionReason.MANUAL, SuppressionReason.UNSUBSCRIBED


def put(*entries: Entry) -> int:
    return suppressed.put(entries, IdMint(ManualClock()), NOON)


async def test_only_asked_pairs_are_found(store: Store) -> None:
    await store.write(
        put,
        Entry(1, "ann@example.com", MANUAL),
        Entry(2, "bob@example.com", UNSUBSCRIBED),
        Entry(2, "ANN@example.org", MANUAL),
        Entry(1, "Ünï@example.com", MANUAL),
    )
    asked = {
        (1, "ann@example.com"),
        (2, "ann@example.com"),
        (2, "bob@example.com"),
        (1, "ünï@example.com"),
        (1, "it's\"odd@example.com"),
    }
    assert await store.read(suppressed.find, asked) == {
        (1, "ann@example.com"): MANUAL,
        (2, "bob@example.com"): UNSUBSCRIBED,
        (1, "ünï@example.com"): MANUAL,
    }
    assert await store.read(suppressed.find, []) == {}


async def test_many_are_found_as_few_are(store: Store) -> None:
    await store.write(put, Entry(1, "a7@example.com", MANUAL), Entry(3, "a8@example.com", MANUAL))
    for count in (64, 65, 1000):
        asked = {(tenant_id, f"a{n}@example.com") for tenant_id in (1, 2) for n in range(count // 2)}
        assert await store.read(suppressed.find, asked) == {(1, "a7@example.com"): MANUAL}
        assert await store.read(suppressed.find, {(2, key) for _, key in asked}) == {}


async def test_more_are_put_than_one_statement_takes(store: Store) -> None:
    many = [Entry(1, f"a{n}@example.com", MANUAL) for n in range(5000)]
    assert await store.write(put, *many) == 5000
    assert await store.write(put, *many, Entry(1, "b@example.com", MANUAL)) == 1


def plan_among_many() -> str:
    rows = [(n, 1 + n % 5, f"a{n}@example.com", None, "MANUAL", None, None, NOON) for n in range(20_000)]
    insert(Suppression).many(rows)
    connection = bound.connection()
    if not is_postgresql():
        sql = f"EXPLAIN QUERY PLAN {suppressed._FIND_SQLITE}"
        return "\n".join(row[3] for row in connection.execute(sql, ('[[1, "x"]]',)).fetchall())
    connection.execute("ANALYZE suppression")
    sql = f"EXPLAIN {suppressed._FIND_POSTGRESQL}"
    return "\n".join(row[0] for row in connection.execute(sql, ([1] * 50, ["x"] * 50)).fetchall())


async def test_a_long_list_is_not_read_but_looked_up(store: Store) -> None:
    plan = await store.write(plan_among_many)
    assert "suppression_tenant_id_address_key" in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_every_reason_stops_every_mail_but_unsubscribed(reason: SuppressionReason) -> None:
    assert stops(reason, is_batch=True)
    assert stops(reason, is_batch=False) is (reason is not UNSUBSCRIBED)


def test_who_is_not_listed_is_not_stopped() -> None:
    assert not stops(None, is_batch=True)


async def test_nobody_listed_is_nobody_written(store: Store) -> None:
    assert await store.write(put) == 0
    assert await store.read(lambda: Suppression.select().count()) == 0


def held_of(email_id: int, *places: int) -> list[Held]:
    rows = recipients_of(email_id)
    return [
        Held(row.tenant_id, row.email_id, row.delivery_id, row.id) for row in map(rows.__getitem__, places)
    ]


def hold_back(email_id: int, *places: int) -> None:
    suppressed.hold_back(held_of(email_id, *places), NOON + 5)


def story(email_id: int) -> Any:
    email = Email.get_by_id(email_id)
    return (
        (email.state, email.open_count, email.suppressed_count, email.settle_time),
        [row.state for row in deliveries_of(email_id)],
        [(row.state, row.settle_time) for row in recipients_of(email_id)],
        [(str(event.kind), event.state) for event in read_after(1, START, 100)],
    )


async def test_an_email_of_which_all_are_held_back_has_failed(store: Store) -> None:
    email_id = await store.write(put_email, to=["a@example.com", "b@example.com"])
    await store.write(hold_back, email_id, 0, 1)
    assert await store.read(story, email_id) == (
        ("FAILURE", 0, 2, NOON + 5),
        ["DONE", "DONE"],
        [("SUPPRESSED", NOON + 5)] * 2,
        [("RECIPIENT_SETTLED", "SUPPRESSED")] * 2 + [("EMAIL_SETTLED", "FAILURE")],
    )


async def test_a_delivery_goes_on_to_those_who_are_left(store: Store) -> None:
    email_id = await store.write(put_email, to=["a@example.com", "b@example.com"], cc=["c@example.com"])
    await store.write(hold_back, email_id, 0)
    assert await store.read(story, email_id) == (
        ("PENDING", 2, 1, None),
        ["READY", "READY"],
        [("SUPPRESSED", NOON + 5), ("OPEN", None), ("OPEN", None)],
        [("RECIPIENT_SETTLED", "SUPPRESSED")],
    )


async def test_holding_back_twice_counts_once(store: Store) -> None:
    email_id = await store.write(put_email)
    await store.write(hold_back, email_id, 0)
    once = await store.read(story, email_id)
    await store.write(hold_back, email_id, 0)
    assert await store.read(story, email_id) == once
