"""Text that is known to be lines."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom_server.crlf import CrlfText

PIECES = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"\0", b"x", b".", b"\xc3"]), max_size=12).map(
    b"".join
)


@given(PIECES)
@example(b"")
@example(b"\r\n\n")
@example(b"\r\r\n")
@example(b"\n\r\n")
@example(b"x\r")
def test_a6_only_whole_line_ends_and_no_nul_pass(octets: bytes) -> None:
    rest = octets.replace(b"\r\n", b"")
    sound = not any(octet in rest for octet in b"\r\n\0")
    try:
        text = CrlfText(octets)
    except ValueError:
        assert not sound
    else:
        assert sound
        assert text == octets


def test_what_is_made_of_it_is_plain_bytes_and_looked_at_again() -> None:
    text = CrlfText(b"a\r\nb\r\n")
    made = [text[:2], text + b"", text.replace(b"\r", b""), b"".join([text, b"x"]), text.strip()]
    assert {type(one) for one in made} == {bytes}
    with pytest.raises(ValueError, match="not part of CRLF"):
        CrlfText(text[:2])
