"""Lists of members: filters, orders, pages, and how much fits into one."""

from __future__ import annotations

from typing import Any

import pytest

from directory import Directory, form, where
from peers.configuration import ACME, OTHER, STRANGER
from postroom_server.mail import member_list
from postroom_server.mail.pages import Count
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.filters import Operator
from postroom_server.store.opening import OpenDatabase

pytestmark = pytest.mark.every_database


@pytest.fixture
async def world(opened: OpenDatabase) -> Directory:
    """Five members, stored a second apart: 10, 20 and so on."""
    made = Directory(opened)
    await made.fill()
    for one in (
        form(10, "b@example.com", language="en", dept_ids=(1, 20), policy_codes=("GM", "GM_ADMIN")),
        form(20, "a@example.com", language="de", dept_ids=(3,), group_ids=(1,), to_policy_codes=("GM",)),
        form(30, "B@example.com", enabled=False, policy_codes=("GM_USER", "100")),
        form(40, "a@example.com", language="de-CH", dept_ids=(100, 3)),
        form(50, "é@example.com", group_ids=(20,), attributes={"name": "Eve"}),
    ):
        await made.put(one)
        made.clock.advance(1000)
    await made.put(
        form(20, "a@example.org", language="de", dept_ids=(3,), group_ids=(1,), to_policy_codes=("GM",))
    )
    await made.put(form(10, "stranger@example.com", dept_ids=(3,), policy_codes=("GM",)), caller=STRANGER)
    return made


O = Operator  # noqa: E741 - the tables below read better


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (where("user_id", O.EQUAL, "20"), [20]),
        (where("user_id", O.GREATER_THAN, "30"), [40, 50]),
        (where("user_id", O.NOT_IN, "10", "30"), [20, 40, 50]),
        (where("address", O.EQUAL, "b@example.com"), [10]),
        (where("address", O.EQUAL, "a@example.com"), [40]),
        (where("address", O.STARTS_WITH, "a@"), [20, 40]),
        (where("address", O.CONTAINS, "example.org"), [20]),
        (where("address", O.IN, "B@example.com", "b@example.com"), [10, 30]),
        (where("language", O.EQUAL, "de"), [20]),
        (where("language", O.STARTS_WITH, "de"), [20, 40]),
        (where("language", O.IS_NULL), [30, 50]),
        (where("language", O.NOT_EQUAL, "de"), [10, 30, 40, 50]),
        (where("enabled", O.EQUAL, "false"), [30]),
        (where("enabled", O.NOT_EQUAL, "false"), [10, 20, 40, 50]),
        (where("dept_id", O.EQUAL, "3"), [20, 40]),
        (where("dept_id", O.EQUAL, "003"), [20, 40]),
        (where("dept_id", O.NOT_EQUAL, "3"), [10, 30, 50]),
        (where("dept_id", O.IN, "1", "100", "7"), [10, 40]),
        (where("dept_id", O.NOT_IN, "1", "100"), [20, 30, 50]),
        (where("dept_id", O.GREATER_THAN, "3"), [10, 40]),
        (where("dept_id", O.GREATER_THAN_EQUAL, "3"), [10, 20, 40]),
        (where("dept_id", O.LESS_THAN, "3"), [10]),
        (where("dept_id", O.LESS_THAN_EQUAL, "3"), [10, 20, 40]),
        (where("dept_id", O.IS_NULL), [30, 50]),
        (where("dept_id", O.IS_NOT_NULL), [10, 20, 40]),
        (where("group_id", O.EQUAL, "1"), [20]),
        (where("group_id", O.GREATER_THAN, "1"), [50]),
        (where("policy_code", O.EQUAL, "GM"), [10]),
        (where("policy_code", O.EQUAL, "gm"), []),
        (where("policy_code", O.STARTS_WITH, "GM_"), [10, 30]),
        (where("policy_code", O.NOT_STARTS_WITH, "GM_"), [20, 40, 50]),
        (where("policy_code", O.CONTAINS, "_"), [10, 30]),
        (where("policy_code", O.IS_NULL), [20, 40, 50]),
        (where("to_policy_code", O.EQUAL, "GM"), [20]),
        (where("to_policy_code", O.NOT_IN, "GM"), [10, 30, 40, 50]),
        (where("create_time", O.EQUAL, "2026-06-01T12:00:01Z"), [20]),
        (where("create_time", O.GREATER_THAN, "2026-06-01T12:00:02Z"), [40, 50]),
        (where("update_time", O.GREATER_THAN_EQUAL, "2026-06-01T12:00:04Z"), [20, 50]),
        (where("update_time", O.LESS_THAN, "2026-06-01T12:00:02Z"), [10]),
    ],
)
async def test_a_filter_finds(world: Directory, condition: Any, found: list[int]) -> None:
    page = await world.page(condition, count=Count.EXACT)
    assert [record.user_id for record in page.items] == found
    assert page.total_size == len(found)


async def test_filters_narrow_each_other(world: Directory) -> None:
    both = where("dept_id", O.EQUAL, "3"), where("dept_id", O.EQUAL, "100")
    assert await world.users(*both) == [40]
    assert await world.users(*both, where("enabled", O.EQUAL, "false")) == []


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("", [10, 20, 30, 40, 50]),
        ("user_id desc", [50, 40, 30, 20, 10]),
        ("address", [30, 40, 20, 10, 50]),
        ("address desc", [50, 10, 20, 40, 30]),
        ("create_time desc", [50, 40, 30, 20, 10]),
        ("update_time", [10, 30, 40, 50, 20]),
        ("update_time desc, user_id", [20, 50, 40, 30, 10]),
    ],
)
async def test_an_order_holds_over_pages_of_every_size(
    world: Directory, order: str, found: list[int]
) -> None:
    for size in (1, 2, 3, 5):
        walked: list[int] = []
        token = ""
        for _ in range(0, 5, size):
            page = await world.page(order_by=order, page_size=size, page_token=token)
            walked += [record.user_id for record in page.items]
            token = page.token_after(len(page.items) - 1)
        assert (walked, page.has_more) == (found, False)


async def test_a_page_of_equal_keys_goes_on_where_it_ended(world: Directory) -> None:
    await world.put(*(form(100 + n, "same@example.com") for n in range(7)))
    wanted = where("address", O.EQUAL, "same@example.com")
    first = await world.page(wanted, page_size=3, order_by="address")
    second = await world.users(wanted, page_size=9, order_by="address", page_token=first.token_after(2))
    assert second == [103, 104, 105, 106]
    assert await world.users(wanted, skip=5) == [105, 106]


@pytest.mark.parametrize(
    ("request_", "field", "reason"),
    [
        ({"order_by": "language"}, "order_by", Reason.UNSUPPORTED_ORDER_BY),
        ({"order_by": "id"}, "order_by", Reason.UNSUPPORTED_ORDER_BY),
        ({"page_size": -1}, "page_size", Reason.INVALID_FIELD),
        ({"skip": -1}, "skip", Reason.INVALID_FIELD),
        ({"filters": [where("id", O.EQUAL, "1")]}, "filters[0].field", Reason.UNSUPPORTED_FILTER),
        ({"filters": [where("attributes", O.EQUAL, "1")]}, "filters[0].field", Reason.UNSUPPORTED_FILTER),
        ({"filters": [where("dept_id", O.EQUAL, "x")]}, "filters[0].values[0]", Reason.INVALID_FIELD),
        ({"filters": [where("dept_id", O.CONTAINS, "1")]}, "filters[0].operator", Reason.UNSUPPORTED_FILTER),
        (
            {"filters": [where("policy_code", O.LESS_THAN, "1")]},
            "filters[0].operator",
            Reason.UNSUPPORTED_FILTER,
        ),
    ],
)
async def test_what_a_list_does_not_know_is_refused(
    world: Directory, request_: dict[str, Any], field: str, reason: Reason
) -> None:
    rest = {name: value for name, value in request_.items() if name != "filters"}
    with pytest.raises(Refusal) as caught:
        await world.page(*request_.get("filters", ()), **rest)
    assert [(v.field, v.reason) for v in caught.value.violations] == [(field, reason)]


async def test_the_orders_that_exist_are_named(world: Directory) -> None:
    with pytest.raises(Refusal, match=r"each once of user_id, address, create_time, update_time$"):
        await world.page(order_by="id")


async def test_e2_filters_and_tokens_do_not_reach_other_tenants(world: Directory) -> None:
    foreign = where("address", O.EQUAL, "stranger@example.com")
    assert await world.users(foreign) == []
    assert await world.users(where("dept_id", O.NOT_EQUAL, "999")) == [10, 20, 30, 40, 50]
    (mine,) = await world.listed(where("user_id", O.EQUAL, "10"))
    (theirs,) = await world.listed(where("user_id", O.EQUAL, "10"), caller=STRANGER)
    assert (mine.tenant_id, mine.address) == (ACME, "b@example.com")
    assert (theirs.tenant_id, theirs.address) == (OTHER, "stranger@example.com")
    token = (await world.page(page_size=2)).token_after(1)
    with pytest.raises(Refusal) as caught:
        await world.page(page_size=2, page_token=token, caller=STRANGER)
    assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


async def test_a_page_ends_early_when_it_is_full(world: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_list, "_READ_TOGETHER", 2)
    await world.put(*(form(n, attributes={"a": "x" * 1000}) for n in range(100, 120)))
    monkeypatch.setattr(member_list, "_FULL_BYTES", 4500)
    wanted = where("user_id", O.GREATER_THAN_EQUAL, "100")
    page = await world.page(wanted, page_size=20)
    assert [record.user_id for record in page.items] == [100, 101, 102, 103, 104]
    assert (page.has_more, page.total_size) == (True, 20)
    assert (await world.users(wanted, page_token=page.token_after(4)))[0] == 105
    monkeypatch.setattr(member_list, "_FULL_BYTES", 0)
    assert await world.users(wanted) == [100]


async def test_sizes_at_their_limits(world: Directory) -> None:
    await world.put(*(form(n) for n in range(1000, 2000)))
    await world.put(*(form(n) for n in range(2000, 3000)))
    assert len(await world.users()) == 100
    assert len(await world.users(page_size=1000)) == 1000
    page = await world.page(page_size=1001, count=Count.EXACT)
    assert (len(page.items), page.total_size, page.has_more) == (1000, 2005, True)


async def test_a_member_that_was_deleted_is_not_listed(world: Directory) -> None:
    await world.delete(20, 40)
    assert await world.users(where("dept_id", O.EQUAL, "3")) == []
    assert await world.users() == [10, 30, 50]
