"""Where a rendering writes to: the pieces of one part, within its limit."""

from __future__ import annotations

from typing import NamedTuple

from postroom_server.message.liquid.work import RenderProblem, Work

_CHARACTERS_A_STEP = 1024


class Link(NamedTuple):
    """A place in a written page where a value stands at the beginning of an address."""

    at: int
    quote: str


class Page:
    """The text of one part. python-liquid writes to it as to a StringIO."""

    def __init__(self, work: Work, max_octets: int, *, is_html: bool) -> None:
        self.is_html = is_html
        self.links: list[Link] = []
        self.length = 0  # in characters
        self._work = work
        self._pieces: list[str] = []
        self._max_octets = max_octets
        self._octets = 0

    def pay(self, steps: int) -> None:
        """Pays for what is done to a text before it is written."""
        self._work.spend(steps)

    def write(self, text: str) -> int:
        self._octets += len(text) if text.isascii() else len(text.encode(errors="replace"))
        if self._octets > self._max_octets:
            raise RenderProblem(f"is longer than {self._max_octets} octets")
        if len(text) > _CHARACTERS_A_STEP:
            self._work.spend(len(text) // _CHARACTERS_A_STEP)
        self.length += len(text)
        self._pieces.append(text)
        return len(text)

    def getvalue(self) -> str:
        return "".join(self._pieces)
