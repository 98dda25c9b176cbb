"""Bytes become replies, whatever pieces they come in, and never more than the bounds allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.smtp.framing import MAX_LINE_BYTES, MAX_LINES, Frame, Framer, Garbled

texts = st.binary(max_size=80).map(lambda text: text.replace(b"\n", b"").replace(b"\r", b""))
frames = st.tuples(st.integers(200, 599), st.lists(texts, min_size=1, max_size=6))


def written(frame: Frame, end: bytes = b"\r\n") -> bytes:
    code, lines = frame
    last = len(lines) - 1
    return b"".join(b"%d%c%b%b" % (code, b"- "[i == last], line, end) for i, line in enumerate(lines))


@pytest.mark.parametrize(
    ("data", "frame"),
    [
        (b"250 ok\r\n", (250, [b"ok"])),
        (b"250\r\n", (250, [b""])),
        (b"250 \r\n", (250, [b""])),
        (b"250 ok\n", (250, [b"ok"])),
        (b"250-a\r\n250-\r\n250 c\r\n", (250, [b"a", b"", b"c"])),
        (b"250-a\r\n250\r\n", (250, [b"a", b""])),
        (b"550  two  spaces \r\n", (550, [b" two  spaces "])),
        (b"220 a\rb\r\n", (220, [b"a\rb"])),
        (b"220 a\r\r\n", (220, [b"a\r"])),
    ],
)
def test_a_reply_is_read(data: bytes, frame: Frame) -> None:
    framer = Framer()
    assert list(framer.feed(data)) == [frame]
    assert framer.is_empty


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"ok\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"250_ok\r\n",
        b"250ok\r\n",
        b" 250 ok\r\n",
        b"150 ok\r\n",
        b"650 ok\r\n",
        b"050 ok\r\n",
        "２５０ ok\r\n".encode(),
        "²50 ok\r\n".encode(),
        b"-250 ok\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"250-a\r\n251 b\r\n",
        b"250-a\r\nb\r\n",
        b"\x16\x03\x01\x02\x00\n",
    ],
)
def test_anything_else_is_garbage(data: bytes) -> None:
    with pytest.raises(Garbled):
        list(Framer().feed(data))


@given(st.lists(frames, max_size=5), st.sampled_from([b"\r\n", b"\n"]), st.data())
def test_the_pieces_do_not_matter(sent: list[Frame], end: bytes, data: st.DataObject) -> None:
    stream = b"".join(written(frame, end) for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    framer = Framer()
    read = [
        frame
        for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for frame in framer.feed(stream[start:stop])
    ]
    assert read == sent
    assert framer.is_empty


@given(st.binary(max_size=400))
def test_random_bytes_are_replies_or_garbage_and_nothing_else(data: bytes) -> None:
    framer = Framer()
    try:
        read = list(framer.feed(data))
    except Garbled:
        return
    assert all(200 <= code <= 599 and lines for code, lines in read)


def test_a_line_at_the_limit_is_read_and_one_byte_more_is_not() -> None:
    line = b"250 " + b"x" * (MAX_LINE_BYTES - 5) + b"\r\n"
    assert len(list(Framer().feed(line))) == 1
    with pytest.raises(Garbled, match="4096 bytes"):
        list(Framer().feed(b"x" + line))


def test_a_line_that_does_not_end_is_refused_as_soon_as_it_is_too_long() -> None:
    framer = Framer()
    assert list(framer.feed(b"2" * MAX_LINE_BYTES)) == []
    with pytest.raises(Garbled, match="4096 bytes"):
        list(framer.feed(b"2"))


def test_a_reply_at_the_limit_of_lines_is_read_and_one_line_more_is_not() -> None:
    lines = b"250-x\r\n" * (MAX_LINES - 1)
    assert len(list(Framer().feed(lines + b"250 x\r\n"))) == 1
    with pytest.raises(Garbled, match="100 lines"):
        list(Framer().feed(lines + b"250-x\r\n250 x\r\n"))


def test_an_unfinished_reply_is_not_empty() -> None:
    framer = Framer()
    assert list(framer.feed(b"250-a\r\n")) == []
    assert not framer.is_empty
