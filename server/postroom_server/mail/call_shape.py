"""The shape of a call: the names of its parameters and the forms of their values, and never a value.

A shape is JSON: an object by its names, a list by the different shapes of its elements, anything else by the
word for its form. `example_of` makes parameters of a shape again, which accepting judges like the first.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from postroom_server.message import percent
from postroom_server.message.variable_types import VariableType, problem_of

# What a text is beside a text: it is of the types that it can be read as, too.
TEXT = "text"
INTEGER_TEXT = "text/integer"
NUMBER_TEXT = "text/number"
BOOLEAN_TEXT = "text/boolean"
TIMESTAMP_TEXT = "text/timestamp"
INTEGER = "number/integer"
NUMBER = "number"
TINY = "number/tiny"  # of more decimals than a NUMBER may have
INEXACT = "number/inexact"  # an integer beyond what doubles hold: no variable takes it
BOOLEAN = "boolean"
NULL = "null"
OBJECT = "object"  # of which no more is known: there was too much in it
# In the place of all names that no variable can have: these may be data, an address say, and are not kept.
OTHERS = "*"

EXAMPLES: Mapping[str, Any] = {
    TEXT: "x",
    INTEGER_TEXT: "1",
    NUMBER_TEXT: "1.5",
    BOOLEAN_TEXT: "true",
    TIMESTAMP_TEXT: "2000-01-01T00:00:00Z",
    INTEGER: 1.0,
    NUMBER: 1.5,
    TINY: 1e-300,
    INEXACT: 2.0**60,
    BOOLEAN: True,
    NULL: None,
}

# Others of the same forms: what goes wrong with all of these is not for their values.
OTHER_EXAMPLES: Sequence[Mapping[str, Any]] = (
    {**EXAMPLES, TEXT: "2026-06-01", INTEGER: 20.0, NUMBER: 2.25, BOOLEAN: False, INTEGER_TEXT: "20"},
    {**EXAMPLES, TEXT: "https://example.com/?a=b, c; d|e - f", BOOLEAN_TEXT: "false"},
)
_OTHER_ELEMENTS = 20  # of what the lists have, in these

MOST_NAMES = 256  # of a call, with those in its objects
MOST_ELEMENTS = 64  # of a list that are looked at
MOST_SHAPES = 8  # of the elements of one list

_FIRST_INEXACT = 2**53
_DIGITS = 40
_SMALL = 1e-9
# A text that begins with anything else is of no other type; the properties of tests/mail hold it to that.
TELLING = frozenset("0123456789+-tf")
_READABLE = re.compile(
    r"([+-]?[0-9]{1,40})|([+-]?[0-9]{1,40}\.[0-9]{1,40})|(true|false)"
    r"|([+-]?[0-9.]{1,81}[eE][+-]?[0-9]{1,3})|([0-9-]{10}[Tt].{8,})"
)
_SEGMENT = re.compile(r"[^.\[\]]+")
_FORMS = (TEXT, INTEGER_TEXT, NUMBER_TEXT, BOOLEAN_TEXT)  # by the groups of _READABLE
# These only look it.
_LOOKS = {4: (VariableType.NUMBER, NUMBER_TEXT), 5: (VariableType.TIMESTAMP, TIMESTAMP_TEXT)}

Shape: TypeAlias = "str | dict[str, Shape] | list[Shape]"


class CallShape(NamedTuple):
    """A call's parameters. `partial`: it had more names than are kept."""

    names: dict[str, Shape]
    partial: bool

    def tells(self, path: str) -> bool:
        """Whether it is known what stood at a path such as `order.items[2].price`, be it nothing."""
        if path in self.names:
            # Names of PERCENT hold dots: those are no path.
            return True
        first, *inner = _SEGMENT.findall(path)
        if first not in self.names:
            return not self.partial
        at = self.names[first]
        for segment in inner:
            if isinstance(at, str):
                return at != OBJECT
            place = int(segment) if segment.isdecimal() and isinstance(at, list) else segment
            try:
                at = at[place]  # type: ignore[index] # a list by its places, else by names
            except (LookupError, TypeError):
                return True
        return True


class _Room:
    """How many names more are kept."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def takes(self, names: int) -> bool:
        if names > self.left:
            return False
        self.left -= names
        return True


def form_of(value: Any) -> str:
    """The form of a value that is neither a list nor an object."""
    if type(value) is str:
        return text_form(value) if value[:1] in TELLING else TEXT
    if type(value) is float:
        # Compared first: an infinite or undefined value is no number that a mail could say.
        if -_FIRST_INEXACT < value < _FIRST_INEXACT:
            if value.is_integer():
                return INTEGER
            return (
                NUMBER if not -_SMALL < value < _SMALL or not problem_of(VariableType.NUMBER, value) else TINY
            )
        return INEXACT
    if value is None:
        return NULL
    return BOOLEAN if value is True or value is False else INTEGER


def text_form(text: str) -> str:
    """The form of a text that begins with one of `TELLING`."""
    # Most of all: whole numbers as texts, and this takes a third of the time.
    if text.isdecimal() and len(text) <= _DIGITS and text.isascii():
        return INTEGER_TEXT
    found = _READABLE.fullmatch(text)
    if found is None:
        return TEXT
    group = found.lastindex or 0
    if group < len(_FORMS):
        return _FORMS[group]
    type_, form = _LOOKS[group]
    return TEXT if problem_of(type_, text) else form


def shape_of(params: Mapping[str, Any]) -> CallShape:
    """The shape of one set of parameters."""
    named = _named(params)
    kept = dict(itertools.islice(named.items(), MOST_NAMES))
    room = _Room(MOST_NAMES - len(kept))
    return CallShape({name: _shape(value, room) for name, value in kept.items()}, len(kept) < len(named))


def example_of(shape: CallShape) -> dict[str, Any]:
    """Parameters of this shape."""
    return {name: _example(one, EXAMPLES, 1) for name, one in shape.names.items()}


def other_examples(shape: CallShape) -> list[dict[str, Any]]:
    """Parameters of this shape with other values, and with more in their lists."""
    return [
        {name: _example(one, examples, _OTHER_ELEMENTS) for name, one in shape.names.items()}
        for examples in OTHER_EXAMPLES
    ]


def is_whole(shape: CallShape) -> bool:
    """Whether nothing was left out for its size."""
    return not shape.partial and all(map(_is_whole, shape.names.values()))


def key_text(shape: CallShape) -> str:
    """One text for one shape, whatever the order of names."""
    return json.dumps(shape.names, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _shape(value: Any, room: _Room) -> Shape:
    if isinstance(value, dict):
        return _object(value, room)
    if isinstance(value, list | tuple):
        return _elements(value, room)
    return form_of(value)


def _object(value: Mapping[str, Any], room: _Room) -> Shape:
    own = _named(value)
    # All or none: of half an object nobody could say what it lacks.
    if not room.takes(len(own)):
        return OBJECT
    return {name: _shape(each, room) for name, each in own.items()}


def _named(value: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: each for name, each in value.items() if percent.is_name(name)}
    if len(named) < len(value):
        named[OTHERS] = ""
    return named


def _elements(value: list[Any] | tuple[Any, ...], room: _Room) -> Shape:
    shapes: dict[str, Shape] = {}
    for each in value[:MOST_ELEMENTS]:
        before = room.left
        shape = _shape(each, room)
        text = json.dumps(shape, sort_keys=True)
        if text in shapes or len(shapes) == MOST_SHAPES:
            room.left = before
        else:
            shapes[text] = shape
    return list(shapes.values())


def _example(shape: Shape, examples: Mapping[str, Any], elements: int) -> Any:
    if isinstance(shape, dict):
        return {name: _example(one, examples, elements) for name, one in shape.items()}
    if isinstance(shape, list):
        # Those within lists are not made more, or they would be more than a template may be given.
        found = [_example(one, examples, 1) for one in shape]
        return found * (-(-elements // len(found)) if found else 1)
    return {} if shape == OBJECT else examples[shape]


def _is_whole(shape: Shape) -> bool:
    if isinstance(shape, dict):
        return all(map(_is_whole, shape.values()))
    if isinstance(shape, list):
        return len(shape) < MOST_SHAPES and all(map(_is_whole, shape))
    return shape != OBJECT
