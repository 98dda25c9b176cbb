"""The directory as its callers change it: members are stored, replaced whole, deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from directory import Directory, form
from fakes import NOON
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, STRANGER
from postroom_server.mail import members as use_cases
from postroom_server.mail.members import Stored
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.ids import first_id_at
from postroom_server.store.models import Member, Membership, bound
from postroom_server.store.opening import OpenDatabase
from refusing import refusal_of

pytestmark = pytest.mark.every_database
EVERYTHING = {
    "language": "zh_cn",
    "dept_ids": (3, 1, 3),
    "group_ids": (9,),
    "policy_codes": ("GM_USER", "GM_ADMIN"),
    "to_policy_codes": ("OP",),
    "enabled": False,
    "attributes": {"name": "Ann", "level": 2.0, "share": 0.5, "tags": ["a", None], "deep": {"x": True}},
}


@pytest.fixture
async def world(opened: OpenDatabase) -> Directory:
    made = Directory(opened)
    await made.fill()
    return made


def rows_of(tenant_id: int) -> tuple[list[Any], list[Any]]:
    """Every row of a tenant's directory, whole."""
    return (
        sorted(Member.select().where(Member.tenant_id == tenant_id).tuples()),
        sorted(Membership.select().where(Membership.tenant_id == tenant_id).tuples()),
    )


async def test_a_member_is_read_back_in_one_spelling(world: Directory) -> None:
    stored, refused = await world.put(form(5, "Ann@EXAMPLE.com", **EVERYTHING))
    (record,) = await world.listed()
    assert (stored, refused) == (Stored(1, 0), [])
    assert (record.tenant_id, record.user_id, record.address) == (ACME, 5, "Ann@example.com")
    assert (record.language, record.enabled) == ("zh-CN", False)
    assert (record.dept_ids, record.group_ids) == ((1, 3), (9,))
    assert (record.policy_codes, record.to_policy_codes) == (("GM_ADMIN", "GM_USER"), ("OP",))
    assert record.attributes == EVERYTHING["attributes"]
    assert repr(record.attributes["level"]) == "2"
    assert (record.create_time, record.update_time) == (NOON, NOON)


async def test_who_is_known_is_replaced_whole_and_keeps_its_beginning(world: Directory) -> None:
    await world.put(form(5, **EVERYTHING), form(6, dept_ids=(1,)))
    before = await world.store.read(rows_of, ACME)
    world.clock.advance(1000)
    stored, _ = await world.put(form(5, "new@example.com", dept_ids=(1, 7)), form(7))
    ann, fay, gus = await world.listed()
    after = await world.store.read(rows_of, ACME)
    assert stored == Stored(1, 1)
    assert (ann.address, ann.language, ann.enabled, ann.attributes) == ("new@example.com", "", True, {})
    assert (ann.dept_ids, ann.group_ids, ann.policy_codes, ann.to_policy_codes) == ((1, 7), (), (), ())
    assert (ann.create_time, ann.update_time) == (NOON, NOON + 1000)
    assert [fay.update_time, gus.create_time] == [NOON, NOON + 1000]
    assert [row[0] for row in before[0]] == [row[0] for row in after[0]][:2]


async def test_of_equal_user_ids_the_last_one_stays(world: Directory) -> None:
    stored, _ = await world.put(form(5, "first@example.com", dept_ids=(1,)), form(5, "last@example.com"))
    (record,) = await world.listed()
    assert stored == Stored(1, 0)
    assert (record.address, record.dept_ids) == ("last@example.com", ())


async def test_of_equal_user_ids_the_last_that_is_right_stays(world: Directory) -> None:
    stored, refused = await world.put(form(5, "first@example.com"), form(5, "wrong"))
    assert (stored, [one.index for one in refused]) == (Stored(1, 0), [1])
    assert [record.address for record in await world.listed()] == ["first@example.com"]


async def test_repeating_changes_no_row(world: Directory) -> None:
    await world.put(form(5, **EVERYTHING), form(6))
    before = await world.store.read(rows_of, ACME)
    world.clock.advance(1000)
    stored, _ = await world.put(form(5, **EVERYTHING), form(6))
    assert stored == Stored(0, 2)
    assert await world.store.read(rows_of, ACME) == before


@pytest.mark.parametrize(
    "change",
    [
        {"language": "en"},
        {"dept_ids": (1,)},
        {"dept_ids": (1, 3, 4)},
        {"policy_codes": ("GM_USER", "gm_admin")},
        {"to_policy_codes": ()},
        {"enabled": True},
        {"attributes": {}},
    ],
)
async def test_each_change_moves_the_update_time(world: Directory, change: dict[str, Any]) -> None:
    await world.put(form(5, **EVERYTHING))
    world.clock.advance(1000)
    await world.put(form(5, **{**EVERYTHING, **change}))
    (record,) = await world.listed()
    assert (record.create_time, record.update_time) == (NOON, NOON + 1000)


async def test_kinds_of_memberships_are_kept_apart(world: Directory) -> None:
    await world.put(
        form(5, dept_ids=(1,), policy_codes=("1",)), form(6, group_ids=(1,), to_policy_codes=("1",))
    )
    await world.put(form(5, group_ids=(1,), to_policy_codes=("1",)))
    five, six = await world.listed()
    assert (five.dept_ids, five.policy_codes) == ((), ())
    assert (five.group_ids, five.to_policy_codes) == (six.group_ids, six.to_policy_codes) == ((1,), ("1",))


async def test_ids_grow_with_time(world: Directory) -> None:
    await world.put(form(9), form(2))
    world.clock.advance(10)
    await world.put(form(1), form(9, "other@example.com"))
    members, _ = await world.store.read(rows_of, ACME)
    assert [row[2] for row in members] == [2, 9, 1]
    assert members[0][0] >= first_id_at(NOON)
    assert members[2][0] >= first_id_at(NOON + 10)


async def test_a_thousand_at_once_and_not_one_more(world: Directory) -> None:
    forms = [form(user_id, dept_ids=(user_id,)) for user_id in range(1, 1002)]
    assert await world.put(*forms[:1000]) == (Stored(1000, 0), [])
    assert await world.put(*forms[1:]) == (Stored(1, 999), [])
    for wrong in (forms, []):
        refused = await refusal_of(world.put(*wrong))
        assert (refused.reason, [v.field for v in refused.violations]) == (Reason.INVALID_FIELD, ["members"])
    for ids in (range(1001), []):
        refused = await refusal_of(world.delete(*ids))
        assert (refused.reason, [v.field for v in refused.violations]) == (Reason.INVALID_FIELD, ["user_ids"])
    assert await world.delete(*range(1, 1001)) == 1000
    assert await world.users() == [1001]


async def test_a_refused_member_does_not_fail_the_others(world: Directory) -> None:
    stored, refused = await world.put(form(1), form(0, "wrong"), form(2), form(3, language="?"))
    assert stored == Stored(2, 0)
    assert await world.users() == [1, 2]
    assert [(one.index, [v.field for v in one.refusal.violations]) for one in refused] == [
        (1, ["user_id", "address"]),
        (3, ["language"]),
    ]


async def test_when_all_are_refused_nothing_is_stored(world: Directory) -> None:
    stored, refused = await world.put(form(0))
    assert (stored, len(refused)) == (Stored(0, 0), 1)
    assert await world.users() == []


async def test_a_crowd_of_memberships_is_written_in_parts(
    world: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use_cases, "_MOST_MEMBERSHIPS", 4)
    forms = [form(user_id, dept_ids=(1, 2)) for user_id in range(1, 6)] + [form(9, dept_ids=range(1, 10))]
    batch = world.members.check(len(forms), forms)
    assert [[member.user_id for member in part] for part in batch.parts] == [[1, 2], [3, 4], [5], [9]]
    assert await world.put(*forms) == (Stored(6, 0), [])
    parts = await world.store.read(world.members.delete_parts, AUTHOR, None, [9, 5, 1, 2, 3, 3])
    assert parts == [[1, 2], [3, 5], [9]]
    assert await world.delete(9, 5, 1, 2, 3, 3) == 5
    assert await world.users() == [4]


async def test_deleting_takes_what_they_belonged_to_along(world: Directory) -> None:
    await world.put(form(1, **EVERYTHING), form(2, **EVERYTHING))
    assert await world.delete(1, 77, 1) == 1
    members, memberships = await world.store.read(rows_of, ACME)
    assert [row[2] for row in members] == [2]
    assert {row[4] for row in memberships} == {members[0][0]}


async def test_deleting_nobody_is_not_found_and_so_is_repeating(world: Directory) -> None:
    await world.put(form(1))
    await world.delete(1)
    refused = await refusal_of(world.delete(1, 2))
    assert (refused.reason, refused.violations) == (Reason.MEMBER_NOT_FOUND, ())


async def test_e2_tenants_share_user_ids_and_nothing_else(world: Directory) -> None:
    await world.put(form(5, "ann@example.com", dept_ids=(1,)))
    before = await world.store.read(rows_of, ACME)
    assert await world.put(form(5, "other@example.com"), caller=STRANGER) == (Stored(1, 0), [])
    assert await world.delete(5, caller=STRANGER) == 1
    assert (await refusal_of(world.delete(5, caller=STRANGER))).reason is Reason.MEMBER_NOT_FOUND
    assert await world.store.read(rows_of, ACME) == before
    assert await world.store.read(rows_of, OTHER) == ([], [])


async def test_e4_naming_another_tenant_needs_scope_platform(world: Directory) -> None:
    await world.put(form(5), caller=OPERATOR, tenant_id=ACME)
    assert await world.users() == [5]
    assert await world.users(caller=OPERATOR) == []
    for refused in (
        world.put(form(5), caller=STRANGER, tenant_id=ACME),
        world.put(form(0), caller=STRANGER, tenant_id=ACME),
        world.delete(5, caller=STRANGER, tenant_id=ACME),
        world.page(caller=STRANGER, tenant_id=ACME),
    ):
        assert (await refusal_of(refused)).reason is Reason.TENANT_FORBIDDEN
    assert await world.delete(5, caller=OPERATOR, tenant_id=ACME) == 1


async def test_a_tenant_that_is_not_there_gets_no_members(world: Directory) -> None:
    refused = await refusal_of(world.put(form(5), caller=OPERATOR, tenant_id=99))
    assert refused.reason is Reason.TENANT_NOT_FOUND


async def test_calls_about_the_same_members_take_turns(world: Directory) -> None:
    async def some(number: int) -> Stored:
        forms = [form(user_id, dept_ids=(number, 100 + number)) for user_id in range(1, 41)]
        return (await world.put(*(forms if number % 2 else reversed(forms))))[0]

    results = await asyncio.gather(*(some(number) for number in range(1, 9)))
    assert sum(result.created_count for result in results) == 40
    assert sum(result.updated_count for result in results) == 7 * 40
    # Each batch is stored whole or not at all: the last one stands.
    objects = {record.dept_ids for record in await world.listed()}
    assert len(objects) == 1
    ((first, second),) = objects
    assert second == 100 + first
    members, memberships = await world.store.read(rows_of, ACME)
    assert (len(members), len(memberships)) == (40, 80)


async def test_storing_and_deleting_at_once_leaves_no_orphans(world: Directory) -> None:
    async def remove() -> int:
        try:
            return await world.delete(*range(1, 41))
        except Refusal:
            return 0

    for _ in range(3):
        await world.put(*(form(user_id, dept_ids=(1, 2)) for user_id in range(1, 21)))
        await asyncio.gather(
            *(world.put(*(form(n, dept_ids=(k,)) for n in range(1, 41))) for k in range(1, 4)),
            *(remove() for _ in range(3)),
        )
        members, memberships = await world.store.read(rows_of, ACME)
        held = {row[4] for row in memberships}
        assert held == {row[0] for row in members}
        assert len(memberships) == len(members)


async def test_a_batch_that_fails_in_the_middle_leaves_nothing(
    world: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DiskTroubleError(Exception):
        pass

    def fail(_: object) -> None:
        assert bound.connection() is not None
        raise DiskTroubleError

    monkeypatch.setattr("postroom_server.mail.member_rows._join", fail)
    with pytest.raises(DiskTroubleError):
        await world.put(form(1, dept_ids=(1,)), form(2))
    assert await world.store.read(rows_of, ACME) == ([], [])
