"""A page read in pieces: the same as read whole, wherever it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message import markup
from postroom_server.message.markup_state import START, Mode, State, after, after_value

# What pages are made of, whole and in halves.
PIECES = st.sampled_from(
    [
        "<",
        ">",
        "</",
        "<!--",
        "-->",
        "--!>",
        "-",
        "!",
        "<!",
        "<?",
        "/",
        "=",
        '"',
        "'",
        " ",
        "\n",
        "a",
        "é",
        "p",
        "<p",
        "<a href=",
        "title",
        "<p>",
        "</p>",
        "<br/>",
        "<script>",
        "</script",
        "</script>",
        "<style>",
        "</style>",
        "<title>",
        "</title>",
        "<xmp>",
        "</xmp >",
        "<SCRIPT>",
        "</Script\t>",
        "<!-->",
        "<!--->",
        "<x",
        "onclick=",
    ]
)
PAGES = st.lists(PIECES, max_size=14)


def whole(page: str) -> tuple[str, str]:
    """What stands behind a page, by the tokens of the page with a mark behind it."""
    mark = "\ue000"
    at = len(page)
    for token in markup.tokens(page + mark):
        if token.start <= at < token.end:
            if token.kind in (markup.Kind.RAW, markup.Kind.COMMENT, markup.Kind.TEXT):
                return token.kind.name, token.name
            return "TAG", ""
    raise AssertionError("every character is of a token")


def pieced(state: State) -> tuple[str, str]:
    if state.mode is Mode.RAW:
        return "RAW", state.element
    if state.mode is Mode.PLAIN:
        return "TEXT", state.element
    if state.mode in (Mode.COMMENT, Mode.DECLARATION):
        return "COMMENT", ""
    return ("TEXT", "") if state.mode in (Mode.TEXT, Mode.OPENING) else ("TAG", "")


@given(PAGES)
def test_a_page_is_read_as_its_tokens_say(pieces: list[str]) -> None:
    page = "".join(pieces)
    (state,) = after({START}, page)
    # Behind "</" or "<!" a mark makes a comment; behind "<" it is text.
    expected = ("TEXT", "") if state.mode is Mode.OPENING else whole(page)
    assert pieced(state) == expected


@given(PAGES)
def test_where_a_page_is_cut_makes_no_difference(pieces: list[str]) -> None:
    states = frozenset({START})
    for piece in pieces:
        states = after(states, piece)
    assert states == after({START}, "".join(pieces))


@pytest.mark.parametrize(
    ("page", "mode", "attribute", "written"),
    [
        ("<a href='x", Mode.QUOTED, "href", "x"),
        ('<a HREF = "https://x/', Mode.QUOTED, "href", "https://x/"),
        ("<a href=x", Mode.UNQUOTED, "href", ""),
        ("<a href=", Mode.BEFORE_VALUE, "href", ""),
        ("<a href", Mode.ATTRIBUTE_NAME, "href", ""),
        ("<a href ", Mode.AFTER_NAME, "href", ""),
        ("<a href='x' ", Mode.BETWEEN, "", ""),
        ("<a", Mode.TAG_NAME, "", ""),
        ("a < b", Mode.TEXT, "", ""),
        ("a <", Mode.OPENING, "", ""),
    ],
)
def test_where_one_stands_in_a_tag(page: str, mode: Mode, attribute: str, written: str) -> None:
    (state,) = after({START}, page)
    assert (state.mode, state.attribute, state.written) == (mode, attribute, written)


def test_what_is_in_a_conditional_comment_is_read_both_ways() -> None:
    states = after({START}, "<!--[if mso]><td style='")
    assert {state.mode for state in states} == {Mode.COMMENT, Mode.QUOTED}
    assert after(states, "x'></td><![endif]-->") == {START}


def test_behind_a_value_a_comment_may_be_about_to_end() -> None:
    behind = after_value(after({START}, "<!-- "))
    assert START in after(behind, ">")
    assert START in after(behind, "->")
    assert START not in after({State(Mode.COMMENT)}, ">")


def test_behind_a_value_nothing_is_known_of_an_address() -> None:
    (state,) = after_value(after({START}, "<a href='https:"))
    assert state.written is None


def test_of_long_names_only_the_beginning_is_remembered() -> None:
    (state,) = after({START}, "<a " + "x" * 5000 + "='" + "y" * 5000)
    assert len(state.attribute) == len(state.written or "") == 48
