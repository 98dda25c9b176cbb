"""HTML tokens, with the standard library's parser as the oracle for well-formed pages."""

from __future__ import annotations

import html
from html.parser import HTMLParser

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message import markup
from postroom_server.message.markup import Kind


def _shape(page: str) -> list[tuple[str, str]]:
    return [(token.kind.name, page[token.start : token.end]) for token in markup.tokens(page)]


@pytest.mark.parametrize(
    ("page", "shape"),
    [
        ("a<b>c</b>", [("TEXT", "a"), ("START", "<b>"), ("TEXT", "c"), ("END", "</b>")]),
        ("1 < 2", [("TEXT", "1 < 2")]),
        ("<<1", [("TEXT", "<<1")]),
        ("<a title='>'>x", [("START", "<a title='>'>"), ("TEXT", "x")]),
        ("<!-- <b> -->x", [("COMMENT", "<!-- <b> -->"), ("TEXT", "x")]),
        ("<!-->x", [("COMMENT", "<!-->"), ("TEXT", "x")]),
        ("<!--->x", [("COMMENT", "<!--->"), ("TEXT", "x")]),
        ("<!-- --!>x", [("COMMENT", "<!-- --!>"), ("TEXT", "x")]),
        ("<!doctype html>x", [("COMMENT", "<!doctype html>"), ("TEXT", "x")]),
        ("<?xml?>x", [("COMMENT", "<?xml?>"), ("TEXT", "x")]),
        ("</ b>x", [("COMMENT", "</ b>"), ("TEXT", "x")]),
        (
            "<style>a>b{}</STYLE >x",
            [("START", "<style>"), ("RAW", "a>b{}"), ("END", "</STYLE >"), ("TEXT", "x")],
        ),
        ("<script>'</b>'</script>", [("START", "<script>"), ("RAW", "'</b>'"), ("END", "</script>")]),
        ("<title>a<b</title>", [("START", "<title>"), ("TEXT", "a<b"), ("END", "</title>")]),
        ("<script>never", [("START", "<script>"), ("RAW", "never")]),
        ("x<a href='", [("TEXT", "x"), ("BROKEN", "<a href='")]),
        ("<a href='b>c</a>", [("BROKEN", "<a href='b>c</a>")]),
        ("<a href", [("BROKEN", "<a href")]),
        ("</", [("TEXT", "<"), ("TEXT", "/")]),
    ],
)
def test_a_page_is_cut_as_browsers_cut_it(page: str, shape: list[tuple[str, str]]) -> None:
    assert _shape(page) == shape


def test_attributes_know_their_quotes_and_places() -> None:
    page = """<A one two="2" three = '3' four=4 five= six/ =seven href=a/b>"""
    (token,) = markup.tokens(page)

    assert token.name == "a"
    assert [(a.name, a.value, a.quote) for a in token.attributes] == [
        ("one", "", ""),
        ("two", "2", '"'),
        ("three", "3", "'"),
        ("four", "4", ""),
        ("five", "six/", ""),
        ("=seven", "", ""),
        ("href", "a/b", ""),
    ]
    assert all(page[a.start : a.end] == a.value for a in token.attributes)


def test_conditional_comments_are_walked_with_the_places_of_the_page() -> None:
    page = 'a<!--[if mso]><v:rect href="%x%">b<![endif]-->c'

    (rectangle,) = [token for token in markup.walk(page) if token.kind is Kind.START]

    assert page[rectangle.start : rectangle.end] == '<v:rect href="%x%">'
    assert page[rectangle.attributes[0].start : rectangle.attributes[0].end] == "%x%"


@given(st.text(alphabet="<>/!-?=\"' abAB\n&;[]", max_size=60) | st.text())
def test_tokens_cover_any_page_without_gaps(page: str) -> None:
    at = 0
    for token in markup.tokens(page):
        assert token.start == at
        assert token.end > token.start
        at = token.end
    assert at == len(page)


class _Oracle(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.events: list[tuple[object, ...]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.events.append(("start", tag, tuple((name, value or "") for name, value in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.events.append(("end", tag))

    def handle_data(self, data: str) -> None:
        self.events.append(("text", data))


def _events(page: str) -> list[tuple[object, ...]]:
    events: list[tuple[object, ...]] = []
    for token in markup.tokens(page):
        if token.kind is Kind.START:
            attributes = tuple((a.name, html.unescape(a.value)) for a in token.attributes)
            events.append(("start", token.name, attributes))
        elif token.kind is Kind.END:
            events.append(("end", token.name))
        elif token.kind in (Kind.TEXT, Kind.RAW):
            text = page[token.start : token.end]
            events.append(("text", html.unescape(text) if token.kind is Kind.TEXT else text))
    return _joined(events)


def _joined(events: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    joined: list[tuple[object, ...]] = []
    for event in events:
        if event[0] == "text" and joined and joined[-1][0] == "text":
            joined[-1] = ("text", f"{joined[-1][1]}{event[1]}")
        else:
            joined.append(event)
    return joined


_WORDS = st.text("abc %é&;#\n>", max_size=8)
_VALUES = st.text("abc %é&>=/ ", max_size=8)
_ATTRIBUTES = st.lists(
    st.builds(
        lambda name, value, quote: f" {name}={quote}{value}{quote}",
        st.sampled_from(["href", "x-y", "CLASS"]),
        _VALUES,
        st.sampled_from("'\""),
    ),
    max_size=2,
).map("".join)
_ELEMENTS = st.builds(
    lambda name, attributes, inner: f"<{name}{attributes}>{inner}</{name}>",
    st.sampled_from(["p", "TD", "h1", "x-y", "style"]),
    _ATTRIBUTES,
    _WORDS,
)
_PAGES = st.lists(_WORDS | _ELEMENTS | st.just("<br/>") | st.just("<!-- c<p> -->")).map("".join)


@given(_PAGES)
def test_well_formed_pages_read_as_the_standard_library_reads_them(page: str) -> None:
    oracle = _Oracle()
    oracle.feed(page)
    oracle.close()
    # It reports <br/> as a start and an end; HTML knows only the start.
    expected = [event for event in _joined(oracle.events) if event != ("end", "br")]

    assert _events(page) == _joined(expected)


@pytest.mark.parametrize(
    ("piece", "whole"),
    [
        ("", True),
        ("1 < 2 & 3", True),
        ("<p>open", True),
        ("</p>", True),
        ("<!-- c --><style>p{}</style><title>t</title>", True),
        ("<a b='>", False),
        ("<a", False),
        ("x<", False),
        ("x</", False),
        ("<!-- c", False),
        ("<!x", False),
        ("<?x", False),
        ("<style>p{}", False),
        ("<title>t", False),
        ("<textarea>", False),
        ("<script>", False),
    ],
)
def test_a_piece_is_whole_when_the_page_goes_on_behind_it(piece: str, whole: bool) -> None:
    assert markup.is_whole(piece) is whole


@given(_PAGES, st.text(alphabet="<>/!-=\"' ab", max_size=12), _PAGES)
def test_a_whole_piece_leaves_the_rest_of_the_page_as_it_is(before: str, piece: str, after: str) -> None:
    hypothesis.assume(markup.is_whole(before) and markup.is_whole(piece))

    alone = [(kind.lower(), text) for part in (before, piece, after) for kind, text in _shape(part)]
    together = [(kind.lower(), text) for kind, text in _shape(before + piece + after)]
    assert _joined(list(together)) == _joined(list(alone))
