"""The text derived from HTML."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message.plaintext import text_from_html


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("a  \n b\tc", "a b c"),
        ("a &amp; b &lt;c&gt; &copy; &#20320;", "a & b <c> © 你"),
        ("a&nbsp;&nbsp;b", "a  b"),
        ("<b>bold</b> and<i> italic</i>", "bold and italic"),
        ("x<b>y</b>z", "xyz"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<div><div><div>deep</div></div></div>end", "deep\nend"),
        ("a<br>b<br/><br>c", "a\nb\n\nc"),
        ("a<br><br><br><br>b", "a\n\nb"),
        ("<h1>Title</h1>text", "Title\n\ntext"),
        ("a<hr>b", "a\n\n" + "-" * 40 + "\n\nb"),
        ("<pre>  a\n    b</pre>", "  a\n    b"),
        ("<blockquote><p>a</p><p>b</p></blockquote>c", "> a\n>\n> b\n\nc"),
        ('<img src="cid:logo" alt="Acme">', "Acme"),
        ('a<img src="cid:logo">b', "ab"),
    ],
)
def test_text_flows_as_it_reads(page: str, text: str) -> None:
    assert text_from_html(page) == text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ('<a href="https://x.example/a">Go</a>.', "Go <https://x.example/a>."),
        ('<a href="https://x.example/?a=1&amp;b=2">Go</a>', "Go <https://x.example/?a=1&b=2>"),
        ('<a href="https://x.example/">https://x.example</a>', "https://x.example"),
        ('<a href="https://x.example/">x.example</a>', "x.example"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example"),
        ('<a href="https://x.example"><img src="b.png" alt="Shop"></a>', "Shop <https://x.example>"),
        ('<a href="https://x.example"><img src="b.png"></a>', "https://x.example"),
        ('<a href="#top">Top</a>', "Top"),
        ('<a href="javascript:x()">Run</a>', "Run"),
        ("<a name=x>Here</a>", "Here"),
        ('<a href="%link%">%label%</a>', "%label% <%link%>"),
        (
            '<a href="https://a.example">one <a href="https://b.example">two</a>',
            "one <https://a.example> two <https://b.example>",
        ),
    ],
)
def test_links_keep_their_address(page: str, text: str) -> None:
    assert text_from_html(page) == text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<ul><li>a<li>b</ul>c", "- a\n- b\n\nc"),
        ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<ol><li>a<br>b</li></ol>", "1. a\n  b"),
        ("<ul><li><p>a</p></li><li><p>b</p></li></ul>", "- a\n- b"),
        ("<li>alone", "alone"),
        (
            "<table><tr><th>Item</th><th>Price</th></tr><tr><td>Tea</td><td>3</td></tr></table>end",
            "Item  Price\nTea  3\n\nend",
        ),
        ("<table><tr><td> a </td> <td></td> <td>b</td></tr></table>", "a  b"),
        ("<table><tr><td><table><tr><td>inner</td></tr></table></td></tr></table>", "inner"),
    ],
)
def test_lists_and_tables_keep_their_shape(page: str, text: str) -> None:
    assert text_from_html(page) == text


@pytest.mark.parametrize(
    "page",
    [
        "<html><head><title>t</title><style>p{}</style><meta></head><body>seen</body></html>",
        "<head><meta charset=utf-8><body>seen",
        "<script>x('<b>')</script>seen<style>b{}</style>",
        "<!-- <p>no</p> -->seen<!--[if mso]><p>no</p><![endif]-->",
        '<div style="color:red; display: none">no<div>no</div>no</div>seen',
        "<p hidden>no</p>seen",
    ],
)
def test_what_is_not_shown_is_not_said(page: str) -> None:
    assert text_from_html(page) == "seen"


@given(st.text(alphabet="<>/!-=\"' abp\n&;ulio", max_size=80) | st.text())
def test_any_page_gives_tidy_text(page: str) -> None:
    text = text_from_html(page)

    assert text == text.strip("\n")
    assert "\n\n\n" not in text


@given(st.lists(st.from_regex(r"%[A-Za-z_][A-Za-z0-9_.-]{0,9}%", fullmatch=True)))
def test_placeholders_pass_untouched(places: list[str]) -> None:
    text = text_from_html("".join(f"<td>{place}</td>" for place in places))

    assert text.split() == places


@pytest.mark.parametrize(
    "piece",
    [
        "<b>x</b>", "<a href=x>y", "<ul><li>", "<", "<a b='", "&", "<!--", "<td>x", "\n<p>",
        "<blockquote>x", "<ul><li>x", "<ol><li>x<br>y", "<blockquote><pre>\nx", "<hr>",
    ],
)  # fmt: skip
def test_b2_a_large_page_takes_time_in_proportion(piece: str) -> None:
    start = time.process_time()
    text = text_from_html(piece * (200_000 // len(piece)))

    # 200 kB take well under a second; anything quadratic takes minutes.
    assert time.process_time() - start < 10
    # A rule of 40 marks is the most that four characters make.
    assert len(text) <= 11 * 200_000


def test_quotations_and_lists_are_shown_eight_deep() -> None:
    quoted = text_from_html("".join(f"<blockquote>{n}" for n in range(1, 12))).splitlines()
    listed = text_from_html("".join(f"<ul><li>{n}" for n in range(1, 12))).splitlines()

    assert [line for line in quoted if line[-1].isdigit()][6:] == [
        f"{'> ' * min(n, 8)}{n}" for n in range(7, 12)
    ]
    assert [line for line in listed if line][6:] == [f"{'  ' * min(n - 1, 7)}- {n}" for n in range(7, 12)]
