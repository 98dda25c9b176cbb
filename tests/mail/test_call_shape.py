"""The shape of a call: enough to tell what a version would say to it, and nothing of what it said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom_server.mail.call_shape import (
    EXAMPLES,
    MOST_NAMES,
    MOST_SHAPES,
    OTHER_EXAMPLES,
    CallShape,
    example_of,
    form_of,
    is_whole,
    key_text,
    other_examples,
    shape_of,
)
from postroom_server.message.variable_types import VariableType, problem_of


def types_of(value: Any) -> set[VariableType]:
    """Every type that a value is of."""
    return {type_ for type_ in VariableType if problem_of(type_, value) is None}


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("Ann", "text"),
        ("", "text"),
        ("17", "text/integer"),
        ("-17", "text/integer"),
        ("1" * 40, "text/integer"),
        ("1" * 41, "text"),
        ("17.5", "text/number"),
        ("1e3", "text/number"),
        ("1e999", "text"),
        ("٣", "text"),
        ("true", "text/boolean"),
        ("True", "text"),
        ("2026-06-01T12:00:00Z", "text/timestamp"),
        ("2026-06-01T12:00:00.123456789+02:00", "text/timestamp"),
        ("2026-13-01T12:00:00Z", "text"),
        ("2026-06-01", "text"),
        (17.0, "number/integer"),
        (17, "number/integer"),
        (17.5, "number"),
        (2.0**53, "number/inexact"),
        (2.0**53 - 1, "number/integer"),
        (True, "boolean"),
        (None, "null"),
        ([], []),
        ({}, {}),
        ([1.0, 2.0, "x"], ["number/integer", "text"]),
        ({"items": [{"price": 1.5}, {"price": 2.5}]}, {"items": [{"price": "number"}]}),
        ([{"a": "x"}, {}], [{"a": "text"}, {}]),
    ],
)
def test_shapes(value: Any, shape: Any) -> None:
    assert shape_of({"it": value}) == CallShape({"it": shape}, partial=False)


texts = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"[+-]?[0-9]{0,42}(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-6][0-9]([Zz]|\+0[0-9]:00)?"),
    st.sampled_from(["true", "false", "TRUE", "t", "f", "-", "+", "1e5", "2026-06-01T12:00:60Z", "1.e5"]),
)
scalars = st.one_of(
    texts, st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(), st.integers()
)


@given(scalars)
@example("1" * 40 + "." + "1" * 40 + "e-308")
@example("0." + "1" * 41)
@example("１２")
def test_an_example_is_of_the_types_that_its_origin_is_of(value: Any) -> None:
    """What makes it fit to stand for the value, whatever types there will be."""
    assert types_of(EXAMPLES[form_of(value)]) == types_of(value)


names = st.sampled_from(["a", "b", "c", "order", "items"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(names, values, max_size=4))
def test_an_example_has_the_shape_that_it_is_made_of(params: dict[str, Any]) -> None:
    shape = shape_of(params)
    assert shape_of(example_of(shape)) == shape
    assert not shape.partial
    assert json.loads(key_text(shape)) == shape.names


@given(st.dictionaries(names, st.text(min_size=1, max_size=3), max_size=4), st.randoms())
def test_the_order_of_names_makes_no_other_shape(params: dict[str, Any], random: Any) -> None:
    shuffled = list(params.items())
    random.shuffle(shuffled)
    assert key_text(shape_of(params)) == key_text(shape_of(dict(shuffled)))


SECRET = "correct horse"


def test_no_value_is_kept_and_no_key_that_is_data() -> None:
    shape = shape_of(
        {
            "name": SECRET,
            SECRET: "x",
            "an other": 1.0,
            "order": {"ann@example.com": SECRET, "total": 1.0, "of": [SECRET, {SECRET: SECRET}]},
        }
    )
    assert shape == CallShape(
        {
            "name": "text",
            "order": {"total": "number/integer", "of": ["text", {"*": "text"}], "*": "text"},
            "*": "text",
        },
        partial=False,
    )


def test_as_many_names_are_kept_as_templates_have() -> None:
    most = {f"n{i}": "x" for i in range(MOST_NAMES)}
    shape = shape_of(most)
    assert (len(shape.names), shape.partial, shape.tells("other")) == (MOST_NAMES, False, True)
    beyond = shape_of({**most, "one_more": "x"})
    assert (len(beyond.names), beyond.partial, beyond.tells("one_more")) == (MOST_NAMES, True, False)
    assert beyond.tells("n0")


def test_an_object_is_kept_with_all_of_its_names_or_none() -> None:
    fits = {"o": {f"n{i}": 1.0 for i in range(MOST_NAMES - 1)}}
    shape = shape_of(fits)
    assert (shape.partial, shape.tells("o.other"), shape.tells("o.n1")) == (False, True, True)
    fits["o"]["one_more"] = 1.0
    shape = shape_of(fits)
    assert shape == CallShape({"o": "object"}, partial=False)
    assert (shape.tells("o.n1"), shape.tells("o"), shape.tells("p.n1")) == (False, True, True)
    assert example_of(shape) == {"o": {}}


def test_elements_of_one_shape_take_the_room_of_one() -> None:
    rows = [{f"n{i}": 1.0 for i in range(100)}] * 50
    shape = shape_of({"rows": rows, "last": {"x": 1.0}})
    assert len(shape.names["rows"]) == 1
    assert shape.names["last"] == {"x": "number/integer"}


def test_of_a_list_the_first_elements_are_looked_at_and_the_first_shapes_kept() -> None:
    shape = shape_of({"rows": [*["x"] * 63, 1.0, True], "many": [{f"n{i}": "x"} for i in range(9)]})
    assert shape.names["rows"] == ["text", "number/integer"]
    assert shape.names["many"] == [{f"n{i}": "text"} for i in range(8)]


@pytest.mark.parametrize(
    ("path", "tells"),
    [
        ("a.b", True),  # a name of PERCENT
        ("order.items[0].price", True),
        ("order.items[1].price", True),
        ("order.items[7].price", True),
        ("order.items[0].deep.x", False),
        ("order.missing.x", True),
        ("order.items.price", True),
        ("text.x", True),
    ],
)
def test_what_is_known_of_a_path(path: str, tells: bool) -> None:
    names: dict[str, Any] = {
        "a.b": "text",
        "text": "text",
        "order": {"items": [{"price": "number", "deep": "object"}, {}]},
    }
    assert CallShape(names, partial=False).tells(path) is tells


@pytest.mark.parametrize("examples", OTHER_EXAMPLES)
def test_other_examples_are_of_the_same_forms(examples: dict[str, Any]) -> None:
    assert {form: form_of(value) for form, value in examples.items()} == {form: form for form in EXAMPLES}


def test_other_examples_have_the_same_shape_and_more_in_their_lists() -> None:
    shape = shape_of({"name": "Ann", "order": {"items": [{"price": 1.5}, {"price": "x"}]}, "none": []})
    assert [shape_of(params) for params in other_examples(shape)] == [shape, shape]
    assert [len(params["order"]["items"]) for params in other_examples(shape)] == [20, 20]
    assert [params["none"] for params in other_examples(shape)] == [[], []]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"a": {"b": [{"c": 1.0}]}}, True),
        ({f"n{i}": "x" for i in range(MOST_NAMES)}, True),
        ({f"n{i}": "x" for i in range(MOST_NAMES + 1)}, False),
        ({"a": {f"n{i}": "x" for i in range(MOST_NAMES - 1)}}, True),
        ({"a": {f"n{i}": "x" for i in range(MOST_NAMES)}}, False),
        ({"a": [{f"n{i}": "x"} for i in range(MOST_SHAPES - 1)]}, True),
        ({"a": [{f"n{i}": "x"} for i in range(MOST_SHAPES)]}, False),
    ],
)
def test_what_was_too_large_is_not_whole(params: dict[str, Any], expected: bool) -> None:
    assert is_whole(shape_of(params)) is expected
