"""Filters mean the same on both databases, and the same as plain Python does."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import NOON
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.email_record import View
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Count, PageRequest
from postroom_server.mail.records import Records
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.filters import Filter, Operator, following
from postroom_server.store.operands import Moment, Type, parse
from postroom_server.store.unit import Store
from stored_mail import new_id, put_email

READER = Caller(1, 1, "reader", frozenset({Scope.READ}))
RECORDS = Records(PageTokens(b"k" * 32))

# What the rows hold, by the contract's names. None is a column without a value.
ROWS: list[dict[str, Any]] = [
    {"out_id": "a", "biz_key": "SIGNUP", "schedule_time": NOON, "sender_user_id": 7},
    {"out_id": "A", "biz_key": "SIGNUP_X", "schedule_time": NOON + 999, "html": True},
    {"out_id": "ab%c", "biz_key": "signup", "schedule_time": NOON + 1000, "urgent": True},
    {"out_id": "ab_c", "biz_key": None, "schedule_time": None, "sender_user_id": 8, "separate": False},
    {"out_id": "%", "biz_key": None, "schedule_time": NOON - 1, "state": "SUCCESS"},
    {"out_id": "_", "biz_key": "注册", "state": "FAILURE", "settle_time": NOON + 5, "test": True},
    {"out_id": "é\U0001f600x", "invoke_name": "welcome", "template_language": "zh-CN"},
    {"out_id": "\U0010ffff\U0010ffff", "invoke_name": "Welcome", "verification": True},
    {"out_id": "x' OR 1=1 --", "accept_time": NOON - 3600_000, "language": "en"},
]
DEFAULTS: dict[str, Any] = {
    "biz_key": None, "invoke_name": None, "language": None, "template_language": None, "schedule_time": None,
    "settle_time": None, "state": "PENDING", "html": False, "urgent": False, "test": False,
    "verification": False, "separate": True, "accept_time": NOON, "sender_user_id": 0,
    "from_address": "noreply@example.com",
}  # fmt: skip

AT_NOON = (NOON, NOON + 999)  # within the second
Predicate = Callable[[dict[str, Any]], bool]
CASES: list[tuple[str, str, list[str], Predicate]] = [
    ("out_id", "EQUAL", ["a"], lambda r: r["out_id"] == "a"),
    ("out_id", "EQUAL", ["x' OR 1=1 --"], lambda r: r["out_id"] == "x' OR 1=1 --"),
    ("out_id", "NOT_EQUAL", ["a"], lambda r: r["out_id"] != "a"),
    ("out_id", "CONTAINS", ["%"], lambda r: "%" in r["out_id"]),
    ("out_id", "CONTAINS", ["_"], lambda r: "_" in r["out_id"]),
    ("out_id", "CONTAINS", ["A"], lambda r: "A" in r["out_id"]),
    ("out_id", "CONTAINS", [""], lambda r: True),
    ("out_id", "NOT_CONTAINS", ["b"], lambda r: "b" not in r["out_id"]),
    ("out_id", "STARTS_WITH", ["a"], lambda r: r["out_id"].startswith("a")),
    ("out_id", "STARTS_WITH", ["ab_"], lambda r: r["out_id"].startswith("ab_")),
    ("out_id", "STARTS_WITH", ["é\U0001f600"], lambda r: r["out_id"].startswith("é\U0001f600")),
    ("out_id", "STARTS_WITH", ["\U0010ffff"], lambda r: r["out_id"].startswith("\U0010ffff")),
    ("out_id", "STARTS_WITH", [""], lambda r: True),
    ("out_id", "NOT_STARTS_WITH", ["a"], lambda r: not r["out_id"].startswith("a")),
    ("out_id", "IN", ["a", "%", "nobody"], lambda r: r["out_id"] in ("a", "%")),
    ("out_id", "NOT_IN", ["a", "%"], lambda r: r["out_id"] not in ("a", "%")),
    ("out_id", "IS_NULL", [], lambda r: False),
    ("out_id", "IS_NOT_NULL", [], lambda r: True),
    ("biz_key", "EQUAL", ["SIGNUP"], lambda r: r["biz_key"] == "SIGNUP"),
    ("biz_key", "NOT_EQUAL", ["SIGNUP"], lambda r: r["biz_key"] != "SIGNUP"),
    ("biz_key", "CONTAINS", ["册"], lambda r: "册" in (r["biz_key"] or "")),
    ("biz_key", "NOT_CONTAINS", ["SIGN"], lambda r: "SIGN" not in (r["biz_key"] or "")),
    ("biz_key", "STARTS_WITH", ["SIGNUP"], lambda r: (r["biz_key"] or "").startswith("SIGNUP")),
    ("biz_key", "STARTS_WITH", [""], lambda r: r["biz_key"] is not None),
    ("biz_key", "NOT_STARTS_WITH", ["SIGNUP"], lambda r: not (r["biz_key"] or "").startswith("SIGNUP")),
    ("biz_key", "NOT_STARTS_WITH", [""], lambda r: r["biz_key"] is None),
    ("biz_key", "IN", ["SIGNUP", "signup"], lambda r: r["biz_key"] in ("SIGNUP", "signup")),
    ("biz_key", "NOT_IN", ["SIGNUP"], lambda r: r["biz_key"] != "SIGNUP"),
    ("biz_key", "IS_NULL", [], lambda r: r["biz_key"] is None),
    ("biz_key", "IS_NOT_NULL", [], lambda r: r["biz_key"] is not None),
    ("invoke_name", "EQUAL", ["welcome"], lambda r: r["invoke_name"] == "welcome"),
    ("language", "STARTS_WITH", ["e"], lambda r: (r["language"] or "").startswith("e")),
    ("template_language", "EQUAL", ["zh-CN"], lambda r: r["template_language"] == "zh-CN"),
    ("from_address", "STARTS_WITH", ["noreply@"], lambda r: True),
    ("from_address", "STARTS_WITH", ["Noreply@"], lambda r: False),
    ("body_kind", "EQUAL", ["TEMPLATE"], lambda r: r["invoke_name"] is not None),
    ("body_kind", "IN", ["CUSTOM"], lambda r: r["invoke_name"] is None),
    ("body_kind", "NOT_EQUAL", ["CUSTOM"], lambda r: r["invoke_name"] is not None),
    ("body_kind", "IS_NULL", [], lambda r: False),
    ("copy_mode", "EQUAL", ["SHARED"], lambda r: not r["separate"]),
    ("copy_mode", "NOT_IN", ["SHARED"], lambda r: r["separate"]),
    ("state", "EQUAL", ["SUCCESS"], lambda r: r["state"] == "SUCCESS"),
    ("state", "IN", ["SUCCESS", "FAILURE"], lambda r: r["state"] != "PENDING"),
    ("state", "NOT_IN", ["SUCCESS"], lambda r: r["state"] != "SUCCESS"),
    ("html", "EQUAL", ["true"], lambda r: r["html"]),
    ("html", "NOT_EQUAL", ["true"], lambda r: not r["html"]),
    ("urgent", "EQUAL", ["true"], lambda r: r["urgent"]),
    ("test", "EQUAL", ["true"], lambda r: r["test"]),
    ("verification", "EQUAL", ["false"], lambda r: not r["verification"]),
    ("sender_user_id", "EQUAL", ["7"], lambda r: r["sender_user_id"] == 7),
    ("sender_user_id", "GREATER_THAN", ["7"], lambda r: r["sender_user_id"] > 7),
    ("sender_user_id", "IN", ["7", "8"], lambda r: r["sender_user_id"] in (7, 8)),
    ("sender_user_id", "NOT_IN", ["7", "-1"], lambda r: r["sender_user_id"] != 7),
    ("sender_user_id", "IS_NULL", [], lambda r: not r["sender_user_id"]),
    ("sender_user_id", "IS_NOT_NULL", [], lambda r: r["sender_user_id"]),
    ("sender_user_id", "LESS_THAN_EQUAL", ["9223372036854775807"], lambda r: True),
    ("tenant_id", "EQUAL", ["1"], lambda r: True),
    ("tenant_id", "EQUAL", ["2"], lambda r: False),
    ("schedule_time", "EQUAL", ["2026-06-01T12:00:00Z"], lambda r: r["schedule_time"] in AT_NOON),
    ("schedule_time", "EQUAL", ["2026-06-01T14:00:00+02:00"], lambda r: r["schedule_time"] in AT_NOON),
    ("schedule_time", "EQUAL", ["2026-06-01T12:00:00.0Z"], lambda r: r["schedule_time"] == NOON),
    ("schedule_time", "EQUAL", ["2026-06-01t12:00:00.999z"], lambda r: r["schedule_time"] == NOON + 999),
    (
        "schedule_time", "NOT_EQUAL", ["2026-06-01T12:00:00Z"],
        lambda r: r["schedule_time"] not in AT_NOON,
    ),
    ("schedule_time", "GREATER_THAN", ["2026-06-01T12:00:00Z"], lambda r: (r["schedule_time"] or 0) > NOON),
    (
        "schedule_time", "GREATER_THAN_EQUAL", ["2026-06-01T12:00:00Z"],
        lambda r: (r["schedule_time"] or 0) >= NOON,
    ),
    (
        "schedule_time", "LESS_THAN", ["2026-06-01T12:00:00Z"],
        lambda r: r["schedule_time"] is not None and r["schedule_time"] < NOON,
    ),
    ("schedule_time", "IS_NULL", [], lambda r: r["schedule_time"] is None),
    ("settle_time", "IS_NOT_NULL", [], lambda r: r["settle_time"] is not None),
    ("accept_time", "LESS_THAN", ["2026-06-01T12:00:00Z"], lambda r: r["accept_time"] < NOON),
    ("accept_time", "EQUAL", ["2026-06-01T12:00:00Z"], lambda r: r["accept_time"] == NOON),
    ("accept_time", "NOT_EQUAL", ["2026-06-01T12:00:00Z"], lambda r: r["accept_time"] != NOON),
    ("accept_time", "GREATER_THAN_EQUAL", ["0001-01-01T00:00:00Z"], lambda r: True),
    ("accept_time", "LESS_THAN_EQUAL", ["9999-12-31T23:59:59Z"], lambda r: True),
]  # fmt: skip


def fill() -> None:
    for row in ROWS:
        put_email(to=["ann@example.com"], **row)
    put_email(tenant_id=2, out_id="a", biz_key="SIGNUP")
    put_email(out_id="a", biz_key="SIGNUP", delete_time=NOON)


def listed(*filters: Filter, tenant_id: int = 1, **more: Any) -> list[str]:
    request = PageRequest(filters=filters, order_by="id", **more)
    page = RECORDS.page(READER, tenant_id, request, View.BASIC)
    assert page.total_size == len(page.items)
    return [email.out_id for email in page.items]


def every_case() -> dict[int, list[str]]:
    return {
        n: listed(Filter(field, Operator(operator), tuple(values)))
        for n, (field, operator, values, _) in enumerate(CASES)
    }


@pytest.mark.every_database
async def test_every_filter_finds_what_plain_python_finds(store: Store) -> None:
    await store.write(fill)
    found = await store.read(every_case)
    expected = {
        n: [row["out_id"] for row in ROWS if holds({**DEFAULTS, **row})]
        for n, (_, _, _, holds) in enumerate(CASES)
    }
    wrong = {CASES[n][:3]: found[n] for n in expected if found[n] != expected[n]} if found != expected else {}
    assert wrong == {}


async def test_filters_are_all_to_hold(store: Store) -> None:
    await store.write(fill)
    both = (
        Filter("biz_key", Operator.STARTS_WITH, ("SIGNUP",)),
        Filter("html", Operator.EQUAL, ("true",)),
    )
    assert await store.read(listed, *both) == ["A"]


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("EQUAL", ["bob@example.com"], ["two", "copied"]),
        ("NOT_EQUAL", ["bob@example.com"], ["one", "three"]),
        ("IN", ["ann@example.com", "cid@example.com"], ["one", "two", "three", "copied"]),
        ("NOT_IN", ["ann@example.com"], ["three"]),
        ("CONTAINS", ["b@"], ["two", "copied"]),
        ("NOT_CONTAINS", ["b@"], ["one", "three"]),
        ("STARTS_WITH", ["bob"], ["two", "copied"]),
        ("STARTS_WITH", ["Bob"], []),
        ("NOT_STARTS_WITH", ["bob"], ["one", "three"]),
        ("IS_NULL", [], []),
        ("IS_NOT_NULL", [], ["one", "two", "three", "copied"]),
    ],
)
async def test_emails_are_found_by_any_of_their_recipients(
    store: Store, operator: str, values: list[str], expected: list[str]
) -> None:
    def put() -> None:
        put_email(out_id="one", to=["ann@example.com"])
        put_email(out_id="two", to=["ann@example.com", "bob@example.com"])
        put_email(out_id="three", to=["cid@example.com"])
        put_email(out_id="copied", to=["ann@example.com"], cc=["bob@example.com"])
        put_email(out_id="foreign", to=["bob@example.com"], tenant_id=2)

    await store.write(put)
    asked = Filter("recipient_address", Operator(operator), tuple(values))
    assert await store.read(listed, asked) == expected


@pytest.mark.every_database
async def test_ids_are_compared_as_numbers(store: Store) -> None:
    first, second = sorted([new_id(), new_id()])
    await store.write(put_email, first, out_id="first")
    await store.write(put_email, second, out_id="second")
    assert await store.read(listed, Filter("id", Operator.GREATER_THAN, (str(first),))) == ["second"]
    assert await store.read(listed, Filter("id", Operator.IN, (str(first), "5"))) == ["first"]


async def test_a_thousand_values_are_taken(store: Store) -> None:
    await store.write(fill)
    values = tuple(f"v{n}" for n in range(999))
    assert await store.read(listed, Filter("out_id", Operator.IN, (*values, "a"))) == ["a"]


async def test_forty_filters_are_taken(store: Store) -> None:
    await store.write(fill)
    assert await store.read(listed, *[Filter("out_id", Operator.EQUAL, ("a",))] * 40) == ["a"]


@dataclasses.dataclass(frozen=True)
class Wrong:
    filter: Filter
    field: str
    reason: Reason = Reason.INVALID_FIELD


UNSUPPORTED = Reason.UNSUPPORTED_FILTER
WRONG = [
    Wrong(Filter("subject", Operator.EQUAL, ("a",)), "filters[0].field", UNSUPPORTED),
    Wrong(Filter("id; DROP TABLE email", Operator.EQUAL, ("1",)), "filters[0].field", UNSUPPORTED),
    Wrong(Filter("token_id", Operator.EQUAL, ("1",)), "filters[0].field", UNSUPPORTED),
    Wrong(Filter("out_id", None, ("a",)), "filters[0].operator", UNSUPPORTED),
    Wrong(Filter("out_id", Operator.GREATER_THAN, ("a",)), "filters[0].operator", UNSUPPORTED),
    Wrong(Filter("id", Operator.CONTAINS, ("1",)), "filters[0].operator", UNSUPPORTED),
    Wrong(Filter("html", Operator.IN, ("true",)), "filters[0].operator", UNSUPPORTED),
    Wrong(Filter("state", Operator.LESS_THAN, ("SUCCESS",)), "filters[0].operator", UNSUPPORTED),
    Wrong(Filter("settle_time", Operator.IN, ("2026-06-01T12:00:00Z",)), "filters[0].operator",
          UNSUPPORTED),
    Wrong(Filter("out_id", Operator.EQUAL, ()), "filters[0].values"),
    Wrong(Filter("out_id", Operator.EQUAL, ("a", "b")), "filters[0].values"),
    Wrong(Filter("out_id", Operator.IN, ()), "filters[0].values"),
    Wrong(Filter("out_id", Operator.IN, ("v",) * 1001), "filters[0].values"),
    Wrong(Filter("out_id", Operator.IS_NULL, ("a",)), "filters[0].values"),
    Wrong(Filter("out_id", Operator.EQUAL, ("v" * 801,)), "filters[0].values[0]"),
    Wrong(Filter("out_id", Operator.IN, ("a", "nul\0")), "filters[0].values[1]"),
    Wrong(Filter("id", Operator.EQUAL, ("9223372036854775808",)), "filters[0].values[0]"),
    Wrong(Filter("id", Operator.EQUAL, ("1e3",)), "filters[0].values[0]"),
    Wrong(Filter("id", Operator.EQUAL, ("١",)), "filters[0].values[0]"),
    Wrong(Filter("state", Operator.EQUAL, ("success",)), "filters[0].values[0]"),
    Wrong(Filter("html", Operator.EQUAL, ("1",)), "filters[0].values[0]"),
    Wrong(Filter("settle_time", Operator.EQUAL, ("2026-06-01",)), "filters[0].values[0]"),
    Wrong(Filter("settle_time", Operator.EQUAL, ("2026-02-30T00:00:00Z",)), "filters[0].values[0]"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.filter.field}-{wrong.filter.operator}")
async def test_a_filter_that_breaks_a_rule_is_named(store: Store, wrong: Wrong) -> None:
    with pytest.raises(Refusal) as caught:
        await store.read(listed, wrong.filter)
    assert [(v.field, v.reason) for v in caught.value.violations] == [(wrong.field, wrong.reason)]
    assert caught.value.reason is wrong.reason


async def test_everything_wrong_is_told_at_once(store: Store) -> None:
    request = PageRequest(
        page_size=-1,
        skip=-1,
        count=None,
        filters=(Filter("nothing", Operator.EQUAL, ("a",)), Filter("id", Operator.IN, ("x", "1", "y"))),
        order_by="subject",
    )
    with pytest.raises(Refusal) as caught:
        await store.read(RECORDS.page, READER, 1, request, None)
    assert [v.field for v in caught.value.violations] == [
        "view",
        "page_size",
        "skip",
        "count",
        "filters[0].field",
        "filters[1].values[0]",
        "filters[1].values[2]",
        "order_by",
    ]


async def test_a_forty_first_filter_is_refused(store: Store) -> None:
    with pytest.raises(Refusal) as caught:
        await store.read(listed, *[Filter("out_id", Operator.EQUAL, ("a",))] * 41)
    assert [v.field for v in caught.value.violations] == ["filters"]


async def test_nothing_is_counted_when_nobody_asks(store: Store) -> None:
    await store.write(fill)
    page = await store.read(RECORDS.page, READER, 1, PageRequest(count=Count.NONE), View.BASIC)
    assert (page.total_size, page.total_is_lower_bound, len(page.items)) == (0, True, len(ROWS))


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
edges = st.text(st.sampled_from("a\ud7ff\ue000\U0010ffff"), max_size=4)


@given(prefix=texts | edges, text=texts | edges)
def test_what_follows_a_prefix_bounds_all_that_begin_with_it(prefix: str, text: str) -> None:
    behind = following(prefix)
    assert text.startswith(prefix) is (text >= prefix and (behind is None or text < behind))


@given(st.datetimes(), st.sampled_from([0, 1, 2, 3, 6]))
def test_a_time_is_read_to_the_millisecond(moment: datetime.datetime, digits: int) -> None:
    fraction = f".{moment.microsecond:06}"[: digits + 1] if digits else ""
    second = moment.replace(microsecond=0)
    epoch = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - neither has a zone
    time = (second - epoch) // datetime.timedelta(milliseconds=1)
    read = parse(Type.TIME, f"{second.isoformat()}{fraction}Z")
    assert read == Moment(time + int((fraction[1:] + "000")[:3]), whole_second=not digits)
