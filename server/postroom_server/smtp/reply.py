"""A reply: what a server said to one command, kept short and printable."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from postroom_server.record import record

MAX_TEXT = 512


@record
class Reply:
    """A code and what came with it. Only the first digit of the code decides; `enhanced` refines."""

    code: int
    enhanced: str = ""  # RFC 3463, such as "5.1.1"; empty when there was none or it contradicts the code
    text: str = ""  # at most MAX_TEXT printable characters, without the codes

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.enhanced, self.text)))

    @property
    def is_positive(self) -> bool:
        return 200 <= self.code < 300

    @property
    def is_intermediate(self) -> bool:
        return 300 <= self.code < 400

    @property
    def is_transient(self) -> bool:
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        return 500 <= self.code < 600

    @property
    def is_closing(self) -> bool:
        """421: the server is closing; the message may still be good elsewhere."""
        return self.code == 421

    @property
    def is_too_many_recipients(self) -> bool:
        """The server takes no more recipients in this transaction (RFC 5321 §4.5.3.1.10)."""
        return self.enhanced == "4.5.3" or (self.code == 452 and not self.enhanced)


def from_lines(code: int, lines: Sequence[bytes]) -> Reply:
    """Reads a reply from the text of its lines, the code and separator already cut off."""
    if len(lines) == 1 and len(lines[0]) <= 128:
        return _from_short_line(code, lines[0])
    return _read(code, lines)


# Servers say the same few things over and over.
@functools.lru_cache(maxsize=256)
def _from_short_line(code: int, line: bytes) -> Reply:
    return _read(code, (line,))


def _read(code: int, lines: Sequence[bytes]) -> Reply:
    enhanced = ""
    texts = []
    for number, line in enumerate(lines):
        text = line.decode("utf-8", "replace")
        if match := _ENHANCED.match(text):
            # RFC 2034 §4: its class equals the first digit. One that contradicts it is not believed.
            if number == 0 and match[1][0] == str(code)[0]:
                enhanced = match[1]
            if match[1] == enhanced:
                text = text[match.end() :]
        texts.append(text.strip())
    return Reply(code, enhanced, _printable(" ".join(filter(None, texts)))[:MAX_TEXT])


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: +|$)")
