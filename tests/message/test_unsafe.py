"""The characters that no header may hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.message.unsafe import check_body, check_text


@pytest.mark.parametrize(
    "character",
    [
        "\r",
        "\n",
        "\0",
        "\t",
        "\x0b",
        "\x1b",
        "\x7f",
        "\x80",
        "\x85",
        "\x9f",
        "\u2028",
        "\u2029",
        "\ud800",
        chr(0xDFFF),
    ],
)
def test_a1_a_control_character_is_named_with_its_place(character: str) -> None:
    problem = check_text(f"ab{character}c")

    assert problem is not None
    assert f"U+{ord(character):04X}" in problem
    assert "position 2" in problem


@pytest.mark.parametrize(
    "text", ["", "plain", "你好", "😀 👨‍👩‍👧", "a\u00a0b", "שלום", "soft\u00adhyphen", "a\u200db"]
)
def test_a1_readable_text_is_left_alone(text: str) -> None:
    assert check_text(text) is None


@given(st.text())
def test_a1_accepted_text_can_be_written_and_has_no_line_end(text: str) -> None:
    if check_text(text) is None:
        assert len(f"x{text}x".splitlines()) == 1
        assert text.encode().decode() == text
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)


def test_a_body_may_hold_line_ends_and_tabs_but_no_nul() -> None:
    assert check_body("a\r\n\tb\x0c") is None
    assert check_body("a\0") == "has a control character (U+0000) at position 1"
    assert check_body("a\ud83d") == "has half of a character (U+D83D) at position 1"
