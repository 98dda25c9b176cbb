"""The look at the finished bytes (security.md A2): has the mail the headers it should, and nothing more?

Composition already encodes whatever could break out. This asks the bytes themselves, without trusting how
they were made.
"""

from __future__ import annotations

import binascii
import re

from postroom_server.message.letter import Letter
from postroom_server.message.unsafe import UnsafeContent

_MAX_LINE = 998
_BARE_CR = re.compile(rb"\r(?!\n)")
_BARE_LF = re.compile(rb"\n(?<!\r\n)")
_ENCODED_WORD = re.compile(rb"=\?utf-8\?([bq])\?([!->@-~]*)\?=")
_LINE_END = re.compile(rb"[\r\n]")
_Q_LINE_END = re.compile(rb"=0[ADad]")


def check_finished(message: bytes, letter: Letter) -> None:
    """Raises UnsafeContent unless `message` has exactly the headers of `letter` and well-formed lines.

    Every CR is followed by LF and every LF preceded by CR, there is no NUL, no line is longer than 998
    octets, all is ASCII unless an address needs SMTPUTF8, and no encoded-word hides a line end.
    """
    if _BARE_CR.search(message) or _BARE_LF.search(message):
        raise UnsafeContent("message", "has a CR or LF that is no line end")
    if b"\0" in message:
        raise UnsafeContent("message", "has a NUL")
    if not message.isascii() and letter.has_ascii_addresses:
        raise UnsafeContent("message", "has octets beyond ASCII")
    _check_line_lengths(message)
    head_end = message.find(b"\r\n\r\n")
    head = message[:head_end]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    expected = _expected_names(letter)
    if head_end < 0 or (names != expected and names != [*expected, b"Content-Transfer-Encoding"]):
        raise UnsafeContent("message", "does not have the headers it should have")
    if b"=?" in head and _hides_something(head):
        raise UnsafeContent("message", "has a header that decodes to something else")


def _hides_something(head: bytes) -> bool:
    """Tells whether an encoded-word is not one of ours, or decodes to a line end."""
    if b"=?" in _ENCODED_WORD.sub(b"", head):
        return True
    for encoding, payload in _ENCODED_WORD.findall(head):
        if encoding == b"q":
            if _Q_LINE_END.search(payload):
                return True
        elif _LINE_END.search(binascii.a2b_base64(payload)):
            return True
    return False


def _expected_names(letter: Letter) -> list[bytes]:
    names = [b"Date", b"From", b"To"]
    if letter.cc:
        names.append(b"Cc")
    if letter.reply_to:
        names.append(b"Reply-To")
    names += (b"Subject", b"Message-ID")
    names += [name.encode("ascii") for name, _ in letter.headers]
    names += (b"MIME-Version", b"Content-Type")
    return names


def _check_line_lengths(message: bytes) -> None:
    at, size = 0, len(message)
    while at < size:
        # The last line end within reach: strides of many lines, and none longer than allowed can hide in one.
        end = message.rfind(b"\n", at, at + _MAX_LINE + 2)
        if end < 0:
            raise UnsafeContent(
                "message", f"has a line longer than {_MAX_LINE} octets, or no line end at its end"
            )
        at = end + 1
