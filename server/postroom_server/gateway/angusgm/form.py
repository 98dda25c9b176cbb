"""A JSON object read field by field. What is wrong with it is collected, in the order of reading."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from postroom_server.gateway.angusgm import scalars
from postroom_server.gateway.angusgm.dates import Dates, Moment
from postroom_server.gateway.angusgm.problem import Problem, Violation
from postroom_server.gateway.angusgm.texts import Text


class Form:
    """A field's name in violations is `prefix` and its key. null counts as absent, as does "" for text.

    `unreadable` has what is of the wrong type or no such word, `wrong` what breaks a rule.
    """

    def __init__(self, fields: Mapping[str, Any], prefix: str = "", of: Form | None = None) -> None:
        self._fields = fields
        self._prefix = prefix
        self.unreadable: list[Violation] = [] if of is None else of.unreadable
        self.wrong: list[Violation] = [] if of is None else of.wrong

    def refuse(self) -> None:
        """Raises what was found: what could not be read goes before what breaks a rule."""
        if self.unreadable:
            raise Problem("param_parsing_error", [*self.unreadable, *self.wrong])
        if self.wrong:
            raise Problem("param_validation_error", self.wrong)

    def text(self, key: str, *, most: int, required: bool = False) -> str:
        value = self._fields.get(key)
        if value is None or value == "":
            if required:
                self.break_rule(key, "required")
            return ""
        if not isinstance(value, str):
            self.misread(key, "not_a_string")
            return ""
        if len(value) > most:
            self.break_rule(key, ("too_long", most))
        return value

    def boolean(self, key: str, *, default: bool = False, required: bool = False) -> bool:
        value = self._fields.get(key)
        if value is None:
            if required:
                self.break_rule(key, "required")
            return default
        read = scalars.boolean(value)
        if read is None:
            self.misread(key, "not_a_boolean")
        return bool(read)

    def integer(
        self, key: str, *, least: int | None = None, most: int | None = None, required: bool = False
    ) -> int | None:
        value = self._fields.get(key)
        if value is None:
            if required:
                self.break_rule(key, "required")
            return None
        number = scalars.integer(value)
        if number is None:
            self.misread(key, "not_a_number")
        elif not scalars.fits(number):
            self.break_rule(key, "outside_64_bits")
        elif (least is not None and number < least) or (most is not None and number > most):
            self.break_rule(key, ("out_of_range", str(least), str(most)))
        else:
            return number
        return None

    def word(self, key: str, words: Collection[str], *, required: bool = False) -> str:
        """One of `words`, which are in upper case, in whatever case it came; "" when it is absent."""
        value = self._fields.get(key)
        if value is None:
            if required:
                self.break_rule(key, "required")
            return ""
        word = value.upper() if isinstance(value, str) else ""
        if word not in words:
            self.misread(key, ("not_a_word", ", ".join(words)))
            return ""
        return word

    def date(self, key: str, dates: Dates) -> Moment | None:
        value = self._fields.get(key)
        if value is None:
            return None
        read = dates.read(value) if isinstance(value, str) else None
        if read is None:
            self.misread(key, "not_a_date")
        return read

    def texts(self, key: str, *, most: int) -> list[str]:
        """A set of strings. One level of lists within the list is flattened, as the seed has it."""
        found: dict[str, None] = {}
        for item in self.items(key):
            for text in item if isinstance(item, list) else (item,):
                if not isinstance(text, str):
                    self.misread(key, "not_a_string")
                    return []
                found[text] = None
        if len(found) > most:
            self.break_rule(key, ("too_many", most))
        return list(found)

    def integers(self, key: str, *, most: int) -> list[int]:
        found: dict[int, None] = {}
        for item in self.items(key):
            number = scalars.integer(item)
            if number is None:
                self.misread(key, "not_a_number")
                return []
            if not scalars.fits(number):
                self.break_rule(key, "outside_64_bits")
                return []
            found[number] = None
        if len(found) > most:
            self.break_rule(key, ("too_many", most))
        return list(found)

    def items(self, key: str) -> list[Any]:
        value = self._fields.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.misread(key, "not_a_list")
            return []
        return value

    def object(self, key: str) -> dict[str, Any]:
        value = self._fields.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.misread(key, "not_an_object")
            return {}
        return value

    def misread(self, key: str, reason: Text) -> None:
        self.unreadable.append(Violation(f"{self._prefix}{key}", reason))

    def break_rule(self, key: str, reason: Text) -> None:
        self.wrong.append(Violation(f"{self._prefix}{key}", reason))
