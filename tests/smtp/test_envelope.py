"""The last line of defence: an envelope that could change meaning on the wire cannot be made (A6, A7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.crlf import CrlfText
from postroom_server.smtp import Envelope
from postroom_server.smtp.envelope import stuffed

HOSTILE_ADDRESSES = [
    '"a> ORCPT=x"@d.test',
    "a@x.test> NOTIFY=NEVER",
    "a@x.test>\r\nRCPT TO:<victim@x.test",
    "a@x.test\r\n",
    "a@x.test\n",
    "a\r@x.test",
    "a b@x.test",
    '"a b"@x.test',
    "<a@x.test>",
    "a@x.test\t",
    "a\0@x.test",
    "a\x7f@x.test",
    "a\x85@x.test",
    "a\u2028@x.test",
    "a\u3000b@x.test",
    "a\u200bb@x.test",
    "a\ud800@x.test",
]


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES, ids=ascii)
@pytest.mark.parametrize("smtputf8", [False, True])
def test_a7_an_address_that_could_be_more_than_an_address_is_refused(address: str, smtputf8: bool) -> None:
    with pytest.raises(ValueError, match="address"):
        Envelope("me@x.test", ("you@x.test", address), b"", smtputf8=smtputf8)
    with pytest.raises(ValueError, match="address"):
        Envelope(address, ("you@x.test",), b"", smtputf8=smtputf8)


@given(st.text(max_size=60))
def test_a7_what_is_let_through_has_no_separators(address: str) -> None:
    try:
        Envelope(address, ("you@x.test",), b"", smtputf8=True)
    except ValueError:
        return
    assert not set(address) & set("<> \t\r\n\0")
    assert len(address.split()) <= 1
    assert len(f"<{address}>".encode().splitlines()) == 1


def test_an_address_beyond_ascii_needs_smtputf8() -> None:
    with pytest.raises(ValueError, match="SMTPUTF8"):
        Envelope("me@x.test", ("用户@例子.test",), b"")
    assert Envelope("me@x.test", ("用户@例子.test",), b"", smtputf8=True).recipients == ("用户@例子.test",)


def test_the_null_sender_is_an_address_and_an_empty_recipient_is_not() -> None:
    assert Envelope("", ("you@x.test",), b"").sender == ""
    with pytest.raises(ValueError, match="recipient is empty"):
        Envelope("me@x.test", ("",), b"")
    with pytest.raises(ValueError, match="needs a recipient"):
        Envelope("me@x.test", (), b"")


@pytest.mark.parametrize(
    "ending", [b"\n", b"\r", b"\n\r", b"\r\r\n", b"\n.\n", b"\r\n.\r", b"\r.\r\n", b"\n.\r\n"]
)
def test_a6_a_lone_cr_or_lf_is_refused(ending: bytes) -> None:
    with pytest.raises(ValueError, match="CRLF"):
        Envelope(
            "me@x.test", ("you@x.test",), b"Subject: x\r\n\r\nhi" + ending + b"MAIL FROM:<evil@x.test>\r\n"
        )


def test_nul_and_undeclared_eight_bit_are_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        Envelope("me@x.test", ("you@x.test",), b"a\0b\r\n")
    with pytest.raises(ValueError, match="eight_bit"):
        Envelope("me@x.test", ("you@x.test",), "é\r\n".encode())
    assert Envelope("me@x.test", ("you@x.test",), "é\r\n".encode(), eight_bit=True).eight_bit


def test_the_message_is_not_printed() -> None:
    assert "secret" not in repr(Envelope("me@x.test", ("you@x.test",), b"secret\r\n"))


@pytest.mark.parametrize(
    ("message", "on_the_wire"),
    [
        (b"", b".\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"..\r\n", b"...\r\n.\r\n"),
        (b"a\r\n.\r\n.\r\nb.\r\n", b"a\r\n..\r\n..\r\nb.\r\n.\r\n"),
        (b"\r\n", b"\r\n.\r\n"),
    ],
)
def test_dots_at_line_starts_are_doubled(message: bytes, on_the_wire: bytes) -> None:
    assert stuffed(message) == on_the_wire


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\r", b".").replace(b"\n", b"."))))
def test_a6_unstuffing_gives_the_message_back_and_it_ends_once(lines: list[bytes]) -> None:
    message = b"".join(line + b"\r\n" for line in lines)
    wire = stuffed(message)
    received = []
    for line in wire.split(b"\r\n")[:-1]:
        received.append(line)
        if line == b".":
            break
    assert b"".join(line + b"\r\n" for line in received) == wire  # the only lone dot is the last line
    assert b"".join(line.removeprefix(b".") + b"\r\n" for line in received[:-1]) == message


def test_a_message_that_was_looked_at_is_taken_as_it_is() -> None:
    message = CrlfText(b"hi\r\n")
    assert Envelope("me@x.test", ("you@x.test",), message).message is message
    with pytest.raises(ValueError, match="not ASCII"):
        Envelope("me@x.test", ("you@x.test",), CrlfText("é\r\n".encode()))
