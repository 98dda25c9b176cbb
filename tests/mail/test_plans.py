"""The lists that tenants with millions of emails ask for walk an index, and sort nothing."""

from __future__ import annotations

from typing import Any

import pytest

from fakes import NOON
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.email_record import View
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Count, PageRequest
from postroom_server.mail.records import Records
from postroom_server.store import history, stream
from postroom_server.store.filters import Filter, Operator
from postroom_server.store.history import START
from postroom_server.store.ids import first_id_at
from postroom_server.store.models import Email, Recipient, bound
from postroom_server.store.statement import Insert, is_postgresql
from postroom_server.store.unit import Store
from stored_mail import put_email

pytestmark = pytest.mark.every_database
READER = Caller(1, 1, "reader", frozenset({Scope.READ}))
RECORDS = Records(PageTokens(b"k" * 32))
TENANTS, ROWS = 20, 20_000

Run = list[tuple[str, Any]]


def fill() -> None:
    put_email(1, tenant_id=TENANTS)
    row = {name: getattr(Email.get_by_id(1), name) for name in Email._meta.sorted_field_names}
    rows = [
        {
            **row,
            "id": first_id_at(NOON + n * 1000),
            "tenant_id": n % TENANTS,
            "accept_time": NOON + n * 1000,
            "state": ("PENDING", "SUCCESS", "FAILURE")[n % 7 % 3],
            "biz_key": f"KEY_{n % 7}",
            "out_id": f"o{n // 40}",
            "schedule_time": NOON + n if n % 3 else None,
            "settle_time": NOON + n if n % 7 else None,
        }
        for n in range(ROWS)
    ]
    columns = list(Email._meta.sorted_fields)
    Insert(Email, columns).many([[row[field.name] for field in columns] for row in rows])
    addressed = [Recipient.id, Recipient.tenant_id, Recipient.email_id, Recipient.delivery_id,
                 Recipient.role, Recipient.address, Recipient.state]  # fmt: skip
    Insert(Recipient, addressed).many(
        [
            [n + 1, row["tenant_id"], row["id"], n + 1, "TO", f"a{n % 5000}@example.com", "OPEN"]
            for n, row in enumerate(rows)
        ]
    )
    history.append(
        [
            history.event(n % TENANTS, history.Kind.EMAIL_ACCEPTED, NOON, email_id=row["id"])
            for n, row in enumerate(rows)
        ]
    )
    if is_postgresql():
        bound.connection().execute("ANALYZE")


def plan_of(sql: str, values: Any) -> str:
    connection = bound.connection()
    if not is_postgresql():
        rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", list(values)).fetchall()
        return "\n".join(row[3] for row in rows)
    for way in ("seqscan", "bitmapscan"):  # a few thousand rows are read either way as soon
        connection.execute(f"SET LOCAL enable_{way} = off")
    return "\n".join(row[0] for row in connection.execute(f"EXPLAIN {sql}", list(values)).fetchall())


def plans(queries: Run) -> list[str]:
    return [plan_of(sql, values) for sql, values in queries]


def page(**request: Any) -> Any:
    return RECORDS.page(READER, 1, PageRequest(count=Count.NONE, **request), View.BASIC)


def sorts(plan: str) -> bool:
    return "TEMP B-TREE" in plan or "Sort" in plan


def is_equal(field: str, value: str) -> dict[str, Any]:
    return {"filters": (Filter(field, Operator.EQUAL, (value,)),)}


LISTS: list[tuple[dict[str, Any], str]] = [
    ({}, "email_list"),
    ({"skip": 20}, "email_list"),
    ({"order_by": "id"}, "email_list"),
    ({"order_by": "accept_time desc"}, "email_list"),
    ({"order_by": "accept_time"}, "email_list"),
    ({**is_equal("state", "FAILURE"), "order_by": "accept_time desc, id"}, "email_list_state"),
    (is_equal("state", "FAILURE"), "email_list_state"),
    (is_equal("biz_key", "KEY_4"), "email_list_biz_key"),
    (is_equal("out_id", "o7"), "email_list_out_id"),
    ({"order_by": "schedule_time"}, "email_list_schedule"),
    ({"order_by": "schedule_time desc"}, "email_list_schedule"),
    ({"order_by": "settle_time desc"}, "email_list_settle"),
]


async def test_every_list_walks_its_index(store: Store, run: Run) -> None:
    await store.write(fill)
    for request, index in LISTS:
        run.clear()
        first = await store.read(page, page_size=10, **request)
        token = first.token_after(len(first.items) - 1)
        rest = {name: value for name, value in request.items() if name != "skip"}
        await store.read(page, page_size=1000, page_token=token, **rest)
        selects = [query for query in run if 'FROM "email"' in query[0] and "ORDER BY" in query[0]]
        assert len(selects) >= 2
        for plan in await store.read(plans, selects):
            assert index in plan.split(), (request, plan)
            assert not sorts(plan), (request, plan)
            assert "Seq Scan" not in plan
            assert "SCAN" not in plan


async def test_a_range_of_time_is_a_range_of_ids(store: Store, run: Run) -> None:
    await store.write(fill)
    early = Filter("accept_time", Operator.LESS_THAN, ("2026-06-01T12:20:00Z",))
    await store.read(page, filters=(early,))
    [query] = [query for query in run if '"accept_time" <' in query[0]]
    [plan] = await store.read(plans, [query])
    condition = next(line for line in plan.splitlines() if "Index Cond" in line or "SEARCH" in line)
    assert "id<?" in condition or "(id <= " in condition


async def test_an_address_is_found_through_its_index(store: Store, run: Run) -> None:
    await store.write(fill)
    await store.read(page, **is_equal("recipient_address", "a7@example.com"))
    [query] = [query for query in run if '"address" =' in query[0]]
    [plan] = await store.read(plans, [query])
    assert "recipient_address" in plan
    assert "Seq Scan" not in plan


async def test_counting_walks_an_index(store: Store, run: Run) -> None:
    await store.write(fill)
    request = PageRequest(page_size=5, count=Count.UP_TO_10000)
    assert (await store.read(RECORDS.page, READER, 1, request, View.BASIC)).total_size == ROWS // TENANTS
    [query] = [query for query in run if "COUNT(*)" in query[0]]
    [plan] = await store.read(plans, [query])
    assert "USING INDEX email_list " in plan or "Index Only Scan Backward using email_list " in plan


def events_plans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The plans of the event statements, taken from the connection that runs them."""
    seen: Run = []
    connection = bound.connection()

    class Watched:
        def execute(self, sql: str, values: Any) -> Any:
            seen.append((sql, values))
            return connection.execute(sql, values)

    class Bound:
        obj = bound.obj

        def connection(self) -> Any:
            return Watched()

    for module in (history, stream):
        monkeypatch.setattr(module, "bound", Bound())
    history.read_after(1, START, 100)
    history.read_end(1)
    stream.read_of_emails(1, [first_id_at(NOON + 1000)], START, 100)
    monkeypatch.undo()
    return plans(seen)


async def test_events_are_read_in_the_order_of_an_index(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.write(fill)
    after, end, of_emails = await store.read(events_plans, monkeypatch)
    for plan in (after, end):
        assert "event_stream" in plan
        assert not sorts(plan)
    assert "event_email" in of_emails


async def test_a_value_that_few_have_is_where_the_index_is_read(store: Store, run: Run) -> None:
    """A range of rows over several columns ends, for PostgreSQL, only where its first column does."""
    await store.write(fill)
    run.clear()
    await store.read(page, page_size=10, **is_equal("out_id", "o7"))
    plan = "\n".join(await store.read(plans, list(run)))
    assert "(out_id = 'o7'" in plan or "out_id=?" in plan
    assert "ROW(" not in plan
