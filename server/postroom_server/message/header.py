"""Header lines: text, addresses, dates and file names, folded; and which headers a caller may add.

Every function returns whole lines with CRLF at the end. Lines are folded at white space to 78 columns where
there is some, and never exceed 998 (RFC 5322 §2.1.1). Callers check the text for control characters before.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Sequence

from postroom_server.message import encoded_word
from postroom_server.message.unsafe import check_text as check_text

MAX_LINE = 998
_COLUMNS = 78

_PLAIN = re.compile(r"[!-~]+(?: +[!-~]+)*")
_WORD = re.compile(r" *[^ ]+")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# security.md A4. Headers that Postroom writes itself, and those that make servers act (Bcc, Return-Path,
# Received, Resent-*, Disposition-Notification-To), are not in it.
# fmt: off
_ALLOWED = frozenset((
    "list-unsubscribe", "list-unsubscribe-post", "list-id", "list-help", "list-subscribe", "list-post",
    "list-owner", "list-archive", "precedence", "auto-submitted", "in-reply-to", "references", "importance",
    "priority", "sensitivity", "keywords", "comments", "organization", "feedback-id",
))
# fmt: on
_HEADER_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?")
_FREE_TEXT = frozenset({"keywords", "comments", "organization"})
_FILE_NAME = re.compile(r"[A-Za-z0-9 !#$&'()+,.;=@\[\]^_`{}~-]{1,60}")
# RFC 5987 §3.2.1 attr-char
_ATTRIBUTE_CHARACTERS = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`|~"
)
_EXTENDED = [chr(code) if code in _ATTRIBUTE_CHARACTERS else f"%{code:02X}" for code in range(256)]


def check_header(name: str, value: str) -> str | None:
    """Says why a caller may not add this header, or None. Names are allow-listed, or begin with `X-`."""
    lower = name.lower()
    if not _HEADER_NAME.fullmatch(name) or not (lower in _ALLOWED or lower.startswith("x-")):
        return "is not a header that callers may set"
    problem = check_text(value)
    if problem:
        return problem
    if not value.strip(" "):
        return "is empty"
    if len(value) > MAX_LINE:
        return f"is longer than {MAX_LINE} characters"
    if _is_free_text(lower):
        return None
    # The others have a grammar, in which encoded-words have no place.
    if not value.isascii():
        return "has characters beyond ASCII"
    if "=?" in value:
        return 'contains "=?", which mail readers take for encoded text'
    if len(name) + 2 + max(map(len, value.split(" "))) > MAX_LINE:
        return f"has a word that does not fit on a line of {MAX_LINE} characters"
    return None


def custom(name: str, value: str) -> str:
    """The lines of a header that `check_header` has nothing against."""
    return text(name, value) if _is_free_text(name.lower()) else _fold(name, value.strip(" "))


def text(name: str, value: str) -> str:
    """A header of free text (RFC 5322 §2.2.1), encoded when it is not plain."""
    if "=?" not in value:
        if len(name) + 2 + len(value) <= _COLUMNS and _PLAIN.fullmatch(value):
            return f"{name}: {value}\r\n"
        if not value:
            return f"{name}: \r\n"
        if _PLAIN.fullmatch(value) and len(name) + 2 + max(map(len, value.split(" "))) <= _COLUMNS:
            return _fold(name, value)
    return f"{name}: {encoded_word.encode(value, len(name) + 2)}\r\n"


def mailbox(name: str, display_name: str, address: str) -> str:
    """A header of one address with its display name, which may be empty."""
    if not display_name:
        return f"{name}: {address}\r\n"
    line = f"{name}: {encoded_word.phrase(display_name, len(name) + 2)}"
    last = len(line) - line.rfind("\n") - 1
    fold = " " if last + len(address) + 3 <= _COLUMNS else "\r\n "
    return f"{line}{fold}<{address}>\r\n"


def mailboxes(name: str, addresses: Sequence[str]) -> str:
    """A header of bare addresses."""
    line = f"{name}: {', '.join(addresses)}"
    return f"{line}\r\n" if len(line) <= _COLUMNS else _fold(name, line[len(name) + 2 :])


def date(milliseconds: int) -> str:
    """A time in milliseconds since the Unix epoch, to the second, in UTC (RFC 5322 §3.3)."""
    return _date(milliseconds // 1000)


@functools.lru_cache(maxsize=64)
def _date(seconds: int) -> str:
    # Not strftime, whose names of days and months depend on the locale.
    at = time.gmtime(seconds)
    clock = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
    return f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04} {clock} +0000"


def disposition(kind: str, file_name: str) -> str:
    """Content-Disposition with a file name: plain where any reader takes it as it is, else RFC 2231."""
    if not file_name:
        return f"Content-Disposition: {kind}\r\n"
    if _FILE_NAME.fullmatch(file_name) and "=?" not in file_name and file_name.strip(" ") == file_name:
        return f'Content-Disposition: {kind};\r\n filename="{file_name}"\r\n'
    encoded = [_EXTENDED[octet] for octet in file_name.encode()]
    value = "".join(encoded)
    if len(value) <= 60:
        return f"Content-Disposition: {kind};\r\n filename*=utf-8''{value}\r\n"
    lines: list[str] = []
    piece = "utf-8''"
    for octet in encoded:
        if len(piece) + len(octet) > 60:
            lines.append(f" filename*{len(lines)}*={piece}")
            piece = ""
        piece += octet
    lines.append(f" filename*{len(lines)}*={piece}")
    return f"Content-Disposition: {kind};\r\n" + ";\r\n".join(lines) + "\r\n"


def _is_free_text(lower_name: str) -> bool:
    return lower_name.startswith("x-") or lower_name in _FREE_TEXT


def _fold(name: str, value: str) -> str:
    """Breaks `value` before its spaces, which stay: unfolding gives back exactly `value`."""
    lines: list[str] = []
    line = f"{name}:"
    for word in _WORD.findall(f" {value}"):
        if len(line) + len(word) > _COLUMNS and len(line) > len(name) + 1:
            lines.append(line)
            line = ""
        line += word
    lines.append(line)
    return "\r\n".join(lines) + "\r\n"
