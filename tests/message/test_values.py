"""What parameters look like in a mail."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message.values import text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("a b", "a b"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (2**70, str(2**70)),
        (3.0, "3"),
        (-0.0, "0"),
        (3.5, "3.5"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e15, "1000000000000000"),
        (9007199254740991.0, "9007199254740991"),
        ([], "[]"),
        ([1.0, "你", None, True, 2.5], '[1,"你",null,true,2.5]'),
        ({"a": {"b": [1.0]}}, '{"a":{"b":[1]}}'),
    ],
)
def test_values_read_as_people_write_them(value: object, text: str) -> None:
    assert text_of(value) == text


def test_b5_a_missing_value_is_never_a_word() -> None:
    with pytest.raises(ValueError, match="no value"):
        text_of(None)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        [math.nan],
        2.0**53,
        -(2.0**53),
        1e300,
        {"a": 2.0**60},
        b"x",
        [b"x"],
        object(),
    ],
)
def test_values_without_a_faithful_text_are_refused(value: object) -> None:
    with pytest.raises(ValueError):
        text_of(value)


def test_b2_nesting_without_end_is_refused() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(ValueError, match="deep"):
        text_of(value)


@given(
    st.floats(allow_nan=False, allow_infinity=False).filter(
        lambda x: not (x.is_integer() and abs(x) >= 2**53)
    )
)
def test_doubles_are_written_exactly_and_without_exponent(value: float) -> None:
    text = text_of(value)

    assert float(text) == value
    assert "e" not in text


_SCALARS = st.none() | st.booleans() | st.text() | st.integers(-(2**53) + 1, 2**53 - 1).map(float)


@given(
    st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)).map(
        lambda x: [x]
    )
)
def test_lists_and_objects_are_json(value: list[object]) -> None:
    assert json.loads(text_of(value)) == value
