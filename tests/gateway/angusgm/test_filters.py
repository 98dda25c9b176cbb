"""Filters as the product's conditions; the case files play them against real rows."""

from __future__ import annotations

import itertools
import urllib.parse
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import ManualClock
from postroom.v1 import filter_pb2
from postroom_server.gateway.angusgm.dates import Dates
from postroom_server.gateway.angusgm.filter_keys import KEYS, Kind
from postroom_server.gateway.angusgm.filters import Condition, Conditions
from postroom_server.gateway.angusgm.problem import ANSWERS, Problem
from postroom_server.gateway.angusgm.query import Query
from postroom_server.gateway.angusgm.words import OPERATORS
from postroom_server.mail import records
from postroom_server.store import filters as product
from postroom_server.store.operands import Type

GOOD = {
    Kind.NUMBER: "7", Kind.STRING: "x", Kind.LANGUAGE: "en", Kind.BOOLEAN: "true",
    Kind.DATE: "2026-06-01 12:00:00",
}  # fmt: skip
TYPES = {
    Kind.NUMBER: {Type.ID}, Kind.STRING: {Type.STRING}, Kind.LANGUAGE: {Type.STRING},
    Kind.WORD: {Type.STRING, Type.ENUM}, Kind.BOOLEAN: {Type.BOOLEAN, Type.ENUM}, Kind.DATE: {Type.TIME},
}  # fmt: skip


def read(**parameters: str) -> list[Condition]:
    raw = urllib.parse.urlencode(parameters).encode()
    return Conditions(Query(raw), Dates(ZoneInfo("UTC"), ManualClock())).all


def one(key: str, operator: str, value: str = "") -> Condition:
    (found,) = read(**{"filters[0].key": key, "filters[0].op": operator, "filters[0].value": value})
    return found


def refused(key: str, operator: str, value: str = "") -> str:
    with pytest.raises(Problem) as raised:
        one(key, operator, value)
    return raised.value.key


def test_every_key_is_one_that_the_product_has() -> None:
    for key in KEYS.values():
        field = records._FIELDS[key.field]
        assert field.type in TYPES[key.kind]
        if field.type is Type.ENUM:
            wanted = key.spells if key.kind is Kind.BOOLEAN else key.words
            assert set(wanted) == set(field.words or ())


@pytest.mark.parametrize(("name", "operator"), list(itertools.product(KEYS, OPERATORS)))
def test_what_is_let_through_is_what_the_product_allows(name: str, operator: str) -> None:
    key = KEYS[name]
    value = GOOD.get(key.kind) or key.words[0]
    try:
        found = one(name, operator, value)
    except Problem as problem:
        family = problem.key.removeprefix("unsupported_").removesuffix("_filter")
        assert family in ("range", "match", "in")
        return
    violations: list[object] = []
    asked = product.Filter(
        found.field,
        product.Operator(filter_pb2.FilterOperator.Name(found.operator).removeprefix("FILTER_OPERATOR_")),
        found.values,
    )
    product._operands("filters[0]", asked, records._FIELDS[found.field], violations)  # type: ignore[arg-type]
    assert not violations


@pytest.mark.parametrize(
    ("operator", "value", "wire", "sent"),
    [
        ("EQUAL", "2026-06-01 12:00:00", "EQUAL", "2026-06-01T12:00:00Z"),
        ("EQUAL", "2026-06-01T12:00:00.5Z", "EQUAL", "2026-06-01T12:00:00Z"),
        ("NOT_EQUAL", "2026-06-01T12:00:00.5Z", "NOT_EQUAL", "2026-06-01T12:00:00Z"),
        ("GREATER_THAN", "2026-06-01 12:00:00", "GREATER_THAN", "2026-06-01T12:00:00.999000000Z"),
        ("LESS_THAN_EQUAL", "2026-06-01 12:00:00", "LESS_THAN_EQUAL", "2026-06-01T12:00:00.999000000Z"),
        ("GREATER_THAN_EQUAL", "2026-06-01 12:00:00", "GREATER_THAN_EQUAL", "2026-06-01T12:00:00Z"),
        ("LESS_THAN", "2026-06-01 12:00:00", "LESS_THAN", "2026-06-01T12:00:00Z"),
        ("GREATER_THAN", "2026-06-01T12:00:00.5Z", "GREATER_THAN", "2026-06-01T12:00:00.500000000Z"),
    ],
)
def test_a_date_is_its_whole_second(operator: str, value: str, wire: str, sent: str) -> None:
    found = one("actualSendDate", operator, value)
    expected = filter_pb2.FilterOperator.Value(f"FILTER_OPERATOR_{wire}")
    assert (found.operator, found.values) == (expected, (sent,))


@pytest.mark.parametrize(
    ("key", "value", "values"),
    [
        ("id", "1,2,3", ("1", "2", "3")), ("id", " 1 , 2 ", ("1", "2")), ("id", "[1, 2]", ("1", "2")),
        ("id", '["1","2"]', ("1", "2")), ("id", "1,1,1", ("1",)), ("id", "007,7", ("7",)),
        ("outId", '["a,b","c"]', ("a,b", "c")), ("outId", "a,b", ("a", "b")),
        ("outId", "[1,1.50]", ("1", "1.50")), ("outId", '[""]', ("",)),
        ("outId", "[true]", ("true",)), ("language", "EN,zh_cn", ("en", "zh-CN")),
        ("sendStatus", '["PENDING"]', ("PENDING",)), ("bizKey", "BIND_MOBILE", ("BIND_MOBILE",)),
    ],
)  # fmt: skip
def test_lists_of_values(key: str, value: str, values: tuple[str, ...]) -> None:
    assert one(key, "IN", value).values == values


def test_a_thousand_values_and_one_more() -> None:
    thousand = ",".join(map(str, range(1000)))
    assert len(one("id", "IN", thousand).values) == 1000
    assert len(one("id", "NOT_IN", f"[{thousand}, 5]").values) == 1000
    assert refused("id", "IN", f"{thousand},1000") == "param_validation_error"


def test_twenty_filters_with_gaps_and_one_more() -> None:
    twenty = {f"filters[{i}].{part}": value for i in range(20)
              for part, value in (("key", "outId"), ("op", "MATCH"), ("value", str(i)))}  # fmt: skip
    assert [found.values for found in read(**twenty)] == [(str(i),) for i in range(20)]
    del twenty["filters[5].key"], twenty["filters[5].op"], twenty["filters[5].value"]
    assert len(read(**twenty)) == 19
    with pytest.raises(Problem) as raised:
        read(**twenty, **{"filters[20].key": "outId", "filters[20].op": "IS_NULL"})
    assert raised.value.key == "param_validation_error"


def test_a_value_that_is_not_needed_is_not_looked_at() -> None:
    assert one("id", "IS_NULL", "nonsense").values == ()


@given(
    st.dictionaries(
        st.sampled_from([f"filters[{i}].{part}" for i in (0, 1, 19, 20) for part in ("key", "op", "value")])
        | st.sampled_from([*KEYS, "filters", "filters[0]"]),
        st.sampled_from([*KEYS, *OPERATORS, "true", "7", "[1,2]", "2026-06-01 12:00:00", ""])
        | st.text(max_size=8),
        max_size=12,
    )
)
def test_any_query_becomes_conditions_or_one_problem(parameters: dict[str, str]) -> None:
    try:
        found = read(**parameters)
    except Problem as problem:
        assert ANSWERS[problem.key].status == 400  # noqa: PT017 - either end is right
        assert problem.violations  # noqa: PT017
        return
    asked = sum(name in KEYS and bool(value.strip()) for name, value in parameters.items())
    filters = len({name.partition("]")[0] for name in parameters if name.startswith("filters[")})
    # A condition is never passed over: that would answer with everything.
    assert len(found) == asked + filters
