"""Framing: cuts the bytes a server sends into replies, within bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_LINE_BYTES = 4096  # RFC 5321 §4.5.3.1.5 says 512; some servers write longer ones
MAX_LINES = 100

# A code, and the text of each line behind it.
Frame = tuple[int, list[bytes]]


class Garbled(Exception):  # noqa: N818 - it is not an error of ours
    """What came is not an SMTP reply, or more of one than anybody needs."""


class Framer:
    """Keeps at most one unfinished line and one unfinished reply. After Garbled it is of no more use."""

    __slots__ = ("_code", "_lines", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._code = 0
        self._lines: list[bytes] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come since the last whole reply."""
        return not self._rest and not self._lines

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yields the replies that `data` completes; must be read to its end. Raises Garbled."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            # A bare LF ends a line too: nothing hangs on it in this direction, and such servers exist.
            match = _LINE.fullmatch(line.removesuffix(b"\r")) if len(line) <= MAX_LINE_BYTES else None
            if match is None:
                raise Garbled(_complaint(line))
            code = int(match[1])
            if self._lines and code != self._code:
                # RFC 5321 §4.2.1: every line of a reply carries the same code.
                raise Garbled(f"a reply that begins with {self._code} and goes on with {code}")
            self._lines.append(match[3] or b"")
            if match[2] == b"-":
                self._code = code
                if len(self._lines) == MAX_LINES:
                    raise Garbled(f"a reply of more than {MAX_LINES} lines")
            else:
                whole, self._lines = self._lines, []
                yield code, whole
        if len(self._rest) > MAX_LINE_BYTES:
            raise Garbled(_complaint(self._rest))


def _complaint(line: bytes) -> str:
    if len(line) > MAX_LINE_BYTES:
        return f"a reply line of more than {MAX_LINE_BYTES} bytes"
    return "something that is not an SMTP reply"


# The first digit is 2 to 5 (RFC 5321 §4.2.1).
_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
