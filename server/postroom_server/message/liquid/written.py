"""Values on their way into a page: numbers that remember how they were written, text that is markup."""

from __future__ import annotations

import re

from postroom_server.message.values import text_of

_INTEGRAL = re.compile(r"[+-]?[0-9]+")


class Raw(str):
    """A value that goes into HTML as it stands. Whatever is done to it gives an ordinary string again."""

    __slots__ = ()


class Broken(Raw):
    """A text with line breaks for HTML. Everywhere else, and to whatever is done to it, it is `plain`."""

    plain: str

    @classmethod
    def of(cls, markup: str, plain: str) -> Broken:
        made = cls(markup)
        made.plain = plain
        return made


class WrittenInteger(int):
    """A whole number that came as a string, and prints as that."""

    text: str


class WrittenNumber(float):
    """A number that came as a string, and prints as that: "19.90" is not 19.9 on a bill."""

    text: str


def number_of(text: str) -> WrittenInteger | WrittenNumber:
    """The number that a string spells. Raises ValueError when it spells none."""
    number = WrittenInteger(text) if _INTEGRAL.fullmatch(text) else WrittenNumber(text)
    number.text = text
    return number


def plain_number(value: object) -> int | float:
    """A number as a Struct holds it, which knows doubles only: integral ones become integers.

    Raises ValueError for what is no number, and for numbers that a double cannot hold exactly.
    """
    text = text_of(value)
    if isinstance(value, int):
        return value
    if not isinstance(value, float):
        raise ValueError(f"has a value of type {type(value).__name__}, which has no text")
    return int(text) if value.is_integer() else value


def text_of_value(value: object) -> str:
    """The text of a scalar, as `values.text_of` writes it. Raises ValueError for what has none."""
    if isinstance(value, Broken):
        return value.plain
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (WrittenInteger, WrittenNumber)):
        return value.text
    if isinstance(value, (list, tuple, dict, range)):
        raise ValueError("is a list or an object, which has no text")
    return text_of(value)
