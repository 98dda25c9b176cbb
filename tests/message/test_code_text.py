"""A code in a body of the caller's own: in its place, or on a line of its own in the mail's language."""

from __future__ import annotations

import time

import pytest

from postroom_server.message.code_text import PLACE, fill_body, fill_subject

CODE = "012345"
LINE = "<p>Verification code: <strong>012345</strong></p>"


@pytest.mark.parametrize(
    ("subject", "filled"),
    [
        ("Hello", "Hello"),
        (PLACE, CODE),
        (f"{PLACE} is your code, {PLACE}", "012345 is your code, 012345"),
        ("%verificationcode% %VerificationCode% %code%", "%verificationcode% %VerificationCode% %code%"),
        ("100%verificationCode%", "100012345"),
    ],
)
def test_a_subject_shows_the_code_where_it_names_it(subject: str, filled: str) -> None:
    assert fill_subject(subject, CODE) == filled


@pytest.mark.parametrize(
    ("html", "text", "filled_html", "filled_text"),
    [
        (f"<b>{PLACE}</b>", None, "<b>012345</b>", None),
        (None, f"It is {PLACE}.", None, "It is 012345."),
        (f"{PLACE}{PLACE}", f"{PLACE} {PLACE}", "012345012345", "012345 012345"),
        # Each part is looked at by itself: a reader sees only one of them.
        (f"<b>{PLACE}</b>", "Hi", "<b>012345</b>", "Hi\n\nVerification code: 012345\n"),
        ("<p>Hi</p>", PLACE, f"<p>Hi</p>{LINE}", CODE),
        ("<p>Hi</p>", None, f"<p>Hi</p>{LINE}", None),
        (None, "Hi \n\n", None, "Hi\n\nVerification code: 012345\n"),
        (None, " \n", None, "Verification code: 012345\n"),
    ],
)
def test_each_part_holds_the_code(
    html: str | None, text: str | None, filled_html: str | None, filled_text: str | None
) -> None:
    assert fill_body(html, text, CODE, "en") == (filled_html, filled_text)


@pytest.mark.parametrize(
    ("html", "filled"),
    [
        ("<html><body><p>Hi</p></body></html>", f"<html><body><p>Hi</p>{LINE}</body></html>"),
        ("<BODY>Hi</BODY >", f"<BODY>Hi{LINE}</BODY >"),
        # Text that is quoted in the body ends it nowhere.
        ("<body>&lt;/body&gt; Hi</body>", f"<body>&lt;/body&gt; Hi{LINE}</body>"),
        ("<body>1</body><body>2</body>", f"<body>1</body><body>2{LINE}</body>"),
        ("<body>Hi</body><!-- </body> -->", f"<body>Hi{LINE}</body><!-- </body> -->"),
        ("<body>Hi</body><!-- </body>", f"<body>Hi{LINE}</body><!-- </body>"),
        ("<p>Hi</p></html>", f"<p>Hi</p></html>{LINE}"),
    ],
)
def test_the_line_stands_at_the_end_of_the_body(html: str, filled: str) -> None:
    assert fill_body(html, None, CODE, "en") == (filled, None)


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "Verification code: 012345\n"),
        ("en-GB", "Verification code: 012345\n"),
        ("zh", "验证码：012345\n"),
        ("zh-CN", "验证码：012345\n"),
        ("ZH-cn", "验证码：012345\n"),
        ("zha", "Verification code: 012345\n"),
        ("fr", "Verification code: 012345\n"),
        ("", "Verification code: 012345\n"),
    ],
)
def test_the_line_is_in_the_mails_language(language: str, line: str) -> None:
    html, text = fill_body("<p>Hi</p>", "Hi", CODE, language)
    assert text == f"Hi\n\n{line}"
    assert html is not None
    assert line.split("0")[0] in html


def test_b2_hostile_html_takes_no_time() -> None:
    before = time.process_time()
    for html in ("<!--" * 50_000, "</body" * 33_000, "</body" + " " * 199_000, "</body>" * 28_000):
        fill_body(html, None, CODE, "en")
    assert time.process_time() - before < 1.0
