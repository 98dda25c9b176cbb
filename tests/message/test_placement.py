"""Where variables may stand in HTML."""

from __future__ import annotations

import pytest

from postroom_server.message.placement import check_placement


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<a href=%x%>", "without quotes"),
        ("<a href=https://h.example/%x%>", "without quotes"),
        ("<p class=%x% id=y>", "without quotes"),
        ("<script>var a = '%x%'</script>", "<script>"),
        ("<SCRIPT>%x%</SCRIPT>", "<script>"),
        ("<script>never closed %x%", "<script>"),
        ("<style>p{color:%x%}</style>", "<style>"),
        ("<p onclick=\"f('%x%')\">", "onclick"),
        ("<p ONLOAD='%x%'>", "onload"),
        ('<iframe srcdoc="%x%">', "srcdoc"),
        ("<%x%>", "name of a tag"),
        ("</%x%>", "name of a tag"),
        ("<!%x%>", "name of a tag"),
        ("<?%x%>", "name of a tag"),
        ("<h%x%>", "name of a tag"),
        ("</h%x%>", "name of a tag"),
        ("<p %x%>", "attribute"),
        ('<p %x%="1">', "attribute"),
        ('<p data-%x%="1">', "attribute"),
        ('<p class="a"%x%>', "attribute"),
        ("<p class='never closed %x%", "never closed"),
        ('<a href="javascript:f(%x%)">', "javascript"),
        ('<a href="data:text/html,%x%">', "data"),
        ("<!--[if mso]><v:rect href=%x%><![endif]-->", "without quotes"),
        ("<a href=%%user_defined_unsubscribe_link%%>", "without quotes"),
    ],
)
def test_b3_a_variable_that_escaping_cannot_hold_is_refused(page: str, said: str) -> None:
    (problem,) = check_placement(page, {"x"})

    assert said in problem.description


@pytest.mark.parametrize(
    "page",
    [
        "<p>%x%</p>",
        "1 < %x%",
        '<a href="%x%">%x%</a>',
        "<a href='https://h.example/%x%'>",
        '<a href="tel:%x%">',
        '<p class="%x%" title="%x%">',
        '<meta name="description" content="About %x%">',
        "<title>%x%</title>",
        "<!-- %x% -->",
        "<!--[if mso]><p>%x%</p><![endif]-->",
        "<style>p{width:100%;height:50%}</style>",
        "<script>a = b %y% c</script>",
        '<a href="%%user_defined_unsubscribe_link%%">',
    ],
)
def test_b3_text_and_quoted_attributes_may_hold_variables(page: str) -> None:
    assert check_placement(page, {"x"}) == []


def test_b3_a_raw_variable_stays_out_of_attributes() -> None:
    page = '<p title="%x%">%x%</p>'

    (problem,) = check_placement(page, {"x"}, raw={"x"})

    assert "raw" in problem.description


def test_all_problems_are_named_with_their_lines() -> None:
    page = "<p>%a%\n<p class=%a%>\n<script>%b%\n%c%</script>"

    problems = check_placement(page, {"a", "b", "c"})

    assert [(problem.name, problem.line) for problem in problems] == [("a", 2), ("b", 3), ("c", 4)]
    assert str(problems[1]) == "%b% in line 3 stands in <script>"
