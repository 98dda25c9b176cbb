"""Transfer encodings: text and bytes as lines that every mail server carries (RFC 2045 §6).

7bit when the text is ASCII in lines of at most 998, quoted-printable when that is shorter than base64, else
base64; never 8bit, so that no server on the way has to re-encode. In text, CR LF, LF and CR all mean one line
end, and all leave as CR LF: what the receiver reads equals what was sent up to that.
"""

from __future__ import annotations

import binascii
import functools
import itertools
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from postroom_server.message.unsafe import UnsafeContent

MAX_LINE = 998

# Octets of text that are encoded together, at least, and at most where the result is kept.
_PIECE = 512
_LONGEST_KEPT = 2048

_PLAIN = bytes([ord("\t"), ord("\n"), *range(0x20, 0x7F)])
# In quoted-printable all of these stand for themselves.
_UNQUOTED = _PLAIN.replace(b"=", b"")
_BASE64_COLUMNS = 76
_BASE64_LINES = struct.Struct(f"{_BASE64_COLUMNS}s" * 32)
_SPACE_LAST = re.compile(rb"=(?:20|09)(?:\n|\Z)")
_OVERLONG = re.compile(rb"^(.{74,75})(=20|=09)$", re.MULTILINE)


class Encoded(NamedTuple):
    """Encoded content and the name of its encoding, for Content-Transfer-Encoding."""

    encoding: str
    content: bytes


def encode_text(text: str, field: str) -> Encoded:
    """Encodes a text or HTML body. Raises UnsafeContent, naming `field`, for text that is not Unicode."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        octets = text.encode()
    except UnicodeEncodeError:
        raise UnsafeContent(field, "has half of a character (a lone surrogate)") from None
    quoted = len(octets.translate(None, _UNQUOTED))
    if octets.isascii() and quoted == octets.count(b"=") and _lines_fit(octets):
        return Encoded("7bit", octets.replace(b"\n", b"\r\n"))
    if len(octets) + 2 * quoted <= len(octets) * 4 // 3:
        return Encoded("quoted-printable", _quoted_printable(octets))
    return encode_bytes(octets.replace(b"\n", b"\r\n"))


def encode_bytes(octets: bytes) -> Encoded:
    """Encodes bytes as base64 in lines of 76, each ended by CRLF but the last."""
    digits = binascii.b2a_base64(octets, newline=False)
    whole = len(digits) - len(digits) % _BASE64_LINES.size
    # Slicing in C, 32 lines at a time: a third faster than a comprehension.
    lines = list(itertools.chain.from_iterable(_BASE64_LINES.iter_unpack(digits[:whole])))
    rest = range(whole, len(digits), _BASE64_COLUMNS)
    lines += [digits[at : at + _BASE64_COLUMNS] for at in rest]
    return Encoded("base64", b"\r\n".join(lines))


def _lines_fit(octets: bytes) -> bool:
    at = 0
    while len(octets) - at > MAX_LINE:
        # The last line end within reach: strides of many lines, and no line that is too long can hide in one.
        at = octets.rfind(b"\n", at, at + MAX_LINE + 1) + 1
        if at == 0:
            return False
    return True


def _quoted_printable(octets: bytes) -> bytes:
    """Quoted-printable of text with LF line ends, in lines of at most 76 that end in CRLF."""
    return b"".join(map(_quoted_lines, _pieces(octets)))


def _pieces(octets: bytes) -> Iterator[bytes]:
    """Cuts behind line ends. After a line that differs from another text's, the cuts soon agree again."""
    at = 0
    while at < len(octets):
        end = octets.find(b"\n", at + _PIECE) + 1 or len(octets)
        yield octets[at:end]
        at = end


def _quoted_lines(lines: bytes) -> bytes:
    return _quoted_again(lines) if len(lines) <= _LONGEST_KEPT else _quoted(lines)


def _quoted(lines: bytes) -> bytes:
    encoded = binascii.b2a_qp(lines, istext=True)
    if _SPACE_LAST.search(encoded):
        # b2a_qp finds that a space ends its line only when the line is full, and makes lines of 78 then.
        encoded = _OVERLONG.sub(rb"\1=\n\2", encoded)
    return encoded.replace(b"\n", b"\r\n")


# Most lines of a mail stood in the mail before: looking them up takes a fifth of encoding them anew.
_quoted_again = functools.lru_cache(maxsize=2048)(_quoted)
