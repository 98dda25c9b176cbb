"""A call is passed over when stored ones stand for it, and only then."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.mail.call_shape import MOST_ELEMENTS, MOST_NAMES, MOST_SHAPES, shape_of
from postroom_server.mail.seen_shapes import SeenShapes

names = st.sampled_from(["a", "b", "c"])
leaves = st.sampled_from(["x", "1", "1.5", "true", 1.0, True, None])
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2),
    max_leaves=5,
)
calls = st.lists(st.dictionaries(names, values, max_size=3), max_size=6)


def facts(shape: Any, path: str = "") -> set[tuple[str, str]]:
    """What stands where, by paths. An absent name is the business of `absences`."""
    if isinstance(shape, dict):
        inner = [facts(one, f"{path}.{name}") for name, one in shape.items()]
        return set().union({(path, "object")}, *inner)
    if isinstance(shape, list):
        return set().union({(path, "list")}, *[facts(one, f"{path}[]") for one in shape])
    return {(path, shape)}


def objects(shape: Any, path: str = "") -> list[tuple[str, frozenset[str]]]:
    """Every object, with its names."""
    if isinstance(shape, dict):
        inner = [pair for name, one in shape.items() for pair in objects(one, f"{path}.{name}")]
        return [(path, frozenset(shape)), *inner]
    if isinstance(shape, list):
        return [pair for one in shape for pair in objects(one, f"{path}[]")]
    return []


def absences(shape: Any, of: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The names that stand in some object of a path, and not in this shape's."""
    return {
        (path, name) for path, name in of for at, held in objects(shape) if at == path and name not in held
    }


@given(calls)
def test_what_is_passed_over_brings_nothing_new_and_what_is_not_does(made: list[dict[str, Any]]) -> None:
    seen = SeenShapes()
    stored: list[Any] = []
    for params in made:
        shape = shape_of(params)
        names_of = {(path, name) for one in stored for path, held in objects(one) for name in held}
        known = set().union(*map(facts, stored))
        away = set().union(*(absences(one, names_of) for one in stored))
        old = bool(stored) and facts(shape.names) <= known and absences(shape.names, names_of) <= away
        assert seen.cover(params) is old
        if not old:
            seen.add(shape)
            stored.append(shape.names)
        assert seen.cover(params)


def test_the_stored_are_few_however_names_and_forms_combine() -> None:
    """Ten optional parameters make 1024 sets of names; each name is there or not, so few are needed."""
    seen = SeenShapes()
    stored = 0
    for bits in range(1024):
        params = {f"n{i}": "1" if bits % (i + 2) else "x" for i in range(10) if bits >> i & 1}
        if not seen.cover(params):
            seen.add(shape_of(params))
            stored += 1
    assert stored <= 40


def test_of_large_calls_the_first_one_does() -> None:
    seen = SeenShapes()
    large = {f"n{i}": "x" for i in range(MOST_NAMES + 1)}
    assert not seen.cover(large)
    seen.add(shape_of(large))
    assert seen.cover(large)
    assert seen.cover({"other": "x"})


def test_names_that_are_data_count_as_one() -> None:
    seen = SeenShapes()
    seen.add(shape_of({"by": {"a": "x"}}))
    assert not seen.cover({"by": {"a": "x", "ann@example.com": "x"}})
    seen.add(shape_of({"by": {"a": "x", "ann@example.com": "x"}}))
    assert seen.cover({"by": {"a": "x", "bea@example.com": 1.0, "*": None}})
    assert seen.cover({"by": {"a": "x"}})
    assert not seen.cover({"by": {"a": "x"}, "*": "x"})


def test_what_is_cut_off_is_not_asked_for_again() -> None:
    for params in (
        {"o": {f"n{i}": "x" for i in range(MOST_NAMES)}},
        {"rows": [{f"n{i}": "x"} for i in range(MOST_SHAPES + 1)]},
        {"rows": [*["x"] * MOST_ELEMENTS, 1.0]},
        {"not a name": "x", "name": {"nor this": "x"}, "*": 1.0},
    ):
        seen = SeenShapes()
        seen.add(shape_of(params))
        assert seen.cover(params)


def test_units_on_other_threads_read_while_one_adds(fast_switching: None) -> None:
    seen = SeenShapes()
    seen.add(shape_of({"a": "x"}))
    done = threading.Event()

    def adds() -> None:
        for i in range(1000):
            seen.add(shape_of({f"n{i}": "x"}))
        done.set()

    adding = threading.Thread(target=adds)
    adding.start()
    answers = set()
    while not done.is_set():
        answers.add(seen.cover({"a": "x"}))
    adding.join()
    assert answers <= {True, False}
    assert seen.cover({"a": "x"})


@pytest.fixture
def fast_switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
