"""What a template does with the values at its paths, and the shape of its parameters that follows from that.

A variable is required unless the template itself asks whether it is there. Paths are tuples of steps.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Sequence

from postroom_server.message.liquid import paths
from postroom_server.message.liquid.paths import ITEM
from postroom_server.message.liquid.shape import Shape
from postroom_server.message.variable import Variable
from postroom_server.message.variable_types import VariableType

# What Liquid knows of every list. For something that is no list these are names of fields.
_OF_LISTS = {"size": (), "first": (ITEM,), "last": (ITEM,)}


class Use(enum.Enum):
    """What is done with a value. TESTED asks whether it is there; the others take it for granted."""

    NEEDED = enum.auto()
    TESTED = enum.auto()
    PRINTED = enum.auto()


@dataclasses.dataclass(slots=True)
class Seen:
    """What a template does with the value at one path."""

    needed: bool = False
    tested: bool = False
    printed: bool = False
    dynamic: bool = False  # looked into by names that are not known
    hints: set[VariableType] = dataclasses.field(default_factory=set)


class Uses:
    """How the parts of one variant use their variables. Mark what they do, then ask for the shape."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], Seen] = {}

    def mark(self, steps: tuple[str, ...], use: Use) -> Seen:
        """Notes a use of the value at a path. Returns what is known of it, for hints to be added."""
        seen = self._seen.setdefault(steps, Seen())
        seen.tested |= use is Use.TESTED
        seen.needed |= use is not Use.TESTED
        seen.printed |= use is Use.PRINTED
        return seen

    def shape(self, declared: Sequence[Variable] = ()) -> Shape:
        """The tree of what was found. Declarations tell lists from objects where the template does not."""
        seen = self._without_pairs(_of_type(VariableType.OBJECT, declared))
        lists = {path for path, each in seen.items() if VariableType.LIST in each.hints}
        lists |= _of_type(VariableType.LIST, declared)
        named = {*seen, *(paths.parse(each.name) or () for each in declared)}
        lists |= {path[:at] for path in named for at, step in enumerate(path) if step == ITEM}
        # Of something that has other fields `size` is one as well.
        objects = {path[:at] for path in seen for at, step in enumerate(path) if step != "size"}
        sized = {path[:-1] for path in seen if path[-1] == "size"} - lists - objects
        lists |= sized
        root = Shape()
        tested = {_settled(path, lists) for path, each in seen.items() if each.tested}
        hints: dict[tuple[str, ...], set[VariableType]] = {}
        for original, each in seen.items():
            path = _settled(original, lists)
            shape = root.at(path)
            _require(root, path, tested, each.needed)
            if path == original:
                shape.is_printed = shape.is_printed or each.printed
                hints.setdefault(path, set()).update(each.hints)
            shape.is_open = shape.is_open or each.dynamic or path in sized
        for path, shape in root.walk():
            shape.type = _type(shape, hints.get(path, set()))
        return root

    def _without_pairs(self, objects: set[tuple[str, ...]]) -> dict[tuple[str, ...], Seen]:
        """What was seen, but for the items of objects: a loop over an object has pairs."""
        seen: dict[tuple[str, ...], Seen] = {}
        for path, each in self._seen.items():
            pairs = [at for at, step in enumerate(path) if step == ITEM and path[:at] in objects]
            if pairs:
                seen.setdefault(path[: pairs[0]], Seen(needed=True)).dynamic = True
            elif path in objects and VariableType.LIST in each.hints:
                seen[path] = dataclasses.replace(each, hints=set(), dynamic=True)
            else:
                seen[path] = each
        return seen


def _of_type(type_: VariableType, declared: Iterable[Variable]) -> set[tuple[str, ...]]:
    return {paths.parse(each.name) or () for each in declared if each.declared and each.type is type_}


def _require(root: Shape, path: tuple[str, ...], tested: set[tuple[str, ...]], is_needed: bool) -> None:
    """Requires a value, and what is around it, up to the first that the template asks for."""
    for end in range(len(path), 0, -1):
        if path[:end] in tested:
            is_needed = False
        shape = root.at(path[:end])
        if path[end - 1] != ITEM:
            shape.required = (shape.required or is_needed) and path[:end] not in tested


def _settled(path: tuple[str, ...], lists: set[tuple[str, ...]]) -> tuple[str, ...]:
    """The path with `first` and `last` of a list as its items, and without its `size`."""
    for at in range(1, len(path)):
        if path[at] in _OF_LISTS and path[:at] in lists:
            return _settled((*path[:at], *_OF_LISTS[path[at]], *path[at + 1 :]), lists)
    return path


def _type(shape: Shape, hints: set[VariableType]) -> VariableType:
    hints = set(hints)
    if shape.fields:
        hints.add(VariableType.OBJECT)
    if shape.item is not None:
        hints.add(VariableType.LIST)
    if shape.is_open and not shape.fields and not shape.item:
        return VariableType.ANY
    if hints == {VariableType.INTEGER, VariableType.NUMBER}:
        return VariableType.INTEGER
    return hints.pop() if len(hints) == 1 else VariableType.ANY
