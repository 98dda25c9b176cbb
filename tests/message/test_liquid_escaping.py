"""LIQUID: values stay values, whatever they hold (security.md A3, B3, B4)."""

from __future__ import annotations

import html
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message import markup
from postroom_server.message.liquid.template import LiquidTemplate
from postroom_server.message.template import (
    Content,
    FailedRendering,
    UnsafeContent,
    Variable,
)
from postroom_server.message.variable_types import VariableType


def page(source: str, *declared: Variable) -> LiquidTemplate:
    return LiquidTemplate(Content("s", source), declared)


def text(source: str, params: dict[str, Any] | None = None, *declared: Variable) -> str:
    return LiquidTemplate(Content("s", None, source), declared).render(params or {}).text


def declared(name: str, type_: VariableType = VariableType.ANY, **more: Any) -> Variable:
    return Variable(name, type=type_, declared=True, **{"required": more.get("default") is None, **more})


def test_b4_values_are_never_read_again() -> None:
    assert text("{{ a }}{{ b }}", {"a": "{{ b }}", "b": "{% if %}"}) == "{{ b }}{% if %}"


@pytest.mark.parametrize("value", ["a\r\nBcc: b@x.test", "a\0b", "a\u2028b", "x" * 1000])
def test_a3_the_rendered_subject_is_checked(value: str) -> None:
    template = LiquidTemplate(Content("{{ x }}", None, "x"))
    with pytest.raises(UnsafeContent) as caught:
        template.check({"x": value})
    assert caught.value.field == "subject"


@pytest.mark.parametrize(
    ("source", "params", "scheme"),
    [
        ("<a href='{{ u }}'>x</a>", {"u": "javascript:alert(1)"}, "javascript"),
        ('<a href="{{ u }}">x</a>', {"u": "java\nscript:alert(1)"}, "javascript"),
        ("<a href='{{ u }}:alert(1)'>x</a>", {"u": "javascript"}, "javascript"),
        ("<a href='{{ u }}{{ v }}'>x</a>", {"u": "java", "v": "script:x"}, "javascript"),
        ("<a href='java{{ u }}'>x</a>", {"u": "script:x"}, "javascript"),
        ("<a href='{% if s %}https://{% endif %}{{ u }}'>x</a>", {"s": False, "u": "data:x"}, "data"),
        ("<img src='{% for u in l %}{{ u }}{% endfor %}'>", {"l": ["vb", "script:x"]}, "vbscript"),
        ("<a href='{% cycle u, 'b' %}'>x</a>", {"u": "data:x"}, "data"),
        ("<a href='{{ u }}'>", {"u": "DATA:x"}, "DATA"),
        ("<div>{{ r }}</div>", {"r": "<a href='data:x'>y</a>"}, "data"),
    ],
)
def test_b3_a_rendered_address_leads_nowhere_unsafe(source: str, params: dict[str, Any], scheme: str) -> None:
    template = page(source, declared("r", raw=True, required=False))
    with pytest.raises(UnsafeContent, match=f"a link that begins with {scheme}:"):
        template.check(params)


@pytest.mark.parametrize(
    "url", ["https://x.test/?a=1&b=2", "mailto:a@x.test", "#top", "/a:b", "cid:logo", ""]
)
def test_addresses_that_lead_somewhere_safe_are_taken(url: str) -> None:
    assert page("<a href='{{ u }}'>x</a>").render({"u": url}).html == f"<a href='{html.escape(url)}'>x</a>"


def test_a_settled_address_takes_any_value() -> None:
    assert page("<a href='https://x.test/?q={{ u }}'>x</a>").render({"u": "a:b"}).html == (
        "<a href='https://x.test/?q=a:b'>x</a>"
    )


RAW = declared("r", raw=True, required=False)
RAW_ITEMS = declared("items[].body", raw=True)


def test_a_raw_value_shown_as_it_is_is_not_escaped() -> None:
    assert page("<div>{{ r }}</div>", RAW).render({"r": "<b>x</b>"}).html == "<div><b>x</b></div>"
    said = page("{% for i in items %}{{ i.body }}{% endfor %}", RAW_ITEMS).render(
        {"items": [{"body": "<i>x</i>"}]}
    )
    assert said.html == "<i>x</i>"


def test_a_raw_value_that_went_through_anything_is_escaped() -> None:
    source = "{{ r | append: 'x' }}{% capture c %}{{ r }}{% endcapture %}{{ c }}"
    assert page(source, RAW).render({"r": "<b>"}).html == "&lt;b&gt;x&lt;b&gt;"


@pytest.mark.parametrize("value", ["<b>x</b", "<!-- x", "a <", "<a href='x'", "<style>", "</"])
def test_b3_a_raw_value_is_whole_by_itself(value: str) -> None:
    with pytest.raises(FailedRendering, match="ends inside a tag or a comment"):
        page("<div>{{ r }}</div>", RAW).check({"r": value})


def test_b3_a_raw_value_is_refused_inside_a_tag() -> None:
    (problem,) = page("<p title='{{ r }}'>x</p>", RAW).problems()
    assert str(problem) == "{{ r }} in line 1 is raw and stands inside a tag"
    # Which items are raw is known when they are there.
    inner = page("<p {% for i in items %}title='{{ i.body }}'{% endfor %}>x</p>", RAW_ITEMS)
    assert inner.problems() == []
    with pytest.raises(FailedRendering, match="shows a raw value inside a tag"):
        inner.check({"items": [{"body": "<i>"}]})
    assert inner.render({"items": [{"body": "plain"}]}).html == "<p title='plain'>x</p>"


def test_texts_of_the_author_in_tags_are_texts() -> None:
    assert page("{{ '<script>' }}{% cycle '<b>', 'b' %}").render({}).html == "&lt;script&gt;&lt;b&gt;"


def test_newlines_become_breaks_and_nothing_else_becomes_markup() -> None:
    assert page("{{ x | newline_to_br }}").render({"x": "<a>\r\nb\n"}).html == "&lt;a&gt;<br />\nb<br />\n"
    assert page("{{ x | newline_to_br | upcase }}").render({"x": "<a"}).html == "&lt;A"


VALUES = st.recursive(
    st.text(max_size=12)
    | st.sampled_from(["<script>", '"><img src=x onerror=y>', "-->", "{{ a }}", "&lt;", "javascript:"]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
EVERYWHERE = (
    "<!-- {{ a }} --><title>{{ a }}</title><p title=\"{{ a }}\" id='{{ a | upcase }}'>{{ a }}"
    "{{ a | append: b | replace: 'x', b }}{% assign c = a | append: '<' %}{{ c }}"
    "{% capture d %}{{ a }}{{ b }}{% endcapture %}{{ d }}{{ a | newline_to_br }}{{ a | url_encode }}"
    "{{ a | split: '' | join: b }}{{ a | truncate: 5, b }}{{ b | default: a }}</p>"
)


@given(a=st.text(max_size=20) | VALUES.filter(lambda v: isinstance(v, str)), b=st.text(max_size=8))
def test_b3_no_value_makes_a_tag(a: str, b: str) -> None:
    tags = [
        (token.kind, token.name)
        for token in markup.tokens(page(EVERYWHERE).render({"a": a, "b": b}).html or "")
        if token.kind in (markup.Kind.START, markup.Kind.END, markup.Kind.BROKEN)
    ]
    start, end = markup.Kind.START, markup.Kind.END
    assert [tag for tag in tags if tag != (start, "br")] == [
        (start, "title"),
        (end, "title"),
        (start, "p"),
        (end, "p"),
    ]


@given(a=VALUES, b=VALUES)
def test_b4_what_a_value_says_is_said_once(a: Any, b: Any) -> None:
    source = "{% for x in a %}{{ x }}{% endfor %}"
    template = LiquidTemplate(Content("s", None, source))
    flat = [each for each in (a if isinstance(a, list) else [a]) if isinstance(each, str)]
    assert template.render({"a": flat}).text == "".join(flat)


def test_line_breaks_are_made_in_html_alone() -> None:
    shown = "{{ x | newline_to_br }}"
    made = LiquidTemplate(Content(shown, f"<p>{shown}</p>", shown)).render({"x": "A & B"})
    assert (made.subject, made.html, made.text) == ("A & B", "<p>A &amp; B</p>", "A & B")
    text = LiquidTemplate(Content("s", f"<p>{shown}</p>", shown)).render({"x": "A & B\nC"})
    assert (text.html, text.text) == ("<p>A &amp; B<br />\nC</p>", "A & B\nC")


def test_what_comes_behind_line_breaks_sees_the_text() -> None:
    shown = "{{ x | newline_to_br }}"
    source = "{{ x | newline_to_br | strip_newlines }}{% capture y %}" + shown + "{% endcapture %}{{ y }}"
    assert LiquidTemplate(Content("s", source, "t")).render({"x": "a\n<"}).html == "a&lt;a\n&lt;"
