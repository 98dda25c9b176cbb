"""A mailing's text: the caller's own, or what its HTML says, read once."""

from __future__ import annotations

import pytest

from postroom_server.message import mailing
from postroom_server.message.mailing import Copy, Mailing, write
from postroom_server.message.plaintext import text_from_html


def made(html: str | None, text: str | None) -> Mailing:
    return Mailing(
        subject="Code %verificationCode%", subject_prefix=None, from_address="a@example.com", from_name="",
        reply_to=(), headers=(), html=html, text=text, params={}, recipient_params={}, language="en",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("html", "text", "own"),
    [
        ("<p>a</p><p>b</p>", None, "a\n\nb"),
        ("<p>a</p>", "", "a"),
        ("<p>a</p>", "c", "c"),
        (None, "c", "c"),
        ("", None, None),
    ],
)
def test_the_text_is_the_callers_or_says_what_the_page_says(
    html: str | None, text: str | None, own: str | None
) -> None:
    assert made(html, text).own_text() == own


def test_a_page_is_read_once_for_all_copies_that_carry_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def watched(page: str) -> str:
        read.append(page)
        return text_from_html(page)

    monkeypatch.setattr(mailing, "text_from_html", watched)
    page = "<p>of this test alone: %verificationCode%</p>"
    for number in range(20):
        # Each lease reads the rows anew.
        copy = Copy(f"{number}@example.com", 0, (f"u{number}@example.com",), (), code=f"{number:06}")
        assert f"{number:06}".encode() in write(made(page, None), copy, template=None).message
    assert read == [page]
