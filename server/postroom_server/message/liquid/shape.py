"""The shape of a template's parameters: a tree of variables, and how given values fit into it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from postroom_server.message.liquid import paths
from postroom_server.message.liquid.limits import MAX_VALUE_DEPTH
from postroom_server.message.liquid.written import Raw, number_of, plain_number
from postroom_server.message.values import text_of
from postroom_server.message.variable import Variable
from postroom_server.message.variable_types import STRUCTURED, VariableType, problem_of

_UNNAMED = "is a list or an object, and the template prints it as one value"


@dataclasses.dataclass(slots=True)
class Shape:
    """What is known of the value at one place.

    `is_open`: it may have fields that nobody named. `is_printed`: it goes into the page as one value.
    """

    fields: dict[str, Shape] = dataclasses.field(default_factory=dict)
    item: Shape | None = None
    type: VariableType = VariableType.ANY
    required: bool = False
    default: object = None
    raw: bool = False
    declared: bool = False
    is_open: bool = False
    is_printed: bool = False

    def at(self, steps: Iterable[str]) -> Shape:
        """The shape at the end of these steps, made where there is none."""
        shape = self
        for step in steps:
            if step == paths.ITEM:
                if shape.item is None:
                    shape.item = Shape(required=True)
                shape = shape.item
            else:
                shape = shape.fields.setdefault(step, Shape())
        return shape

    def find(self, steps: Iterable[str]) -> Shape | None:
        """The shape at the end of these steps, if anybody spoke of it."""
        shape: Shape | None = self
        for step in steps:
            if shape is None:
                return None
            shape = shape.item if step == paths.ITEM else shape.fields.get(step)
        return shape

    def walk(self, steps: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Shape]]:
        """All places below this one, each before what is inside of it."""
        for name, shape in self.fields.items():
            yield (*steps, name), shape
            yield from shape.walk((*steps, name))
        if self.item is not None:
            yield (*steps, paths.ITEM), self.item
            yield from self.item.walk((*steps, paths.ITEM))

    def apply(self, variables: Iterable[Variable]) -> None:
        """Writes what is said of variables into the tree; what it says goes before what was found."""
        for variable in variables:
            steps = paths.parse(variable.name)
            if steps is None:
                continue
            for end in range(1, len(steps)):
                above = self.find(steps[:end])
                if above is None:
                    # A field that must be there needs the object around it.
                    self.at(steps[:end]).required = variable.required and variable.default is None
            shape = self.at(steps)
            shape.type = variable.type or shape.type
            shape.required, shape.default = variable.required, variable.default
            shape.raw, shape.declared = variable.raw, variable.declared


@dataclasses.dataclass(slots=True)
class Fit:
    """Parameters as a template reads them, and what is wrong with them, by the places of the values."""

    data: dict[str, object]
    missing: list[str] = dataclasses.field(default_factory=list)
    unknown: list[str] = dataclasses.field(default_factory=list)
    invalid: dict[str, str] = dataclasses.field(default_factory=dict)


def fit(shape: Shape, params: Mapping[str, object], absent: object, *, gap: object = None) -> Fit:
    """Fits parameters into a shape: defaults filled in, strings that spell numbers as numbers.

    `absent` stands where an author said that a value need not be there, `gap` where a value is missing or
    wrong; None leaves it out.
    """
    found = Fit({})
    found.data = _Fitting(found, absent, gap).fields(shape, params, "", 0)
    return found


class _Fitting:
    def __init__(self, found: Fit, absent: object, gap: object) -> None:
        self._found = found
        self._absent = absent
        self._gap = gap

    def _wrong(self, path: str, problem: str) -> object:
        self._found.invalid[path] = problem
        return self._gap

    def fields(self, shape: Shape, given: Mapping[str, object], path: str, depth: int) -> dict[str, object]:
        """The fields in the order given, which a loop over the object follows, then those that were not."""
        data: dict[str, object] = {}
        is_closed = not shape.is_open and (depth == 0 or bool(shape.fields))
        for name, each in given.items():
            field = shape.fields.get(name)
            if field is not None:
                value = self.value(field, each, f"{path}.{name}" if path else name, depth + 1)
                if value is not None:
                    data[name] = value
            elif is_closed:
                self._found.unknown.append(paths.inside(path, name))
            else:
                data[name] = self.plain(each, paths.inside(path, name), depth + 1)
        for name, field in shape.fields.items():
            if name not in given:
                value = self.value(field, None, f"{path}.{name}" if path else name, depth + 1)
                if value is not None:
                    data[name] = value
        return data

    def value(self, shape: Shape, given: object, path: str, depth: int) -> object:
        """The value for a place; None where there is none."""
        if given is None:
            given = shape.default
        if given is None:
            if shape.required:
                self._found.missing.append(path)
                return self._gap
            return self._absent if shape.declared else None
        if shape.type and (problem := _type_problem(shape.type, given)):
            return self._wrong(path, problem)
        if isinstance(given, (list, tuple, dict)):
            return self._container(shape, given, path, depth)
        if (shape.fields or shape.item is not None) and not shape.is_printed and not shape.is_open:
            return self._wrong(path, "is not of type " + ("OBJECT" if shape.fields else "LIST"))
        if shape.raw:
            return self._text(given, path, Raw)
        if shape.type is VariableType.STRING:
            return self._text(given, path, str)
        if isinstance(given, str):
            return _spelled(shape.type, given)
        return self.plain(given, path, depth)

    def _container(
        self,
        shape: Shape,
        given: list[object] | tuple[object, ...] | dict[str, object],
        path: str,
        depth: int,
    ) -> object:
        if shape.is_printed and shape.type not in STRUCTURED:
            return self._wrong(path, _UNNAMED)
        if depth > MAX_VALUE_DEPTH:
            return self._wrong(path, "is nested too deeply")
        if isinstance(given, dict):
            if shape.item is not None and not shape.fields and not shape.is_open:
                return self._wrong(path, "is not of type LIST")
            return self.fields(shape, given, path, depth)
        if shape.item is None:
            if shape.fields and not shape.is_open:
                return self._wrong(path, "is not of type OBJECT")
            return [self.plain(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(given)]
        item = shape.item
        return [self.value(item, value, f"{path}[{i}]", depth + 1) for i, value in enumerate(given)]

    def plain(self, given: object, path: str, depth: int) -> object:
        """A value that nothing is known of, as plain data."""
        if given is None or isinstance(given, (str, bool)):
            return given
        if depth > MAX_VALUE_DEPTH:
            return self._wrong(path, "is nested too deeply")
        if isinstance(given, dict):
            return {
                name: self.plain(value, paths.inside(path, name), depth + 1) for name, value in given.items()
            }
        if isinstance(given, (list, tuple)):
            return [self.plain(value, f"{path}[{i}]", depth + 1) for i, value in enumerate(given)]
        try:
            return plain_number(given)
        except ValueError as error:
            return self._wrong(path, str(error))

    def _text(self, given: object, path: str, kind: type[str]) -> object:
        try:
            return kind(text_of(given))
        except ValueError as error:
            return self._wrong(path, str(error))


def _type_problem(type_: VariableType, given: object) -> str | None:
    if type_ in STRUCTURED:
        # What is inside is looked at on its own.
        is_it = isinstance(given, dict if type_ is VariableType.OBJECT else (list, tuple))
        return None if is_it else f"is not of type {type_}"
    return problem_of(type_, given)


def _spelled(type_: VariableType, text: str) -> object:
    if type_ is VariableType.BOOLEAN:
        return text == "true"
    if type_ in (VariableType.INTEGER, VariableType.NUMBER):
        return number_of(text)
    return text
