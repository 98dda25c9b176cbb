"""Leasing: who is taken, in which order, and what it costs."""

from __future__ import annotations

import asyncio
import collections
import itertools
import re

import pytest

from delivery.ledgers import IDLE, delivery, put_many, take
from fakes import NOON
from postroom_server.clock import HOUR, MINUTE
from postroom_server.delivery import lease as lease_module
from postroom_server.delivery.lease import ALONE, Turns, lease_email
from postroom_server.delivery.leased import Leased
from postroom_server.store.models import Delivery, Lane, bound
from postroom_server.store.statement import is_postgresql
from postroom_server.store.unit import Store
from stored_mail import deliveries_of, put_email

MANY = 10_000
pytestmark = pytest.mark.every_database


async def test_a_leased_delivery_is_read_with_everything_needed_to_send_it(store: Store) -> None:
    email_id = await store.write(
        put_email, to=["ann@example.com"], cc=["bob@example.com"], tenant_id=7,
        reply_to='["back@example.com"]', headers='{"X-One": "1"}', subject="Hallo", from_name="Me",
        content={"text": "Hi %n%", "params": {"n": 1}}, delivery={"crash_count": 1, "tries": 2},
    )  # fmt: skip
    (one,) = await store.write(take, 5)
    assert (one.email.id, one.tenant_id, one.lane) == (email_id, 7, Lane.NORMAL)
    assert [(r.role, r.address, r.is_open) for r in one.recipients] == [
        ("TO", "ann@example.com", True), ("CC", "bob@example.com", True)
    ]  # fmt: skip
    mailing = one.email.mailing
    assert (mailing.subject, mailing.from_name, mailing.text) == ("Hallo", "Me", "Hi %n%")
    assert (mailing.reply_to, mailing.headers) == (("back@example.com",), (("X-One", "1"),))
    assert mailing.params == {"n": 1}
    assert (one.lease_token, one.transactions, one.tries, one.crash_count, one.alone) == (1, 1, 2, 1, False)
    row = await store.read(delivery, one.id)
    assert (row["state"], row["lease_owner"], row["lease_token"], row["transactions"]) == ("LEASED", 5, 1, 1)


async def test_what_is_leased_is_not_leased_again_and_each_lease_has_a_new_token(store: Store) -> None:
    await store.write(put_email)
    (one,) = await store.write(take)
    assert await store.write(take, 2) == []

    def give_back() -> None:
        Delivery.update(state="READY", phase="DOT", dot_time=1).execute()

    await store.write(give_back)
    (again,) = await store.write(take, 2)
    assert (again.id, again.lease_token, again.transactions) == (one.id, 2, 2)
    row = await store.read(delivery, one.id)
    assert (row["lease_owner"], row["phase"], row["dot_time"]) == (2, None, None)


@pytest.mark.parametrize("state", ["PREPARING", "LEASED", "DONE", "HELD", "CANCELLED"])
async def test_only_ready_deliveries_are_leased(store: Store, state: str) -> None:
    await store.write(put_email, delivery={"state": state})
    assert await store.write(take) == []


async def test_what_is_not_due_waits(store: Store) -> None:
    await store.write(put_email, delivery={"run_at": NOON + 1})
    assert await store.write(take) == []
    assert len(await store.write(take, now=NOON + 1)) == 1


async def test_urgent_mail_comes_first_then_the_oldest(store: Store) -> None:
    def put() -> list[int]:
        rows = [(2, 0), (1, 0), (1, -MINUTE), (0, 0)]
        return [put_email(delivery={"lane": lane, "run_at": NOON + due}) for lane, due in rows]

    bulk, normal, older, urgent = await store.write(put)
    taken = await store.write(take, 1)
    assert [one.email.id for one in taken] == [urgent, normal, older, bulk]
    assert len(await store.write(take, 1)) == 0


async def test_the_oldest_of_a_tenant_is_taken_when_not_all_can_be(store: Store) -> None:
    def put() -> list[int]:
        return [put_email(delivery={"run_at": NOON - age}) for age in (0, 3, 1, 2)]

    _, third, _, _ = await store.write(put)
    taken = await store.write(take, 1, 2)  # a capacity of 2: one of lane 1
    assert [one.email.id for one in taken] == [third]


async def test_no_lane_takes_more_than_its_share(store: Store) -> None:
    def put() -> None:
        for lane in Lane:
            for _ in range(20):
                put_email(delivery={"lane": int(lane)})

    await store.write(put)
    first = await store.write(take, 1, 16)
    assert collections.Counter(one.lane for one in first) == {Lane.URGENT: 16}
    held = {**IDLE, Lane.URGENT: 16}
    assert await store.write(take, 1, 16, held=held) == []
    rest = await store.write(take, 1, 16)
    assert collections.Counter(one.lane for one in rest) == {Lane.URGENT: 4, Lane.NORMAL: 12}
    last = await store.write(take, 1, 16)
    assert collections.Counter(one.lane for one in last) == {Lane.NORMAL: 8, Lane.BULK: 4}


def tenants(taken: list[Leased]) -> collections.Counter[int]:
    return collections.Counter(one.tenant_id for one in taken)


async def test_a_tenant_with_very_much_mail_does_not_hold_the_others_up(store: Store) -> None:
    await store.write(put_many, {1: MANY, **dict.fromkeys(range(2, 202), 1)})
    turns, served, leases = Turns(), collections.Counter[int](), 0
    while len(served) < 201:
        taken = await store.write(take, 1, 128, turns)
        assert len(taken) == 96
        served += tenants(taken)
        leases += 1
    assert leases == 3  # 200 + a few of the large tenant's, 96 at a time
    assert served[1] == 3 * 96 - 200


async def test_tenants_with_much_mail_share_alike(store: Store) -> None:
    await store.write(put_many, dict.fromkeys((3, 5, 8), 1000))
    turns, served = Turns(), collections.Counter[int]()
    for _ in range(20):
        served += tenants(await store.write(take, 1, 128, turns))
    assert sum(served.values()) == 20 * 96
    assert max(served.values()) - min(served.values()) <= 96  # one lease's worth


async def test_tenants_whose_mail_is_not_due_hide_nobody_behind_them(store: Store) -> None:
    await store.write(put_many, dict.fromkeys(range(1, 1001), 1), run_at=NOON + HOUR)
    await store.write(put_email, tenant_id=5000)
    assert [one.tenant_id for one in await store.write(take)] == [5000]


async def test_after_a_crash_deliveries_are_leased_one_at_a_time(store: Store) -> None:
    def put() -> list[int]:
        lanes = [1 + ALONE, 0 + ALONE, 2 + ALONE, 1]
        return [put_email(delivery={"lane": lane}) for lane in lanes]

    normal, urgent, _, fresh = await store.write(put)
    assert {one.email.id: (one.alone, one.lane) for one in await store.write(take, alone=True)} == {
        urgent: (True, Lane.URGENT), fresh: (False, Lane.NORMAL),
    }  # fmt: skip
    assert await store.write(take, alone=False) == []
    (again,) = await store.write(take, alone=True)
    assert (again.email.id, again.lane, again.alone) == (normal, Lane.NORMAL, True)


async def test_one_email_is_leased_by_name_before_it_is_due(store: Store) -> None:
    wanted = await store.write(put_email, delivery={"run_at": NOON + HOUR})
    await store.write(put_email)
    assert [one.email.id for one in await store.write(lease_email, 3, wanted)] == [wanted]
    assert await store.write(lease_email, 3, wanted) == []
    (row,) = await store.read(deliveries_of, wanted)
    assert (row.state, row.lease_owner) == ("LEASED", 3)


async def test_two_owners_at_once_never_take_the_same(store: Store) -> None:
    await store.write(put_many, dict.fromkeys(range(1, 21), 100))

    async def take_everything(owner: int) -> list[int]:
        turns, taken = Turns(), list[int]()
        while batch := await store.write(take, owner, 64, turns):
            taken += [one.id for one in batch]
        return taken

    first, second = await asyncio.gather(take_everything(1), take_everything(2))
    assert len(first) + len(second) == 2000
    assert not set(first) & set(second)

    def owners() -> collections.Counter[int]:
        rows = Delivery.select(Delivery.lease_owner, Delivery.lease_token).where(Delivery.state == "LEASED")
        assert {row.lease_token for row in rows} == {1}
        return collections.Counter(row.lease_owner for row in rows)

    assert await store.read(owners) == {1: len(first), 2: len(second)}


def explain() -> str:
    """The plan of one turn, and on PostgreSQL the one it falls back to for any parameters."""
    connection = bound.connection()
    turn, due = (1, -1, 1), (1, NOON, 8)
    if not is_postgresql():
        rows = connection.execute(
            "EXPLAIN QUERY PLAN " + lease_module.LEASE_SQLITE, (*turn, 1, *due, 64)
        ).fetchall()
        return "\n".join(row[3] for row in rows)
    connection.execute("ANALYZE")
    connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    places = itertools.count(1)
    numbered = re.sub("%s", lambda _: f"${next(places)}", lease_module.LEASE_POSTGRESQL)
    types = "smallint, bigint, smallint, smallint, bigint, bigint, bigint, bigint"
    connection.execute(f"PREPARE turn ({types}) AS {numbered}")
    plan = connection.execute("EXPLAIN EXECUTE turn (1, -1, 1, 1, 1, 8, 64, 1)").fetchall()
    return "\n".join(row[0] for row in plan)


@pytest.mark.parametrize(
    "counts", [{1: 20_000}, dict.fromkeys(range(1, MANY + 1), 1)], ids=["one tenant", "many"]
)
async def test_a_turn_looks_up_ranges_of_the_index_of_due_mail(store: Store, counts: dict[int, int]) -> None:
    await store.write(put_many, counts)
    plan = await store.write(explain)
    if "SEARCH" in plan:
        assert not re.search(r"\bSCAN (d|x|delivery)\b", plan), plan
        assert plan.count("delivery_due") == 3, plan
        assert "TEMP B-TREE" not in plan, plan
    else:
        assert "Seq Scan" not in plan, plan
        assert "Sort" not in plan, plan
        assert plan.count("using delivery_due") == 2, plan  # the third is a SubPlan, which is not shown
        assert "using delivery_pkey" in plan, plan


async def test_a_turn_past_many_tenants_is_quick_enough_to_be_asked_four_times_a_second(store: Store) -> None:
    await store.write(put_many, dict.fromkeys(range(1, MANY + 1), 1), run_at=NOON + HOUR)
    loop = asyncio.get_running_loop()

    async def once() -> float:
        begun = loop.time()
        assert await store.write(take) == []
        return loop.time() - begun

    assert min([await once() for _ in range(5)]) < 0.25


def test_the_lanes_after_a_crash_are_told_apart_from_the_others() -> None:
    assert {lane + ALONE for lane in Lane}.isdisjoint(Lane)
    assert [Lane((lane + ALONE) % ALONE) for lane in Lane] == list(Lane)


@pytest.mark.faults
async def test_a_million_mails_of_one_tenant_hold_neither_the_lease_nor_another_tenant_up(
    store: Store,
) -> None:
    def put() -> int:
        email_id = put_email(tenant_id=1, delivery={"state": "DONE"})
        columns = [
            field.column_name for field in Delivery._meta.sorted_fields if field.name not in ("id", "state")
        ]
        numbers = "SELECT generate_series(1, 1000000) AS n"
        if not is_postgresql():
            counted = "SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000000"
            numbers = f"WITH RECURSIVE n(n) AS ({counted}) SELECT n FROM n"
        listed = ", ".join(columns)
        bound.connection().execute(
            f"INSERT INTO delivery (id, state, {listed}) SELECT many.n, 'READY', {listed}"
            f" FROM ({numbers}) AS many, delivery WHERE delivery.email_id = {email_id}"
        )
        if is_postgresql():
            bound.connection().execute("ANALYZE delivery")
        return put_email(tenant_id=2)

    other = await store.write(put)
    plan = await store.write(explain)
    assert "delivery_due" in plan
    assert "Seq Scan" not in plan
    loop = asyncio.get_running_loop()

    async def once() -> tuple[float, list[Leased]]:
        begun = loop.time()
        taken = await store.write(take, 1, 100, Turns())
        return loop.time() - begun, taken

    (first, taken), *rest = [await once() for _ in range(4)]
    assert other in [one.email.id for one in taken]
    assert [len(more) for _, more in rest] == [75] * 3
    assert min(seconds for seconds, _ in rest) < 0.25
    assert first < 5
