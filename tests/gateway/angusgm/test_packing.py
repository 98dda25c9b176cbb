"""More conditions than the product takes at once: fewer that mean the same."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.v1 import filter_pb2
from postroom_server.gateway.angusgm.filters import Condition
from postroom_server.gateway.angusgm.packing import packed

EQUAL, NOT_EQUAL = filter_pb2.FILTER_OPERATOR_EQUAL, filter_pb2.FILTER_OPERATOR_NOT_EQUAL
IN, NOT_IN = filter_pb2.FILTER_OPERATOR_IN, filter_pb2.FILTER_OPERATOR_NOT_IN
CONTAINS = filter_pb2.FILTER_OPERATOR_CONTAINS


def condition(field: str, operator: filter_pb2.FilterOperator, *values: str) -> Condition:
    return Condition("n", field, operator, values)


def holds(conditions: Sequence[Condition], row: dict[str, str | None]) -> bool:
    """What the product makes of them: NOT forms hold for rows without a value, too."""
    for one in conditions:
        value = row[one.field]
        found = value in one.values
        if one.operator == CONTAINS:
            found = value is not None and one.values[0] in value
        if found is (one.operator in (NOT_EQUAL, NOT_IN)):
            return False
    return True


values = st.sampled_from("abcd")
fields = st.sampled_from(["out_id", "biz_key", "html"])
conditions = st.one_of(
    st.builds(condition, fields, st.sampled_from([EQUAL, NOT_EQUAL]), values),
    st.builds(condition, st.just("out_id"), st.just(CONTAINS), values),
    st.builds(
        lambda field, operator, listed: condition(field, operator, *listed),
        st.sampled_from(["out_id", "biz_key"]),
        st.sampled_from([IN, NOT_IN]),
        st.lists(values, min_size=1, max_size=4, unique=True),
    ),
)


@given(
    st.lists(conditions, min_size=21, max_size=35),
    st.fixed_dictionaries(dict.fromkeys(["out_id", "biz_key", "html"], st.none() | values)),
)
def test_packed_conditions_hold_for_the_same_rows(many: list[Condition], row: dict[str, str | None]) -> None:
    fewer = packed(many)
    assert len(fewer) < len(many)
    assert all(one.values for one in fewer)
    assert holds(fewer, row) is holds(many, row)


def test_few_conditions_stay_as_they_are() -> None:
    few = [condition("out_id", NOT_EQUAL, str(i)) for i in range(20)]
    assert packed(few) == few


@pytest.mark.parametrize(
    ("many", "fewer"),
    [
        (
            [condition("out_id", NOT_EQUAL, str(i)) for i in range(21)],
            [condition("out_id", NOT_IN, *map(str, range(21)))],
        ),
        (
            [condition("id", IN, "1", "2", "3")] * 20 + [condition("id", EQUAL, "2")],
            [condition("id", IN, "2")],
        ),
        (
            [condition("html", EQUAL, "true")] * 20 + [condition("html", EQUAL, "false")],
            [condition("html", EQUAL, "true"), condition("html", EQUAL, "false")],
        ),
        (
            [condition("id", EQUAL, "1")] * 20 + [condition("id", EQUAL, "2")],
            [condition("id", EQUAL, "1"), condition("id", EQUAL, "2")],
        ),
        (
            [condition("id", NOT_IN, *map(str, range(1000)))] * 20 + [condition("id", NOT_EQUAL, "x")],
            [condition("id", NOT_IN, *map(str, range(1000))), condition("id", NOT_EQUAL, "x")],
        ),
    ],
)
def test_many_become_fewer(many: list[Condition], fewer: list[Condition]) -> None:
    assert packed(many) == fewer
