"""Query strings."""

from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.gateway.angusgm.problem import Problem
from postroom_server.gateway.angusgm.query import Query, pairs_of


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        (b"", []), (b"a", [("a", "")]), (b"a=", [("a", "")]), (b"a=1&a=2", [("a", "1"), ("a", "2")]),
        (b"&&a=1&", [("a", "1")]), (b"a=b=c", [("a", "b=c")]), (b"a+b=c+d", [("a b", "c d")]),
        (b"a=%2B%26%3d", [("a", "+&=")]), (b"filters%5B0%5D.key=id", [("filters[0].key", "id")]),
        (b"a=%E4%BD%A0", [("a", "你")]), ("a=你".encode(), [("a", "你")]), (b"a=%zz%2", [("a", "%zz%2")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
    ],
)  # fmt: skip
def test_pairs(raw: bytes, pairs: list[tuple[str, str]]) -> None:
    assert list(pairs_of(raw)) == pairs


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_what_is_encoded_is_read_back(pairs: list[tuple[str, str]]) -> None:
    assert list(pairs_of(urllib.parse.urlencode(pairs).encode())) == pairs


@pytest.mark.parametrize("raw", [b"a=%FF", b"%C3%28=1", b"a=%ED%A0%80", b"a=\xff"])
def test_what_is_not_utf_8_is_refused_and_never_replaced(raw: bytes) -> None:
    with pytest.raises(Problem) as raised:
        Query(raw)
    assert raised.value.key == "param_validation_error"


def test_the_first_wins_and_blank_counts_as_absent() -> None:
    query = Query(b"a=1&a=2&b=%20&c=%20x%20")
    assert (query.integer("a"), query.text("b"), query.text("c"), query.integer("d")) == (1, "", " x ", None)
    query.refuse()
