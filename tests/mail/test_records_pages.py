"""Lists tell every email once, in order, page by page, and no page grows too large."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fakes import NOON
from postroom_server.mail import records as records_module
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.email_record import EmailRecord, View
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Count, Page, PageRequest
from postroom_server.mail.recipients import Recipients
from postroom_server.mail.records import Records
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.filters import Filter, Operator
from postroom_server.store.unit import Store
from stored_mail import new_id, put_email

READER = Caller(1, 1, "reader", frozenset({Scope.READ}))
INSIDER = Caller(1, 1, "insider", frozenset({Scope.READ, Scope.READ_CONTENT}))
TOKENS = PageTokens(b"k" * 32)
RECORDS = Records(TOKENS)
RECIPIENTS = Recipients(TOKENS)


def page_of(
    tenant_id: int = 1, view: View = View.BASIC, caller: Caller = READER, **request: Any
) -> Page[EmailRecord]:
    return RECORDS.page(caller, tenant_id, PageRequest(**request), view)


def ids_of(page: Page[Any]) -> list[int]:
    return [item.id for item in page.items]


def walk(size: int, **request: Any) -> list[int]:
    """Every id of a list, page by page."""
    found: list[int] = []
    token = ""
    while True:
        page = page_of(page_size=size, page_token=token, **request)
        found += ids_of(page)
        if not page.has_more:
            return found
        token = page.token_after(len(page.items) - 1)


async def test_the_newest_come_first(store: Store) -> None:
    ids = [await store.write(put_email) for _ in range(3)]
    await store.write(put_email, tenant_id=2)
    await store.write(put_email, delete_time=NOON)
    page = await store.read(page_of)
    assert (ids_of(page), page.total_size, page.total_is_lower_bound, page.has_more) == (
        ids[::-1],
        3,
        False,
        False,
    )


ORDERS = [
    "",
    "id",
    "id desc",
    "schedule_time",
    "schedule_time desc",
    "settle_time desc,id",
    "accept_time desc",
    "schedule_time, settle_time desc",
    "accept_time , schedule_time desc, id desc",
    "settle_time, schedule_time",
]


def by_order(order: str) -> Any:
    """The order, as plain Python sorts it: rows without a value last, ties by id as the first key goes."""
    keys = [(key.split()[0], key.endswith("desc")) for key in (order or "id desc").split(",")]
    # The order of accept is that of ids.
    keys = [("id" if name == "accept_time" else name, descending) for name, descending in keys]
    if "id" not in dict(keys):
        keys.append(("id", keys[0][1]))

    def place(row: dict[str, Any]) -> list[tuple[bool, int]]:
        found = []
        for name, descending in keys:
            value = row[name]
            found.append((value is None, 0 if value is None else -value if descending else value))
        return found

    return place


@pytest.mark.every_database
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 3, 100])
async def test_pages_tell_every_email_once_and_in_order(store: Store, order: str, size: int) -> None:
    rows = [
        {
            "id": new_id(),
            "schedule_time": None if n % 3 == 0 else NOON + n % 2,
            "settle_time": None if n % 4 < 2 else NOON - n % 5,
            "accept_time": NOON + n % 2,
        }
        for n in range(14)
    ]

    def put() -> None:
        for row in rows:
            put_email(row["id"], **{name: value for name, value in row.items() if name != "id"})

    await store.write(put)
    expected = [row["id"] for row in sorted(rows, key=by_order(order))]
    assert await store.read(walk, size, order_by=order) == expected
    for skip in (0, 1, 5, 9, 10, 13, 14, 20):
        assert (
            ids_of(await store.read(page_of, order_by=order, skip=skip, page_size=3))
            == expected[skip : skip + 3]
        )


async def test_filters_hold_on_every_page(store: Store) -> None:
    def put() -> list[int]:
        return [
            put_email(biz_key="A" if n % 2 else "B", schedule_time=None if n % 3 else NOON) for n in range(12)
        ]

    ids = await store.write(put)
    only_a = (Filter("biz_key", Operator.EQUAL, ("A",)),)
    assert sorted(await store.read(walk, 2, filters=only_a, order_by="schedule_time")) == ids[1::2]


async def test_a_page_ends_where_its_token_says_though_more_has_come(store: Store) -> None:
    old = [await store.write(put_email) for _ in range(4)]
    first = await store.read(page_of, page_size=2)
    token = first.token_after(1)
    await store.write(put_email)
    assert ids_of(await store.read(page_of, page_size=2, page_token=token)) == old[1::-1]


async def test_page_sizes(store: Store) -> None:
    def put() -> None:
        for _ in range(60):
            put_email()

    await store.write(put)
    assert len((await store.read(page_of)).items) == 50
    assert len((await store.read(page_of, page_size=60)).items) == 60
    assert len((await store.read(page_of, page_size=2_000_000)).items) == 60


async def test_a_page_holds_a_thousand_at_most(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def put() -> None:
        for _ in range(4):
            put_email()

    monkeypatch.setattr(RECORDS, "_listing", dataclasses.replace(RECORDS._listing, most_size=3))
    assert Records(TOKENS)._listing.most_size == 1000
    await store.write(put)
    page = await store.read(page_of, page_size=4)
    assert (len(page.items), page.has_more) == (3, True)


@pytest.mark.parametrize(
    ("request_", "field"),
    [({"page_size": -1}, "page_size"), ({"skip": -1}, "skip"), ({"skip": 1, "page_token": "x"}, "skip")],
)
async def test_a_size_or_skip_that_makes_no_sense_is_named(
    store: Store, request_: dict[str, Any], field: str
) -> None:
    with pytest.raises(Refusal) as caught:
        await store.read(page_of, **request_)
    assert [(v.field, v.reason) for v in caught.value.violations] == [(field, Reason.INVALID_FIELD)]


@pytest.mark.parametrize(
    "order",
    [
        "subject",
        "id asc",
        "id,id",
        "id desc desc",
        "schedule_time;",
        ",",
        "id,",
        "ID",
        "x" * 300,
        "id desc, (SELECT 1)",
    ],
)
async def test_an_order_that_is_not_offered_is_refused(store: Store, order: str) -> None:
    with pytest.raises(Refusal) as caught:
        await store.read(page_of, order_by=order)
    assert caught.value.reason is Reason.UNSUPPORTED_ORDER_BY


async def test_a_token_is_refused_with_another_tenant_filter_or_order(store: Store) -> None:
    for tenant_id in (1, 1, 2, 2):
        await store.write(put_email, tenant_id=tenant_id)
    token = (await store.read(page_of, page_size=1)).token_after(0)
    assert len((await store.read(page_of, page_token=token, order_by=" id  desc ")).items) == 1
    others: list[dict[str, Any]] = [
        {"tenant_id": 2},
        {"order_by": "id"},
        {"filters": (Filter("html", Operator.EQUAL, ("false",)),)},
    ]
    for other in others:
        with pytest.raises(Refusal) as caught:
            await store.read(page_of, page_token=token, **other)
        assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


# Counts.


async def test_counting_ends_at_ten_thousand_unless_asked_for_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom_server.mail.pages.COUNTED", 5)

    def put() -> None:
        for _ in range(7):
            put_email()

    await store.write(put)
    few = await store.read(page_of, page_size=2)
    exact = await store.read(page_of, page_size=2, count=Count.EXACT)
    none = await store.read(page_of, page_size=2, count=Count.NONE)
    assert (few.total_size, few.total_is_lower_bound) == (5, True)
    assert (exact.total_size, exact.total_is_lower_bound) == (7, False)
    assert (none.total_size, none.total_is_lower_bound) == (0, True)


async def test_later_pages_and_pages_past_the_end_count_the_same(store: Store) -> None:
    def put() -> None:
        for _ in range(5):
            put_email()

    await store.write(put)
    token = (await store.read(page_of, page_size=3)).token_after(2)
    last = await store.read(page_of, page_size=3, page_token=token)
    beyond = await store.read(page_of, skip=9)
    assert (len(last.items), last.total_size, last.has_more) == (2, 5, False)
    assert (beyond.items, beyond.total_size, beyond.has_more) == ([], 5, False)


# What a page may weigh.


async def test_a_page_ends_early_where_it_would_read_too_many_addresses(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "PAGE_ADDRESSES", 5)

    def put() -> list[int]:
        return [put_email(to=[f"{n}@example.com" for n in range(size)]) for size in (2, 9, 2, 2)]

    ids = await store.write(put)
    assert ids_of(await store.read(page_of)) == [ids[3], ids[2]]
    assert await store.read(walk, 10) == ids[::-1]


async def test_a_page_of_details_ends_early_where_it_is_heavy(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "PAGE_BYTES", 20_000)

    def put() -> list[int]:
        return [put_email(content={"text": "x" * 12_000}) for _ in range(4)]

    ids = await store.write(put)
    page = await store.read(page_of, view=View.DETAIL, caller=INSIDER)
    assert (ids_of(page), page.has_more) == ([ids[3], ids[2]], True)
    assert await store.read(walk, 10, view=View.DETAIL, caller=INSIDER) == ids[::-1]
