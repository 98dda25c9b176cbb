"""A query string read by parameter. Blank counts as absent, and of one given twice the first wins."""

from __future__ import annotations

import urllib.parse
from collections.abc import Collection, Iterator

from postroom_server.gateway.angusgm import scalars
from postroom_server.gateway.angusgm.dates import Dates, Moment
from postroom_server.gateway.angusgm.problem import Problem, Violation, invalid
from postroom_server.gateway.angusgm.texts import Text


def pairs_of(raw: bytes) -> Iterator[tuple[str, str]]:
    """The pairs of a query string (WHATWG URL, urlencoded parsing). Raises UnicodeDecodeError."""
    for part in raw.split(b"&"):
        if part:
            name, _, value = part.replace(b"+", b" ").partition(b"=")
            yield (
                urllib.parse.unquote_to_bytes(name).decode(),
                urllib.parse.unquote_to_bytes(value).decode(),
            )


class Query:
    """What is wrong with parameters is collected in `wrong`; it is all `param_validation_error`."""

    def __init__(self, raw: bytes) -> None:
        try:
            self.pairs = list(pairs_of(raw))
        except UnicodeDecodeError:
            raise invalid("query", "not_utf8") from None
        self._first: dict[str, str] = {}
        for name, value in self.pairs:
            self._first.setdefault(name, value)
        self.wrong: list[Violation] = []

    def refuse(self) -> None:
        if self.wrong:
            raise Problem("param_validation_error", self.wrong)

    def text(self, name: str, *, required: bool = False, most: int | None = None) -> str:
        """As it stands, blanks around it included; "" when it is absent or nothing but blanks."""
        value = self._first.get(name, "")
        if not value.strip():
            if required:
                self.break_rule(name, "required")
            return ""
        if most is not None and len(value) > most:
            self.break_rule(name, ("too_long", most))
        return value

    def integer(self, name: str, *, least: int = scalars.LOWEST, most: int = scalars.HIGHEST) -> int | None:
        text = self.text(name)
        if not text:
            return None
        number = scalars.integer(text)
        if number is None:
            self.break_rule(name, "not_a_number")
        elif not scalars.fits(number):
            self.break_rule(name, "outside_64_bits")
        elif not least <= number <= most:
            self.break_rule(name, ("out_of_range", str(least), str(most)))
        else:
            return number
        return None

    def word(self, name: str, words: Collection[str], *, required: bool = False) -> str:
        """One of `words` in the very case; "" when it is absent."""
        text = self.text(name, required=required)
        if text and text not in words:
            self.break_rule(name, ("not_a_word", ", ".join(words)))
            return ""
        return text

    def date(self, name: str, dates: Dates) -> Moment | None:
        text = self.text(name)
        moment = dates.read(text) if text else None
        if text and moment is None:
            self.break_rule(name, "not_a_date")
        return moment

    def break_rule(self, name: str, reason: Text) -> None:
        self.wrong.append(Violation(name, reason))
