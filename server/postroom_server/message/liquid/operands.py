"""What goes into a filter and what comes out of it: of the right kind, paid for, and not too much."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypeVar

from liquid.undefined import Undefined

from postroom_server.message.liquid.limits import (
    MAX_INTEGER_BITS,
    MAX_LIST,
    MAX_PATH_CHARACTERS,
    MAX_TEXT,
)
from postroom_server.message.liquid.undefined import Absent
from postroom_server.message.liquid.work import CHARACTERS_A_STEP, NoValue, RenderProblem, Work
from postroom_server.message.liquid.written import number_of, plain_number, text_of_value

_Value = TypeVar("_Value")


def as_text(work: Work, value: object) -> str:
    """The text of a filter's value or argument, paid for."""
    if isinstance(value, Absent):
        return ""
    if known(value) is None:
        raise RenderProblem("takes a text where there is none")
    try:
        spelled = text_of_value(value)
    except ValueError as error:
        raise RenderProblem(f"takes a text where there is a value that {error}") from None
    work.spend(1 + len(spelled) // CHARACTERS_A_STEP)
    return spelled


def as_number(work: Work, value: object) -> int | float:
    work.spend(1)
    if isinstance(value, Absent):
        return 0
    value = known(value)
    try:
        if isinstance(value, str):
            return number_of(value.strip())
        if not isinstance(value, bool):
            return plain_number(value)
    except ValueError:
        pass
    raise RenderProblem(f"takes a number where there is {_shown(value)}")


def as_whole(work: Work, value: object) -> int:
    told = as_number(work, value)
    if told != int(told):
        raise RenderProblem(f"takes a whole number where there is {told}")
    return int(told)


def as_items(work: Work, value: object) -> list[Any]:
    """The items of a list, those of lists in it among them, as Liquid has it."""
    flat: list[Any] = []
    if isinstance(value, Absent):
        return flat
    _flatten(_sequence(value), flat, 5)
    work.spend_on_items(flat)
    return flat


def as_sequence(work: Work, value: object) -> list[Any] | tuple[Any, ...] | range:
    """The items of a list, whatever they are: nothing is looked into."""
    work.spend(1)
    return () if isinstance(value, Absent) else _sequence(value)


def _sequence(value: object) -> list[Any] | tuple[Any, ...] | range:
    value = known(value)
    if not isinstance(value, (list, tuple, range)):
        raise RenderProblem(f"takes a list where there is {_shown(value)}")
    return value


def _flatten(value: Iterable[Any], flat: list[Any], levels: int) -> None:
    for item in value:
        if levels and isinstance(item, (list, tuple)):
            _flatten(item, flat, levels - 1)
        else:
            flat.append(item)
        refuse_items(len(flat))


def as_key(work: Work, value: object) -> object:
    """The name of a field, or the number of an item. python-liquid would spell out whatever it is given."""
    if isinstance(value, Absent) or not isinstance(value, (str, list, tuple, dict, range)):
        return known(value)
    name = as_text(work, value)
    if len(name) > MAX_PATH_CHARACTERS:
        raise RenderProblem(f"takes the name of a field of more than {MAX_PATH_CHARACTERS} characters")
    return name


def known(value: object) -> object:
    """The value as it is. Raises NoValue where there is none, declared so or not."""
    if isinstance(value, Undefined):
        raise NoValue(value.name)
    return value


def made(work: Work, value: _Value) -> _Value:
    """What a filter made, if it is not too much; a text may be longer than all that it was made of."""
    if isinstance(value, str):
        work.spend(len(value) // CHARACTERS_A_STEP)
    return checked(value)


def checked(value: _Value) -> _Value:
    """What a filter made, where it is no longer than what was paid for."""
    if isinstance(value, str):
        refuse_characters(len(value))
    elif isinstance(value, list):
        refuse_items(len(value))
    elif isinstance(value, int):
        if value.bit_length() > MAX_INTEGER_BITS:
            raise RenderProblem(f"makes a number of more than {MAX_INTEGER_BITS} bits")
    elif isinstance(value, float) and not math.isfinite(value):
        raise RenderProblem("makes a number that is not finite")
    return value


def refuse_characters(count: int) -> None:
    """Refuses a text that is too long; asked before it is made, so that it does not fill the memory first."""
    if count > MAX_TEXT:
        raise RenderProblem(f"makes a text of more than {MAX_TEXT} characters")


def refuse_items(count: int) -> None:
    if count > MAX_LIST:
        raise RenderProblem(f"makes a list of more than {MAX_LIST} items")


def _shown(value: object) -> str:
    return f"{value[:40]!r}" if isinstance(value, str) else f"a value of type {type(value).__name__}"
