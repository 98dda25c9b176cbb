"""Compiled templates: what they need, and what they say."""

from __future__ import annotations

import html
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message import markup
from postroom_server.message.percent_template import PercentTemplate
from postroom_server.message.plaintext import text_from_html
from postroom_server.message.template import (
    Content,
    InvalidValue,
    MissingVariables,
    Rendered,
    Variable,
)
from postroom_server.message.unsafe import UnsafeContent


def _html(page: str, *declared: Variable) -> PercentTemplate:
    return PercentTemplate(Content("s", page), declared)


def test_values_are_escaped_in_html_and_plain_elsewhere() -> None:
    template = PercentTemplate(Content("Hi %name%", "<p title='%name%'>%name%</p>", "Dear %name%"))

    rendered = template.render({"name": """<b> & "it's" """})

    assert rendered == Rendered(
        """Hi <b> & "it's" """,
        "<p title='&lt;b&gt; &amp; &quot;it&#x27;s&quot; '>&lt;b&gt; &amp; &quot;it&#x27;s&quot; </p>",
        """Dear <b> & "it's" """,
    )


def test_a_raw_variable_is_not_escaped_in_html() -> None:
    rendered = _html("<div>%x%</div>", Variable("x", raw=True)).render({"x": "<b>bold</b> &amp; more"})

    assert rendered.html == "<div><b>bold</b> &amp; more</div>"
    assert rendered.text == "bold & more"


def test_declared_variables_come_first_then_the_discovered() -> None:
    content = Content("%s%", "%h% %d%", "%t% %h%")

    template = PercentTemplate(content, [Variable("d", declared=True), Variable("unseen", declared=True)])

    assert template.variables == (
        Variable("d", declared=True),
        Variable("unseen", declared=True),
        Variable("s"),
        Variable("h"),
        Variable("t"),
    )


def test_b5_all_missing_variables_are_named() -> None:
    template = PercentTemplate(
        Content("%a%", "%b% %c% %d% %e%", "%f%"),
        [Variable("c", required=False), Variable("d", default="D"), Variable("e", literal=True)],
    )

    assert template.missing({"b": None, "f": ""}) == ["a", "b"]
    with pytest.raises(MissingVariables) as error:
        template.render({"b": None, "f": ""})
    assert error.value.names == ("a", "b")


def test_defaults_and_optional_variables_fill_their_places() -> None:
    declared = [Variable("c", required=False), Variable("d", default="<D>"), Variable("e", literal=True)]
    template = PercentTemplate(Content("s", "%c%|%d%|%e%", "%d%"), declared)

    assert template.render({"d": None, "e": "x"}) == Rendered("s", "|&lt;D&gt;|%e%", "<D>")
    assert template.render({"c": 1.0, "d": True}) == Rendered("s", "1|true|%e%", "true")


def test_unused_and_invalid_parameters_are_told() -> None:
    template = PercentTemplate(Content("%a%", "%E4% %lit%"), [Variable("lit", literal=True)])

    assert template.unused({"a": 1, "E4": 1, "lit": 1, "z": 1}) == ["lit", "z"]
    assert list(template.invalid({"a": float("nan"), "E4": 2.0**60, "z": float("nan")})) == ["a", "E4"]
    with pytest.raises(InvalidValue) as error:
        template.render({"a": float("nan")})
    assert error.value.name == "a"


def test_a_supplied_name_is_a_variable_in_all_parts_of_that_mail() -> None:
    template = PercentTemplate(Content("%ab%", '<p>%ab%</p><a href="%cd%">x</a>'))

    assert template.render({}) == Rendered("%ab%", '<p>%ab%</p><a href="%cd%">x</a>', "%ab%\n\nx <%cd%>")
    assert template.render({"ab": "&"}) == Rendered("&", '<p>&amp;</p><a href="%cd%">x</a>', "&\n\nx <%cd%>")
    with pytest.raises(UnsafeContent, match="javascript"):
        template.render({"cd": "javascript:x"})


def test_b3_a_supplied_name_may_not_stand_where_no_variable_may() -> None:
    template = _html("<script>'%ab%'</script>")

    assert template.problems() == []
    with pytest.raises(UnsafeContent, match="script"):
        template.render({"ab": "x"})


def test_b4_values_are_not_read_again() -> None:
    template = PercentTemplate(Content("%a%%b%", "<p>%a%%b%</p>"))

    assert template.render({"a": "%b%", "b": "%a%"}) == Rendered("%b%%a%", "<p>%b%%a%</p>", "%b%%a%")


def test_b1_there_is_no_reach_into_values() -> None:
    template = PercentTemplate(Content("%x.__class__% {x} {{x}} {0.__class__} %(x)s %s", "<p>%x%</p>"))

    assert template.missing({"x": "v"}) == ["x.__class__"]
    rendered = template.render({"x": "{0.__class__} %(y)s %s", "x.__class__": "plain"})
    assert rendered.subject == "plain {x} {{x}} {0.__class__} %(x)s %s"
    assert rendered.text == "{0.__class__} %(y)s %s"


def test_system_variables_come_from_the_system_alone() -> None:
    template = _html('<p>a</p><a href="%%user_defined_unsubscribe_link%%">Unsubscribe</a>')
    mine = {"user_defined_unsubscribe_link": "https://evil.example"}

    given_one = template.render(mine, {"user_defined_unsubscribe_link": "https://x.example/u?a=1&b=2"})
    given_none = template.render(mine)

    assert given_one.html == '<p>a</p><a href="https://x.example/u?a=1&amp;b=2">Unsubscribe</a>'
    assert given_one.text == "a\n\nUnsubscribe <https://x.example/u?a=1&b=2>"
    assert given_none.html == '<p>a</p><a href="">Unsubscribe</a>'
    assert given_none.text == "a\n\nUnsubscribe"


@pytest.mark.parametrize("value", ["a\r\nBcc: x@y.example", "a\nb", "a\0", "\u2028", "\x85", "\ud800"])
def test_a3_control_characters_in_the_rendered_subject_are_refused(value: str) -> None:
    template = PercentTemplate(Content("Hi %name%", "<p>x</p>"))

    with pytest.raises(UnsafeContent) as error:
        template.render({"name": value})
    assert error.value.field == "subject"


def test_a3_control_characters_of_the_template_itself_are_refused() -> None:
    with pytest.raises(UnsafeContent):
        PercentTemplate(Content("a\r\nBcc: b", "x")).render({})


_ASTRAY = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "\x01javascript:alert(1)",
    "java\tscript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "tel:+1900",
    "x:y",
]


@pytest.mark.parametrize("value", _ASTRAY)
@pytest.mark.parametrize("attribute", ["href", "src", "SRC", "xlink:href", "background"])
def test_b3_a_link_may_not_lead_astray(attribute: str, value: str) -> None:
    with pytest.raises(UnsafeContent, match="link"):
        _html(f'<x {attribute}="%link%">y</x>').render({"link": value})


@pytest.mark.parametrize(
    ("page", "params"),
    [
        ('<a href="java%x%">', {"x": "script:alert(1)"}),
        ('<a href="%x%%y%">', {"x": "java", "y": "script:alert(1)"}),
        ('<a href="%x%:alert(1)">', {"x": "javascript"}),
        ('<a href="&%x%">', {"x": "#106;avascript:alert(1)"}),
        ('<a href="&#%x%;avascript:alert(1)">', {"x": "106"}),
        ('<a href="&#106;avascript&colon;%x%">', {"x": "alert(1)"}),
        ('<!--[if mso]><v:rect href="%x%"><![endif]-->', {"x": "javascript:x"}),
        ("<a href=\"javascript:f('%x%')\">", {"x": ""}),
    ],
)
def test_b3_a_scheme_put_together_from_pieces_is_seen(page: str, params: dict[str, str]) -> None:
    with pytest.raises(UnsafeContent, match="link"):
        _html(page).render(params)


@pytest.mark.parametrize(
    "value",
    [
        "https://x.example/?q=a:b",
        "HTTP://x.example",
        "mailto:a@x.example",
        "cid:logo",
        "",
        "#top",
        "/path:1",
        "?a=b:c",
        "page",
    ],
)
def test_b3_ordinary_links_pass(value: str) -> None:
    rendered = _html('<a href="%link%">y</a>').render({"link": value})

    assert rendered.html == f'<a href="{value}">y</a>'


def test_b3_links_inside_raw_values_are_looked_at_too() -> None:
    template = _html("<div>%x%</div>", Variable("x", raw=True))

    with pytest.raises(UnsafeContent, match="javascript"):
        template.render({"x": "<a href=javascript:alert(1)>x</a>"})
    with pytest.raises(UnsafeContent, match="javascript"):
        template.render({"x": "<a href='jav&#x09;ascript:alert(1)'>x</a>"})


_PAGE = "<p title=\"%a%\">%b%</p><a href='https://x.example/%a%?%b%'>%a%</a><!-- %b% --><title>%a%</title>"


@given(st.text(), st.text())
def test_b3_no_value_changes_the_markup(a: str, b: str) -> None:
    rendered = _html(_PAGE).render({"a": a, "b": b})

    assert rendered.html is not None
    assert _elements(rendered.html) == _elements(_PAGE)
    (paragraph, *_) = markup.tokens(rendered.html)
    assert html.unescape(paragraph.attributes[0].value) == html.unescape(html.escape(a))


def _elements(page: str) -> list[tuple[str, str, list[str]]]:
    return [
        (token.kind.name, token.name, [attribute.name for attribute in token.attributes])
        for token in markup.tokens(page)
        if token.kind is not markup.Kind.TEXT
    ]


_SAFE = st.text("abc你 <>&\"'%x", min_size=1).map(lambda text: " ".join(text.split())).filter(bool)


@given(_SAFE, _SAFE)
def test_the_derived_text_equals_the_text_of_the_rendered_page(a: str, b: str) -> None:
    page = "<h1>Hi %a%</h1><p>One <b>%b%</b> two.</p><ul><li>%a%<li>%b%</ul><table><tr><td>%a%<td>%b%</table>"

    rendered = _html(page).render({"a": a, "b": b})

    assert rendered.text == text_from_html(rendered.html or "")


@pytest.mark.parametrize("value", ["", "https://example.com/a?b=1", "word"])
@pytest.mark.parametrize(
    "page",
    [
        '<p>before</p><p><a href="%v%">%v%</a></p><p>after</p>',
        '<p>before</p><p>see <a href="https://example.com/%v%">https://example.com/%v%</a></p>',
        "<div>%v%</div><h1>title</h1><p>%v%</p><table><tr><td>a</td><td>%v%</td></tr></table><p>%v%</p>",
    ],
)
def test_the_derived_text_knows_a_value_again_and_leaves_no_gap_for_an_empty_one(
    page: str, value: str
) -> None:
    rendered = _html(page, Variable("v")).render({"v": value})
    assert rendered.html is not None
    assert rendered.text == text_from_html(rendered.html)


def test_decoding_makes_no_new_variables_in_the_derived_text() -> None:
    assert _html("<p>&#37;a% %b%</p>").render({"b": "1", "a": "2"}).text == "%a% 1"


@pytest.mark.parametrize("private", ["\ue000", "&#xe000;", "".join(map(chr, range(0xE000, 0xF900)))])
def test_private_characters_of_the_author_reach_the_derived_text(private: str) -> None:
    template = _html(f"<p>%a%{private}%b%</p>")

    assert template.render({"a": "1", "b": "2"}).text == f"1{html.unescape(private)}2"


def test_a_text_only_template_has_no_html() -> None:
    template = PercentTemplate(Content("s", None, "Hi %a%"))

    assert template.render({"a": "<&>"}) == Rendered("s", None, "Hi <&>")
    assert PercentTemplate(Content("s", "", "")).render({}) == Rendered("s", None, "")


def test_b2_a_part_is_at_most_a_mebibyte() -> None:
    template = _html("<p>%a%</p>")

    assert template.render({"a": "x" * (2**20 - 7)}).html is not None
    with pytest.raises(UnsafeContent, match="html"):
        template.render({"a": "x" * (2**20 - 6)})
    with pytest.raises(UnsafeContent, match="html"):
        template.render({"a": "你" * (2**20 // 3)})


def test_b2_a_part_that_would_be_huge_is_never_built() -> None:
    template = _html("%a%" * 100_000)

    tracemalloc.start()
    with pytest.raises(UnsafeContent, match="longer"):
        template.render({"a": "x" * 60_000})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * 2**20


def test_b2_a_subject_is_at_most_998_characters() -> None:
    template = PercentTemplate(Content("%a%", "x"))

    assert len(template.render({"a": "x" * 998}).subject) == 998
    with pytest.raises(UnsafeContent, match="subject"):
        template.render({"a": "x" * 999})
