"""What is kept of a reply: the code, an enhanced code that fits it, and a short printable text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.smtp.reply import MAX_TEXT, Reply, from_lines


@pytest.mark.parametrize(
    ("code", "lines", "reply"),
    [
        (250, [b"ok"], Reply(250, "", "ok")),
        (250, [b""], Reply(250)),
        (250, [b"2.1.0 Sender ok"], Reply(250, "2.1.0", "Sender ok")),
        (550, [b"5.1.1"], Reply(550, "5.1.1", "")),
        (550, [b"5.7.509 Access denied"], Reply(550, "5.7.509", "Access denied")),
        (550, [b"5.1.1 no such", b"5.1.1 mailbox"], Reply(550, "5.1.1", "no such mailbox")),
        (550, [b"5.1.1 no", b"", b"  such  "], Reply(550, "5.1.1", "no such")),
        # An enhanced code of another class is not believed: 450 must not become a suppression.
        (450, [b"5.1.1 no such mailbox"], Reply(450, "", "5.1.1 no such mailbox")),
        (250, [b"5.1.1 odd"], Reply(250, "", "5.1.1 odd")),
        # Neither is one that comes late, or that only looks like one.
        (550, [b"no", b"5.1.1 such"], Reply(550, "", "no 5.1.1 such")),
        (550, [b"5.1.1000 x"], Reply(550, "", "5.1.1000 x")),
        (550, [b"5.1.1: x"], Reply(550, "", "5.1.1: x")),
        (550, [b"5.1 x"], Reply(550, "", "5.1 x")),
        (250, ["谢谢".encode()], Reply(250, "", "谢谢")),
        (250, [b"\xff\x00\x1b[31mred\rx"], Reply(250, "", "\ufffd??[31mred?x")),
        (250, ["a\u2028b\u202ec".encode()], Reply(250, "", "a?b?c")),
    ],
)
def test_a_reply_is_understood(code: int, lines: list[bytes], reply: Reply) -> None:
    assert from_lines(code, lines) == reply


@given(st.integers(200, 599), st.lists(st.binary(max_size=4096), min_size=1, max_size=100))
def test_the_text_is_short_and_printable_whatever_comes(code: int, lines: list[bytes]) -> None:
    reply = from_lines(code, lines)
    assert reply.code == code
    assert len(reply.text) <= MAX_TEXT
    assert reply.text.isprintable()
    assert reply.enhanced == "" or reply.enhanced[0] == str(code)[0]
    assert sum((reply.is_positive, reply.is_intermediate, reply.is_transient, reply.is_permanent)) == 1


@given(st.integers(200, 599), st.binary(max_size=200))
def test_a_remembered_line_reads_as_it_did(code: int, line: bytes) -> None:
    assert from_lines(code, [line]) == from_lines(code, [line]) == from_lines(code, [line, b""])


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(452, "4.5.3"), True),
        (Reply(452), True),
        (Reply(451, "4.5.3"), True),
        (Reply(452, "4.3.1"), False),
        (Reply(450), False),
        (Reply(552, "5.5.3"), False),
    ],
)
def test_too_many_recipients_is_told_from_a_full_disk(reply: Reply, expected: bool) -> None:
    assert reply.is_too_many_recipients is expected


def test_a_reply_prints_as_it_was_said() -> None:
    assert str(Reply(550, "5.1.1", "no such mailbox")) == "550 5.1.1 no such mailbox"
    assert str(Reply(250)) == "250"
