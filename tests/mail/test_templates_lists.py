"""Lists of templates and of their versions; restoring a version."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fakes import NOON, ManualClock
from peers.configuration import AUTHOR, OPERATOR, STRANGER, Configuration, content, template
from postroom_server.mail.pages import Count, Page, PageRequest
from postroom_server.mail.template_form import TemplateRecord, VersionRecord
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.filters import Filter, Operator
from postroom_server.store.models import ReviewState, TemplateKind
from postroom_server.store.opening import OpenDatabase


class World(Configuration):
    async def listed(self, request: PageRequest | None = None, **options: Any) -> Page[TemplateRecord]:
        return await self.store.read(
            self.template_list.list, options.pop("caller", AUTHOR), None, request or PageRequest(), **options
        )

    async def names(self, *filters: Filter, order_by: str = "", **options: Any) -> list[str]:
        page = await self.listed(PageRequest(filters=filters, order_by=order_by), **options)
        return [item.invoke_name for item in page.items]

    async def history(self, request: PageRequest | None = None, **options: Any) -> Page[VersionRecord]:
        return await self.store.read(
            self.versions.list, AUTHOR, None, "a", request or PageRequest(), **options
        )


@pytest.fixture
async def world(opened: OpenDatabase) -> World:
    """`c` is BATCH, `a` has three versions of which the second is sent, `b` waits for nobody."""
    clock = ManualClock()
    made = World(opened, clock)
    await made.fill()
    for name, kind in (("c", TemplateKind.BATCH), ("a", TemplateKind.TRIGGER), ("b", TemplateKind.TRIGGER)):
        form = dataclasses.replace(template(name), kind=kind, name=f"The {name}")
        await made.new_template(form, submit=name != "b")
        clock.advance(1000)
    await made.change_template(template("a", content("Two")), "content")
    await made.change_template(template("a", content("Three")), "content", submit=False)
    await made.new_template(template("foreign"), STRANGER)
    await made.new_template(template("shared"), OPERATOR)
    return made


async def test_templates_are_listed_oldest_first_without_content(world: World) -> None:
    page = await world.listed()
    assert [item.invoke_name for item in page.items] == ["c", "a", "b"]
    assert [(item.version, item.approved_version) for item in page.items] == [(1, 1), (3, 2), (1, 0)]
    assert all(item.content is None for item in page.items)
    assert (page.total_size, page.total_is_lower_bound, page.has_more) == (3, False, False)


async def test_the_platforms_are_listed_where_they_are_wanted(world: World) -> None:
    assert await world.names(include_platform=True, order_by="invoke_name desc") == ["shared", "c", "b", "a"]


@pytest.mark.parametrize(
    ("field", "operator", "values", "names"),
    [
        ("invoke_name", Operator.EQUAL, ["a"], ["a"]),
        ("invoke_name", Operator.EQUAL, ["A"], []),
        ("name", Operator.CONTAINS, ["e b"], ["b"]),
        ("kind", Operator.EQUAL, ["BATCH"], ["c"]),
        ("version", Operator.GREATER_THAN, ["1"], ["a"]),
        ("review_state", Operator.EQUAL, ["NOT_SUBMITTED"], ["a", "b"]),
        ("review_state", Operator.NOT_IN, ["NOT_SUBMITTED", "PENDING"], ["c"]),
        ("approved_version", Operator.IS_NULL, [], ["b"]),
        ("approved_version", Operator.EQUAL, ["2"], ["a"]),
        ("author", Operator.STARTS_WITH, ["auth"], ["c", "a", "b"]),
        ("author", Operator.NOT_EQUAL, ["author"], []),
        ("create_time", Operator.GREATER_THAN, ["2026-06-01T12:00:00Z"], ["a", "b"]),
        ("update_time", Operator.GREATER_THAN_EQUAL, ["2026-06-01T12:00:03Z"], ["a"]),
    ],
)
async def test_filters(
    world: World, field: str, operator: Operator, values: list[str], names: list[str]
) -> None:
    assert await world.names(Filter(field, operator, tuple(values))) == names


async def test_the_id_is_a_filter_and_an_order(world: World) -> None:
    page = await world.listed()
    ids = [item.id for item in page.items]
    assert await world.names(Filter("id", Operator.IN, (str(ids[2]), str(ids[0])))) == ["c", "b"]
    assert await world.names(order_by="id desc") == ["b", "a", "c"]


@pytest.mark.parametrize("order_by", ["name", "version", "kind desc", "tenant_id"])
async def test_e5_only_named_orders_are_allowed(world: World, order_by: str) -> None:
    with pytest.raises(Refusal) as caught:
        await world.names(order_by=order_by)
    assert caught.value.reason is Reason.UNSUPPORTED_ORDER_BY


async def test_pages_go_on_where_they_ended(world: World) -> None:
    request = PageRequest(page_size=2, order_by="update_time desc")
    first = await world.listed(request)
    rest = await world.listed(dataclasses.replace(request, page_token=first.token_after(1)))
    assert [item.invoke_name for item in [*first.items, *rest.items]] == ["a", "b", "c"]
    assert (first.has_more, rest.has_more) == (True, False)


async def test_a_token_is_good_for_its_own_list_only(world: World) -> None:
    token = (await world.listed(PageRequest(page_size=1))).token_after(0)
    request = PageRequest(page_size=1, page_token=token)
    for options in ({"caller": STRANGER}, {"include_platform": True}):
        with pytest.raises(Refusal) as caught:
            await world.listed(request, **options)
        assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


async def test_contents_come_where_they_are_wanted_and_a_page_ends_when_it_is_full(world: World) -> None:
    page = await world.listed(with_content=True)
    subjects = [item.content.variants[0].subject for item in page.items if item.content]
    assert subjects == ["Hi %name%", "Three", "Hi %name%"]
    large = content(html="<p>" + "字" * 300_000 + "</p>")
    await world.change_template(template("a", large), "content")
    full = await world.listed(with_content=True)
    rest = await world.listed(PageRequest(page_token=full.token_after(1)), with_content=True)
    assert [item.invoke_name for item in full.items] == ["c", "a"]
    assert [item.invoke_name for item in rest.items] == ["b"]
    assert (full.has_more, full.total_size) == (True, 3)


async def test_versions_are_listed_newest_first(world: World) -> None:
    page = await world.history()
    assert [version.version for version in page.items] == [3, 2, 1]
    assert [version.review_state for version in page.items] == [
        ReviewState.NOT_SUBMITTED,
        ReviewState.APPROVED,
        ReviewState.APPROVED,
    ]
    assert [version.author for version in page.items] == ["author"] * 3
    assert [version.create_time for version in page.items] == [NOON + 3000, NOON + 3000, NOON + 1000]
    assert all(version.content is None for version in page.items)


async def test_versions_are_paged_filtered_and_shown_whole(world: World) -> None:
    request = PageRequest(page_size=2, order_by="version", count=Count.NONE)
    first = await world.history(request, with_content=True)
    rest = await world.history(dataclasses.replace(request, page_token=first.token_after(1)))
    subjects = [version.content.variants[0].subject for version in first.items if version.content]
    assert subjects == ["Hi %name%", "Two"]
    assert [version.version for version in rest.items] == [3]
    waiting = PageRequest(filters=(Filter("review_state", Operator.EQUAL, ("NOT_SUBMITTED",)),))
    assert [version.version for version in (await world.history(waiting)).items] == [3]


async def test_e2_versions_of_others_are_not_found(world: World) -> None:
    for caller, name in ((STRANGER, "a"), (AUTHOR, "shared"), (AUTHOR, "nothing")):
        with pytest.raises(Refusal) as caught:
            await world.store.read(world.versions.list, caller, None, name, PageRequest())
        assert caught.value.reason is Reason.TEMPLATE_NOT_FOUND


async def test_a_restored_version_is_a_new_one_that_equals_the_old(world: World) -> None:
    restored = await world.store.write(
        world.versions.restore, AUTHOR, None, "a", 1, expected_version=3, submit=True
    )
    history = (await world.history(with_content=True)).items
    assert (restored.version, restored.approved_version) == (4, 4)
    assert restored.content == history[3].content
    assert [version.restored_version for version in history] == [1, 0, 0, 0]


async def test_restoring_checks_versions(world: World) -> None:
    restore = world.versions.restore
    with pytest.raises(Refusal) as unknown:
        await world.store.write(restore, AUTHOR, None, "a", 9)
    with pytest.raises(Refusal) as stale:
        await world.store.write(restore, AUTHOR, None, "a", 1, expected_version=2)
    assert unknown.value.reason is Reason.TEMPLATE_VERSION_NOT_FOUND
    assert stale.value.reason is Reason.VERSION_MISMATCH
    assert len((await world.history()).items) == 3
