"""Transfer encodings: what arrives is what was sent."""

from __future__ import annotations

import base64
import quopri
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom_server.message import transfer
from postroom_server.message.unsafe import UnsafeContent

_BODY = st.lists(
    st.sampled_from(
        [
            "a",
            "word ",
            "=",
            " ",
            "\t",
            ".",
            "\n",
            "\r\n",
            "\r",
            "é",
            "你好",
            "😀",
            "From ",
            "\0",
            "\x0c",
            "\x85",
            "\u2028",
        ]
    )
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=90),
    max_size=40,
).map("".join)

_DECODE = {
    "7bit": bytes,
    "quoted-printable": quopri.decodestring,
    "base64": base64.b64decode,
}


def _normal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@given(_BODY)
@example("")
@example("x" * 998)
@example("x" * 999)
@example("\n".join(["x" * 998] * 3))
@example("é" + "x" * 2000)
@example(".\n..\n.x\né")
@example("é" + "a" * 72 + " \n")
@example("é" + "a" * 73 + "\t\n" + "b" * 75 + " ")
@example("é \n \n\t")
@example("é" + "=" * 200)
def test_a6_text_arrives_with_crlf_line_ends(text: str) -> None:
    encoded = transfer.encode_text(text, "text")

    decoded = _DECODE[encoded.encoding](encoded.content)
    assert decoded.replace(b"\r\n", b"\n") == _normal(text).encode()
    _assert_well_formed(encoded.content, 998 if encoded.encoding == "7bit" else 76)


def _assert_well_formed(content: bytes, columns: int) -> None:
    assert content.isascii()
    assert b"\0" not in content
    for line in content.split(b"\r\n"):
        assert b"\r" not in line
        assert b"\n" not in line
        assert len(line) <= columns


@given(_BODY)
def test_quoted_printable_lines_do_not_end_in_white_space(text: str) -> None:
    encoded = transfer._quoted_printable(_normal(text).encode())

    assert quopri.decodestring(encoded).replace(b"\r\n", b"\n") == _normal(text).encode()
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.endswith((b" ", b"\t"))


@given(st.lists(_BODY, max_size=30).map("\n".join), st.integers(1, 200))
def test_pieces_encode_as_the_whole_does(text: str, piece: int) -> None:
    octets = _normal(text).encode()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "_PIECE", piece)
        assert b"".join(transfer._pieces(octets)) == octets
        assert transfer._quoted_printable(octets) == transfer._quoted(octets)


def test_what_is_kept_for_the_next_mail_is_bounded() -> None:
    transfer._quoted_again.cache_clear()
    for number in range(3000):
        transfer._quoted_printable(f"é {number}\n{'x' * 3000}\n".encode())
        transfer._quoted_printable(f"é {number}\n".encode() * 40)

    kept = transfer._quoted_again.cache_info()
    assert kept.currsize == kept.maxsize == 2048


@pytest.mark.parametrize("space", [" ", "\t"])
@pytest.mark.parametrize("length", range(60, 80))
def test_a_space_at_the_end_of_a_full_line_makes_no_line_too_long(length: int, space: str) -> None:
    text = f"é{'a' * length}{space}\né{'b' * length}{space}"

    encoded = transfer._quoted_printable(text.encode())

    assert quopri.decodestring(encoded).replace(b"\r\n", b"\n") == text.encode()
    assert max(map(len, encoded.split(b"\r\n"))) <= 76


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain\n", "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("bell \x07 in the middle of a long enough text", "quoted-printable"),
        ("mostly ASCII, with one é in it somewhere", "quoted-printable"),
        ("您好，世界", "base64"),
        ("é", "base64"),
    ],
)
def test_the_encoding_follows_the_content(text: str, encoding: str) -> None:
    assert transfer.encode_text(text, "text").encoding == encoding


def test_half_a_character_is_refused_naming_the_field() -> None:
    with pytest.raises(UnsafeContent) as error:
        transfer.encode_text("a\ud83d", "html")
    assert error.value.field == "html"


@given(st.binary(max_size=8000))
@example(b"")
@example(b"x" * 57 * 32)
@example(b"x" * (57 * 64 + 1))
def test_bytes_arrive_as_they_are(octets: bytes) -> None:
    encoding, content = transfer.encode_bytes(octets)

    assert encoding == "base64"
    assert base64.b64decode(content) == octets
    assert content == base64.encodebytes(octets).replace(b"\n", b"\r\n").removesuffix(b"\r\n")


@pytest.mark.parametrize("piece", ["é \n", "=", "x", "é" + "x" * 75 + " \n", "\n"])
def test_b2_a_mebibyte_takes_time_in_proportion(piece: str) -> None:
    start = time.process_time()
    transfer.encode_text(piece * (2**20 // len(piece)), "text")

    assert time.process_time() - start < 10
