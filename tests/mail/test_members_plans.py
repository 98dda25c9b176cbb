"""What a directory of a million members is asked walks an index: lists, and the look-ups of audiences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from directory import LIST, where
from postroom_server.mail import member_list, member_rows
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.pages import Count, PageRequest
from postroom_server.store import pages
from postroom_server.store.filters import Operator
from postroom_server.store.models import Member, Membership, bound
from postroom_server.store.statement import Statement, as_list, bind, is_postgresql, one_of
from postroom_server.store.unit import Store

pytestmark = pytest.mark.every_database
READER = Caller(1, 1, "reader", frozenset({Scope.DIRECTORY}))
TENANTS, ROWS = 20, 20_000

Query = tuple[str, Sequence[Any]]


def fill() -> None:
    member_rows._add(
        [
            (
                n,
                n % TENANTS,
                ROWS - n,
                f"a{n * 7919 % ROWS}@example.com",
                "en",
                bool(n % 9),
                "{}",
                n,
                n * 7 % ROWS,
            )
            for n in range(1, ROWS)
        ]
    )
    member_rows._join(
        [
            (4 * n + k, n % TENANTS, kind, str(n % width), n)
            for n in range(1, ROWS)
            for k, (kind, width) in enumerate({"DEPT": 300, "GROUP": 40, "POLICY": 3, "TO_POLICY": 2}.items())
        ]
    )
    if is_postgresql():
        bound.connection().execute("ANALYZE")


def plans(queries: Sequence[Query]) -> list[str]:
    connection = bound.connection()
    if not is_postgresql():
        return [
            "\n".join(
                row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", list(values)).fetchall()
            )
            for sql, values in queries
        ]
    for way in ("seqscan", "bitmapscan"):  # a few thousand rows are read either way as soon
        connection.execute(f"SET LOCAL enable_{way} = off")
    return [
        "\n".join(row[0] for row in connection.execute(f"EXPLAIN {sql}", list(values)).fetchall())
        for sql, values in queries
    ]


def walks(plan: str) -> bool:
    """Whether a table is read from its beginning to its end. A list given as JSON is no table."""
    lines = plan.splitlines()
    made_here = {f"SCAN {line.split()[1]}" for line in lines if line.startswith("CO-ROUTINE")}
    return "Seq Scan" in plan or any(
        line.startswith("SCAN") and "json_each" not in line and line not in made_here for line in lines
    )


def sorts(plan: str) -> bool:
    return "TEMP B-TREE" in plan or "Sort" in plan


def page(**request: Any) -> Any:
    return LIST.list(READER, None, PageRequest(**request))


IN_ORDER: list[tuple[dict[str, Any], str]] = [
    ({}, "member_tenant_id_user_id"),
    ({"skip": 20}, "member_tenant_id_user_id"),
    ({"order_by": "user_id desc"}, "member_tenant_id_user_id"),
    ({"order_by": "address"}, "member_tenant_id_address_user_id"),
    ({"order_by": "address desc"}, "member_tenant_id_address_user_id"),
    ({"order_by": "create_time"}, "member_tenant_id_id"),
    ({"order_by": "create_time desc"}, "member_tenant_id_id"),
    ({"order_by": "update_time"}, "member_tenant_id_update_time_user_id"),
    ({"order_by": "update_time desc, user_id desc"}, "member_tenant_id_update_time_user_id"),
    (
        {"filters": (where("address", Operator.EQUAL, "a7919@example.com"),)},
        "member_tenant_id_address_user_id",
    ),
]


async def test_every_order_is_that_of_an_index(store: Store, run: list[Query]) -> None:
    await store.write(fill)
    for request, index in IN_ORDER:
        run.clear()
        first = await store.read(page, page_size=10, count=Count.NONE, **request)
        token = first.token_after(len(first.items) - 1)
        rest = {name: value for name, value in request.items() if name != "skip"}
        await store.read(page, page_size=1000, count=Count.NONE, page_token=token, **rest)
        selects = [query for query in run if "ORDER BY" in query[0]]
        assert len(selects) == 2
        for plan in await store.read(plans, selects):
            assert index in plan.split(), (request, plan)
            assert not sorts(plan), (request, plan)
            assert not walks(plan), (request, plan)


@pytest.mark.parametrize("field", ["dept_id", "to_policy_code"])
async def test_who_belongs_to_an_object_is_found_through_its_index(
    store: Store, run: list[Query], field: str
) -> None:
    await store.write(fill)
    for condition in (where(field, Operator.EQUAL, "1"), where(field, Operator.IN, "1", "0")):
        run.clear()
        found = await store.read(page, filters=(condition,), count=Count.NONE)
        assert found.items
        [query] = [query for query in run if "ORDER BY" in query[0]]
        [plan] = await store.read(plans, [query])
        assert "membership_tenant_id_kind_object_key_member_id" in plan
        assert not walks(plan), plan


async def test_counting_walks_an_index(store: Store, run: list[Query]) -> None:
    await store.write(fill)
    counted = await store.read(page, page_size=5)
    assert counted.total_size == ROWS // TENANTS
    [query] = [query for query in run if "COUNT(*)" in query[0]]
    [plan] = await store.read(plans, [query])
    assert "member_tenant_id_id" in plan
    assert not walks(plan)


async def test_members_and_what_they_belong_to_are_loaded_by_key(store: Store, run: list[Query]) -> None:
    await store.write(fill)
    await store.read(page)
    texts = {member_list._BY_USER_ID.text(), member_list._MEMBERSHIPS.text()}
    load, memberships = await store.read(plans, [query for query in run if query[0] in texts][:2])
    assert "member_tenant_id_" in load
    assert "membership_member_id" in memberships
    assert not walks(load)
    assert not walks(memberships)


OF_OBJECTS = Statement(
    lambda: (
        Membership.select(Membership.member_id)
        .where(
            (Membership.tenant_id == bind("tenant_id"))
            & (Membership.kind == bind("kind"))
            & one_of(Membership.object_key, "keys")
            & (Membership.member_id > bind("after"))
        )
        .order_by(Membership.member_id)
        .limit(500)
    )
)
OF_AN_OBJECT = Statement(
    lambda: (
        Membership.select(Membership.member_id)
        .where(
            (Membership.tenant_id == bind("tenant_id"))
            & (Membership.kind == bind("kind"))
            & (Membership.object_key == bind("key"))
            & (Membership.member_id > bind("after"))
        )
        .order_by(Membership.member_id)
        .limit(500)
    )
)
# Said otherwise, PostgreSQL walks the primary key past everybody else's members (store/pages.py).
OF_A_TENANT = Statement(
    lambda: pages.by_id(
        pages.Rows(Member, ((Member.tenant_id, bind("tenant_id")),)),
        Member.id,
        descending=False,
        after=bind("after"),
    ).limit(500)
)


async def test_an_audience_is_looked_up_through_indexes(store: Store) -> None:
    await store.write(fill)
    asked = {"tenant_id": 1, "kind": "DEPT", "after": 100}

    def explained() -> list[str]:
        objects = OF_OBJECTS.values(**asked, keys=as_list(["1", "21", "41"]))
        return plans(
            [
                (OF_OBJECTS.text(), objects),
                (OF_AN_OBJECT.text(), OF_AN_OBJECT.values(**asked, key="21")),
                (OF_A_TENANT.text(), OF_A_TENANT.values(tenant_id=1, after=100)),
            ]
        )

    of_objects, of_an_object, of_a_tenant = await store.read(explained)
    for plan in (of_objects, of_an_object):
        assert "membership_tenant_id_kind_object_key_member_id" in plan
    assert "member_tenant_id_id" in of_a_tenant
    assert not any(map(walks, (of_objects, of_an_object, of_a_tenant)))
    assert not any(map(sorts, (of_an_object, of_a_tenant)))
