"""Text in CRLF lines, known to be that: looked at once, and believed wherever it goes from there."""

from __future__ import annotations

import re
from typing import Self

_BARE_CR = re.compile(rb"\r(?!\n)")
_BARE_LF = re.compile(rb"\n(?<!\r\n)")


class CrlfText(bytes):
    """Bytes in which every CR is followed by LF, every LF follows a CR, and there is no NUL.

    Raises ValueError for others. Whatever is made of one, by slicing, joining or replacing, is plain bytes.
    """

    __slots__ = ()

    def __new__(cls, octets: bytes) -> Self:
        # A lone CR or LF before a dot ends the message for some servers and not for others: that is how a
        # second message is smuggled inside the first.
        if _BARE_CR.search(octets) or _BARE_LF.search(octets):
            raise ValueError("contains CR or LF that is not part of CRLF")
        if b"\0" in octets:
            raise ValueError("contains NUL")
        return super().__new__(cls, octets)
