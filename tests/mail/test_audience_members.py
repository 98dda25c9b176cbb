"""Whom an audience holds: everybody once, in the order of their ids, whatever page they come in."""

from __future__ import annotations

import random
from typing import Any

import pytest

from audiences import ALL, Audiences, audience, put_members, put_memberships
from peers.configuration import ACME, OTHER
from postroom_server.mail.audience_members import (
    MEMBERSHIPS_POSTGRESQL,
    MEMBERSHIPS_SQLITE,
    TENANTS_POSTGRESQL,
    TENANTS_SQLITE,
    find_unknown,
    next_members,
)
from postroom_server.store.models import PLATFORM_TENANT, Member, bound
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.statement import as_list

pytestmark = pytest.mark.every_database


@pytest.fixture
async def world(opened: OpenDatabase) -> Audiences:
    made = Audiences(opened)
    await made.fill()
    return made


async def test_each_type_finds_its_own(world: Audiences) -> None:
    await world.members([1, 2], of=[("DEPT", "10"), ("GROUP", "10")])
    await world.members([3], of=[("GROUP", "20"), ("POLICY", "VIP"), ("POLICY", "30")])
    await world.members([4], of=[("TO_POLICY", "VIP")])
    await world.members([5, 6], tenant_id=OTHER, of=[])
    await world.store.write(lambda: put_memberships([(5, "DEPT", "10"), (6, "GROUP", "20")], OTHER))
    wanted = {
        audience("DEPT", 10): [1, 2],
        audience("GROUP", 10, 20): [1, 2, 3],
        audience("GROUP", 20, 20): [3],
        audience("USER", 4, 2, 2, 99): [2, 4],
        audience("POLICY", codes=["VIP"]): [3],
        audience("POLICY", 30): [3],
        audience("POLICY", 30, codes=["VIP", "vip"]): [3],
        audience("TO_POLICY", codes=["VIP"]): [4],
        audience("TENANT"): [1, 2, 3, 4],
        audience("TENANT", OTHER): [5, 6],
        audience("TENANT", OTHER, ACME): [1, 2, 3, 4, 5, 6],
        ALL: [1, 2, 3, 4],
        audience("DEPT", 11): [],
    }
    for asked, ids in wanted.items():
        assert [id_ for page in await world.found(asked) for id_ in page] == ids, asked


async def test_the_platform_finds_everybody_and_a_tenant_its_own(world: Audiences) -> None:
    await world.members([1, 3])
    await world.members([2], tenant_id=OTHER)
    await world.members([4], tenant_id=PLATFORM_TENANT)
    assert await world.found(ALL, tenant_id=PLATFORM_TENANT) == [[1, 2, 3, 4]]
    assert await world.found(ALL, tenant_id=OTHER) == [[2]]
    assert await world.found(audience("TENANT"), tenant_id=PLATFORM_TENANT) == [[4]]


async def test_who_is_disabled_is_left_out_and_passed_over(world: Audiences) -> None:
    await world.members([1, 4], of=[("DEPT", "1")])
    await world.members([2, 3], of=[("DEPT", "1")], enabled=False)
    assert await world.found(audience("DEPT", 1), limit=3) == [[1], [4]]
    assert await world.found(ALL, limit=1) == [[1], [], [], [4], []]
    page = await world.store.read(next_members, audience("DEPT", 1), ACME, 0, 3)
    assert (page.cursor, page.is_last) == (3, False)


@pytest.mark.parametrize("limit", [1, 2, 499, 500, 501])
async def test_pages_hold_as_many_as_they_may_and_the_last_one_says_so(world: Audiences, limit: int) -> None:
    await world.members(range(1, 501), of=[("GROUP", "1")])
    for asked in (ALL, audience("GROUP", 1), audience("USER", *range(1, 501)), audience("TENANT", ACME)):
        pages = await world.found(asked, limit=limit)
        assert [id_ for page in pages for id_ in page] == list(range(1, 501))
        assert max(map(len, pages)) == min(limit, 500)


async def test_everybody_of_many_groups_comes_once_however_they_overlap(world: Audiences) -> None:
    chance = random.Random(7)
    rows = [(id_, "GROUP", str(group)) for id_ in range(1, 1201) for group in chance.sample(range(1, 61), 3)]
    await world.members(range(1, 1201))
    await world.store.write(lambda: put_memberships(rows))
    for groups, limit in ((range(1, 61), 500), (range(1, 31), 100), ([3], 50), (range(40, 81), 7)):
        wanted = sorted({id_ for id_, _, key in rows if int(key) in groups})
        pages = await world.found(audience("GROUP", *groups), limit=limit)
        assert [id_ for page in pages for id_ in page] == wanted
        assert max(map(len, pages)) <= limit


async def test_of_many_groups_no_page_is_nearly_empty(world: Audiences) -> None:
    """A crowd at the front of one group, and a few far behind in each of the others."""
    await world.members(range(1, 601), of=[("GROUP", "1")])
    await world.members(range(601, 1001))
    await world.store.write(
        lambda: put_memberships((id_, "GROUP", str(id_ - 600 + 1)) for id_ in range(601, 1001))
    )
    pages = await world.found(audience("GROUP", *range(1, 402)))
    assert [id_ for page in pages for id_ in page] == list(range(1, 1001))
    assert len(pages) <= 8


async def test_who_is_added_behind_the_cursor_comes_and_who_moves_comes_once(world: Audiences) -> None:
    await world.members([1, 2], of=[("GROUP", "1")])
    await world.members([3], of=[("GROUP", "2")])
    asked = audience("GROUP", 1, 2)
    first = await world.store.read(next_members, asked, ACME, 0, 2)
    assert [member.id for member in first.members] == [1, 2]
    await world.members([4], of=[("GROUP", "1")])
    await world.store.write(lambda: put_memberships([(3, "GROUP", "1"), (1, "GROUP", "2")]))
    second = await world.store.read(next_members, asked, ACME, first.cursor, 2)
    assert [member.id for member in second.members] == [3, 4]


async def test_what_names_nobody_is_told(world: Audiences) -> None:
    await world.members([1], of=[("DEPT", "10"), ("POLICY", "VIP")], enabled=False)
    for asked, ids, codes in [
        (audience("DEPT", 10, 11, 11, 9), (11, 9), ()),
        (audience("USER", 1, 2), (2,), ()),
        (audience("POLICY", 10, codes=["VIP", "vip", "no"]), (10,), ("vip", "no")),
        (audience("TENANT", ACME, OTHER, 12345), (OTHER, 12345), ()),
        (audience("TENANT"), (), ()),
        (ALL, (), ()),
    ]:
        unknown = await world.store.read(find_unknown, asked, ACME)
        assert (unknown.object_ids, unknown.policy_codes) == (ids, codes), asked


async def test_a_deleted_member_leaves_no_trace(world: Audiences) -> None:
    await world.members([1, 2, 3], of=[("DEPT", "1")])
    # The membership of somebody who is gone, should there ever be one, stops nobody.
    await world.store.write(lambda: Member.delete().where(Member.id >= 2).execute())
    assert await world.found(audience("DEPT", 1), limit=1) == [[1], [], [], []]


async def test_pages_are_read_by_indexes(world: Audiences, database: str) -> None:
    def plans() -> list[str]:
        connection = bound.connection()
        found = []
        for sqlite, postgresql, keys, of in (
            (MEMBERSHIPS_SQLITE, MEMBERSHIPS_POSTGRESQL, ["1", "2"], (ACME, "GROUP")),
            (TENANTS_SQLITE, TENANTS_POSTGRESQL, [ACME, OTHER], ()),
        ):
            values: tuple[Any, ...] = (as_list(keys), *of, 0, 500)
            if database.startswith("sqlite"):
                rows = connection.execute(f"EXPLAIN QUERY PLAN {sqlite}", values).fetchall()
            else:
                connection.execute("SET LOCAL enable_seqscan = off")
                connection.execute("SET LOCAL enable_bitmapscan = off")
                rows = connection.execute(f"EXPLAIN {postgresql}", values).fetchall()
            found.append("\n".join(str(row[-1]) for row in rows))
        return found

    await world.store.write(lambda: put_members(range(1, 2001), of=[("GROUP", "1"), ("GROUP", "2")]))
    memberships, tenants = await world.store.write(plans)
    assert "membership_tenant_id_kind_object_key_member_id" in memberships
    assert "member_tenant_id_id" in tenants
    for plan in (memberships, tenants):
        assert "SCAN m\n" not in plan
        assert "Seq Scan" not in plan
        assert "Sort" not in plan
        assert "TEMP B-TREE" not in plan
