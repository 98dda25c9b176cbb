"""The look at the finished bytes (security.md A2): has the mail the headers it should, and nothing more?

And do sender, recipients and subject read as they were meant? Composition already encodes whatever could
break out. This asks the bytes themselves, without trusting how they were made.
"""

from __future__ import annotations

import functools

from postroom_server.crlf import CrlfText
from postroom_server.message import reading
from postroom_server.message.letter import Letter
from postroom_server.message.unsafe import UnsafeContent, check_text

_MAX_LINE = 998


def check_finished(message: bytes, letter: Letter) -> CrlfText:
    """Returns `message` if it has the headers of `letter` and well-formed lines, else raises UnsafeContent.

    Every CR is followed by LF and every LF preceded by CR, there is no NUL, no line is longer than 998
    octets, all is ASCII unless an address needs SMTPUTF8, no encoded-word hides a control character, and
    the sender, the recipients and the subject read as the letter has them.
    """
    try:
        lines = CrlfText(message)
    except ValueError as error:
        raise UnsafeContent("message", str(error)) from None
    if not message.isascii() and letter.has_ascii_addresses:
        raise UnsafeContent("message", "has octets beyond ASCII")
    _check_line_lengths(message)
    head_end = message.find(b"\r\n\r\n")
    try:
        head = reading.unfold(message[:head_end].decode())
    except UnicodeDecodeError:
        raise UnsafeContent("message", "has a header that is not UTF-8") from None
    names: list[str] = []
    values: list[str] = []
    for line in head.split("\r\n"):
        name, colon, value = line.partition(":")
        names.append(name + colon)
        values.append(value.lstrip(" \t"))
    expected = _expected_names(letter)
    if head_end < 0 or (names != expected and names != [*expected, "Content-Transfer-Encoding:"]):
        raise UnsafeContent("message", "does not have the headers it should have")
    if "=?" in head and any(_hides_something(value) for value in values if "=?" in value):
        raise UnsafeContent("message", "has a header that decodes to something else")
    _check_reading(values, letter)
    return lines


@functools.lru_cache(maxsize=256)  # senders come again
def _hides_something(value: str) -> bool:
    """Tells whether an encoded-word is not one of ours, or decodes to a control character."""
    if "=?" in reading.ENCODED_WORD.sub("", value):
        return True
    for encoding, payload in reading.ENCODED_WORD.findall(value):
        text = reading.read_word(encoding, payload)
        if text is None or check_text(text):
            return True
    return False


def _check_reading(values: list[str], letter: Letter) -> None:
    """Reads the headers back. `values` are in the order of `_expected_names`."""
    following = iter(values)
    next(following)  # Date
    sender = reading.read_mailbox(next(following))
    if sender is None or sender[1] != letter.from_address:
        raise _misread("from_address")
    if sender[0] != letter.from_name:
        raise _misread("from_name")
    if reading.read_addresses(next(following)) != letter.to:
        raise _misread("to")
    if letter.cc and reading.read_addresses(next(following)) != letter.cc:
        raise _misread("cc")
    if letter.reply_to and reading.read_addresses(next(following)) != letter.reply_to:
        raise _misread("reply_to")
    if reading.read_text(next(following)) != letter.subject:
        raise _misread("subject")


def _misread(field: str) -> UnsafeContent:
    return UnsafeContent(field, "reads differently in the finished message")


def _expected_names(letter: Letter) -> list[str]:
    names = ["Date:", "From:", "To:"]
    if letter.cc:
        names.append("Cc:")
    if letter.reply_to:
        names.append("Reply-To:")
    names += ("Subject:", "Message-ID:")
    names += [f"{name}:" for name, _ in letter.headers]
    names += ("MIME-Version:", "Content-Type:")
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
