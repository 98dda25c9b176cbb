"""Filters: what they say, beside python-liquid's own where they are meant to say the same."""

from __future__ import annotations

import datetime
from typing import Any

import liquid
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message.content import Content
from postroom_server.message.liquid import dates
from postroom_server.message.liquid.filters import FILTERS
from postroom_server.message.liquid.template import LiquidTemplate
from postroom_server.message.template import FailedRendering, Variable
from postroom_server.message.variable_types import VariableType

ORACLE = liquid.Environment()
ITEMS = [{"n": "b", "v": 2.0}, {"n": "a", "v": 10.0}, {"n": "B", "v": 2.0}]


def said(source: str, params: dict[str, Any]) -> str:
    loose = [Variable(name, declared=True) for name in params]
    return LiquidTemplate(Content("s", None, source), loose).render(params).text


def test_every_filter_is_documented_and_none_beside() -> None:
    assert sorted(FILTERS) == [
        "abs",
        "append",
        "at_least",
        "at_most",
        "capitalize",
        "ceil",
        "compact",
        "concat",
        "date",
        "default",
        "divided_by",
        "downcase",
        "find",
        "first",
        "floor",
        "join",
        "last",
        "lstrip",
        "map",
        "minus",
        "modulo",
        "newline_to_br",
        "plus",
        "prepend",
        "reject",
        "remove",
        "remove_first",
        "remove_last",
        "replace",
        "replace_first",
        "replace_last",
        "reverse",
        "round",
        "rstrip",
        "size",
        "slice",
        "sort",
        "sort_natural",
        "split",
        "squish",
        "strip",
        "strip_newlines",
        "sum",
        "times",
        "truncate",
        "truncatewords",
        "uniq",
        "upcase",
        "url_encode",
        "where",
    ]


@pytest.mark.parametrize(
    "filters",
    [
        "append: b",
        "prepend: b",
        "capitalize",
        "downcase",
        "upcase",
        "strip",
        "lstrip",
        "rstrip",
        "squish",
        "strip_newlines",
        "remove: b",
        "remove_first: b",
        "remove_last: b",
        "replace: b, 'z'",
        "replace_first: b, 'z'",
        "replace_last: b, 'z'",
        "truncate",
        "truncate: 5",
        "truncate: 5, b",
        "truncatewords: 2",
        "truncatewords: 2, b",
        "url_encode",
        "slice: 1",
        "slice: 1, 3",
        "slice: -3, 2",
        "size",
        "split: b | join: ','",
        "split: '' | join: '-'",
        "split: b | size",
        "default: b",
        "split: b | first | default: ''",
        "split: b | last | default: ''",
        "split: b | reverse | join",
        "split: b | sort | join",
        "split: b | sort_natural | join: '|'",
        "split: b | uniq | join",
        "split: b | compact | size",
        "split: b | slice: 1, 2 | join",
    ],
)
@given(a=st.text("aAbß\n 字<&é", max_size=12), b=st.text("ab \n", min_size=1, max_size=2))
def test_filters_of_texts_are_python_liquids(filters: str, a: str, b: str) -> None:
    source = "{{ a | " + filters + " }}"
    assert said(source, {"a": a, "b": b}) == ORACLE.from_string(source).render(a=a, b=b)


@pytest.mark.parametrize(
    "filters",
    [
        "abs",
        "ceil",
        "floor",
        "round",
        "round: 2",
        "plus: b",
        "minus: b",
        "times: b",
        "at_least: b",
        "at_most: b",
    ],
)
@given(a=st.integers(-(10**6), 10**6), b=st.integers(-(10**6), 10**6))
def test_filters_of_numbers_are_python_liquids(filters: str, a: int, b: int) -> None:
    source = "{{ a | " + filters + " }}"
    assert said(source, {"a": a, "b": b}) == ORACLE.from_string(source).render(a=a, b=b)
    # Halves are exact; an integral result has no ".0" here.
    half = ORACLE.from_string(source).render(a=a / 2, b=b / 2)
    assert said(source, {"a": a / 2, "b": b / 2}) == half.removesuffix(".0").replace(
        "-0", "0" if half == "-0.0" else "-0"
    )


@given(a=st.integers(-(10**6), 10**6), b=st.integers(-(10**6), 10**6).filter(bool))
def test_divisions_are_python_liquids(a: int, b: int) -> None:
    for name in ("divided_by", "modulo"):
        source = f"{{{{ a | {name}: b }}}}"
        assert said(source, {"a": a, "b": b}) == ORACLE.from_string(source).render(a=a, b=b)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("map: 'n' | join: ','", "b,a,B"),
        ("where: 'v', 2 | map: 'n' | join", "b B"),
        ("where: 'x' | size", "0"),
        ("reject: 'v', 2 | map: 'n' | join", "a"),
        ("sort: 'v' | map: 'n' | join", "b B a"),
        ("sort: 'n' | map: 'n' | join", "B a b"),
        ("sort_natural: 'n' | map: 'n' | join", "a b B"),
        ("uniq: 'v' | map: 'n' | join", "b a"),
        ("sum: 'v'", "14"),
        ("map: 'v' | sum", "14"),
        ("reverse | map: 'n' | join", "B a b"),
        ("concat: items | size", "6"),
        ("compact: 'n' | size", "3"),
        ("size", "3"),
        ("slice: 1, 5 | map: 'n' | join", "a B"),
    ],
)
def test_filters_of_lists(filters: str, expected: str) -> None:
    assert said("{{ items | " + filters + " }}", {"items": ITEMS}) == expected


def test_the_first_that_is_found_is_an_item() -> None:
    assert said("{% assign one = items | find: 'v', 10 %}{{ one.n }}", {"items": ITEMS}) == "a"
    assert said("{% assign one = items | last %}{{ one.n }}", {"items": ITEMS}) == "B"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ 'a' | plus: 1 }}", "takes a number where there is 'a'"),
        ("{{ true | plus: 1 }}", "takes a number where there is a value of type bool"),
        ("{{ 1 | plus: 'a' }}", "takes a number where there is 'a'"),
        ("{{ 'a' | slice: 'b' }}", "takes a number where there is 'b'"),
        ("{{ 'a' | slice: 1.5 }}", "takes a whole number where there is 1.5"),
        ("{{ 'a' | join }}", "takes a list where there is 'a'"),
        ("{{ 'a' | concat: 'b' }}", "takes a list where there is 'a'"),
        (
            "{{ (1..3) | append: 'b' | first }}",
            "takes a text where there is a value that is a list or an object",
        ),
        ("{{ 'b' | append: (1..2) }}", "takes a text where there is a value that is a list or an object"),
        ("{{ 'a,1' | split: ',' | sum }}", "takes numbers where there is something else"),
        ("{{ nil | upcase }}", "takes a text where there is none"),
        ("{{ (1..3) }}", "shows a value that is a list or an object"),
        ("{% if 'a' < 1 %}{% endif %}", "are not supported between"),
    ],
)
def test_what_standard_liquid_guesses_is_refused(source: str, problem: str) -> None:
    with pytest.raises(FailedRendering) as caught:
        said(source, {})
    assert problem in caught.value.problem


DAY = "2024-02-29T23:05:09.123456+05:30"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("%Y-%m-%d %H:%M:%S", "2024-02-29 23:05:09"),
        ("%-d. %B %y, %A", "29. February 24, Thursday"),
        ("%a %b %e %j %u %w", "Thu Feb 29 060 4 4"),
        ("%I:%M %p %P %-I", "11:05 PM pm 11"),
        ("%F %T %R %D", "2024-02-29 23:05:09 23:05 02/29/24"),
        ("%z %Z %L %s %G-W%V %-m %-H", "+0530 +05:30 123 1709228109 2024-W09 2 23"),
        ("100%%", "100%"),
        ("no directive", "no directive"),
    ],
)
def test_times_in_words(pattern: str, expected: str) -> None:
    assert dates.write(DAY, pattern) == expected


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("UTC", "2024-02-29 17:35 UTC"),
        ("+08:00", "2024-03-01 01:35 +08:00"),
        ("-11:30", "2024-02-29 06:05 -11:30"),
    ],
)
def test_times_in_another_offset(offset: str, expected: str) -> None:
    assert dates.write(DAY, "%F %R %Z", offset) == expected


@pytest.mark.parametrize(
    ("time", "pattern", "offset"),
    [
        ("now", "%Y", None),
        ("today", "%Y", None),
        ("2024-05-01", "%Y", None),
        ("1714555809", "%Y", None),
        ("2024-02-30T00:00:00Z", "%Y", None),
        ("2024-05-01T00:00:00", "%Y", None),
        ("2024-05-01T00:00:00+24:00", "%Y", None),
        (DAY, "%Q", None),
        (DAY, "%", None),
        (DAY, "%c", None),
        (DAY, "%Y" * 129, None),
        (DAY, "%Y", "CET"),
        (DAY, "%Y", "+8"),
        ("0001-01-01T00:00:00Z", "%Y", "-08:00"),
    ],
)
def test_what_is_no_time_is_refused(time: str, pattern: str, offset: str | None) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) "):
        dates.write(time, pattern, offset)


@given(st.datetimes(timezones=st.just(datetime.UTC)))
def test_times_are_what_strftime_says(moment: Any) -> None:
    pattern = "%Y-%m-%d %H:%M:%S %j %y %B %b %A %a %I %p %u %w %V"
    expected = moment.strftime(pattern.replace("%Y", f"{moment.year:04}"))
    assert dates.write(moment.isoformat().replace("+00:00", "Z"), pattern) == expected


def test_the_date_filter_takes_times_alone() -> None:
    source = "{{ d | date: '%F %R', '+02:00' }}"
    assert said(source, {"d": "2024-05-01T23:30:00Z"}) == "2024-05-02 01:30"
    template = LiquidTemplate(Content("s", None, source))
    assert template.variables == (Variable("d", type=VariableType.TIMESTAMP),)
    assert template.invalid({"d": "now"}) == {"d": "is not of type TIMESTAMP"}
    with pytest.raises(FailedRendering, match="is no RFC 3339 time"):
        said("{{ 'now' | date: '%Y' }}", {})
