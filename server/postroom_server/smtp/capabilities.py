"""Capabilities: what a server offers in its answer to EHLO."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Self


@dataclasses.dataclass(frozen=True, slots=True)
class Capabilities:
    """Nothing at all for a server that only knows HELO."""

    pipelining: bool = False  # RFC 2920
    starttls: bool = False  # RFC 3207
    eight_bit_mime: bool = False  # RFC 6152
    smtputf8: bool = False  # RFC 6531
    size: bool = False  # RFC 1870
    max_bytes: int = 0  # 0: no limit stated
    auth: frozenset[str] = frozenset()  # RFC 4954, mechanisms in upper case

    @classmethod
    def from_lines(cls, lines: Sequence[bytes]) -> Self:
        """Reads the lines of an EHLO reply; the first names the server (RFC 5321 §4.1.1.1)."""
        offered: dict[str, list[str]] = {}
        for line in lines[1:]:
            # Old servers write `AUTH=LOGIN PLAIN` beside or instead of `AUTH LOGIN PLAIN`.
            words = line.decode("ascii", "replace").upper().replace("AUTH=", "AUTH ").split()
            if words:
                offered.setdefault(words[0], []).extend(words[1:])
        limit = (offered.get("SIZE") or ["0"])[0]
        return cls(
            pipelining="PIPELINING" in offered,
            starttls="STARTTLS" in offered,
            eight_bit_mime="8BITMIME" in offered,
            smtputf8="SMTPUTF8" in offered,
            size="SIZE" in offered,
            max_bytes=int(limit) if _SIZE.fullmatch(limit) else 0,
            auth=frozenset(offered.get("AUTH", ())),
        )


_SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870 §4
