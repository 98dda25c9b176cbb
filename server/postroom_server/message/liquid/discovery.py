"""The variables of a template, found in its parsed form: their paths, their types as far as they show, and
which of them must be there.

A variable is required unless the template itself asks whether it is there: `{% if x %}`, a comparison with
nil, blank or empty, the `default` filter. Names that the template makes (loops, assign, capture) are none.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Sequence
from typing import Any

from liquid.ast import Node
from liquid.builtin.expressions import (
    BooleanExpression,
    LoopExpression,
    Nil,
    Path,
    StringLiteral,
)
from liquid.builtin.expressions.logical import (
    ContainsExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LtExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import (
    Blank,
    Empty,
    FalseLiteral,
    FloatLiteral,
    IntegerLiteral,
    RangeLiteral,
    TrueLiteral,
)
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.cycle_tag import CycleNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.unless_tag import UnlessNode

from postroom_server.message.liquid import paths
from postroom_server.message.liquid.environment import children, filters, line_of
from postroom_server.message.liquid.expressions import LOGICAL, Compared
from postroom_server.message.liquid.filters import FILTERS
from postroom_server.message.liquid.nodes import Shown
from postroom_server.message.liquid.paths import ITEM
from postroom_server.message.liquid.shape import Shape
from postroom_server.message.liquid.source import BadSource
from postroom_server.message.liquid.system_object import FIELDS, ROOT
from postroom_server.message.variable import Variable
from postroom_server.message.variable_types import VariableType

_NOTHING = (Nil, Blank, Empty)
_NUMBERS = (IntegerLiteral, FloatLiteral)
_ORDERED = (LtExpression, GtExpression, LeExpression, GeExpression)
# What Liquid knows of every list. For something that is no list these are names of fields.
_OF_LISTS = {"size": (), "first": (ITEM,), "last": (ITEM,)}


class _Use(enum.Enum):
    NEEDED = enum.auto()
    TESTED = enum.auto()
    PRINTED = enum.auto()


@dataclasses.dataclass(slots=True)
class _Seen:
    """What a template does with the value at one path."""

    needed: bool = False
    tested: bool = False
    printed: bool = False
    dynamic: bool = False  # looked into by names that are not known
    hints: set[VariableType] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(frozen=True, slots=True)
class _Local:
    """A name that the template made. `path` is what it stands for, where that is known; `sometimes` that it
    may not have been made."""

    path: tuple[str, ...] | None = None
    sometimes: bool = False


class Discovery:
    """What the parts of one variant say about its variables. Add the parts, then ask for the shape."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], _Seen] = {}

    def add(self, template: Any) -> set[str]:
        """Looks through a part. Returns the paths that it prints. Raises BadSource."""
        return _Reader(self._seen).read(template.nodes)

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

    def _without_pairs(self, objects: set[tuple[str, ...]]) -> dict[tuple[str, ...], _Seen]:
        """What was seen, but for the items of objects: a loop over an object has pairs."""
        seen: dict[tuple[str, ...], _Seen] = {}
        for path, each in self._seen.items():
            pairs = [at for at, step in enumerate(path) if step == ITEM and path[:at] in objects]
            if pairs:
                seen.setdefault(path[: pairs[0]], _Seen(needed=True)).dynamic = True
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


class _Reader:
    def __init__(self, seen: dict[tuple[str, ...], _Seen]) -> None:
        self._seen = seen
        self._scope: dict[str, _Local] = {}
        self._printed: set[str] = set()
        self._loops = 0

    def read(self, nodes: list[Node]) -> set[str]:
        self._block(nodes, {})
        return self._printed

    def _block(self, nodes: list[Node], names: dict[str, _Local], *, certain: bool = True) -> None:
        """Reads nodes with these names besides. Not `certain`: they may not be rendered at all."""
        before = dict(self._scope)
        self._scope.update(names)
        for node in nodes:
            self._node(node)
        made = {name: local for name, local in self._scope.items() if name not in names}
        if certain:
            self._scope = {**{n: before[n] for n in names if n in before}, **made}
            return
        for name, local in made.items():
            earlier = before.get(name)
            if earlier is None:
                made[name] = _Local(sometimes=True)
            elif local != earlier:
                made[name] = _Local(sometimes=earlier.sometimes)
        self._scope = {**{n: before[n] for n in names if n in before}, **made}

    def _node(self, node: Any) -> None:
        if isinstance(node, Shown):
            self._filtered(node.expression, _Use.PRINTED)
        elif isinstance(node, AssignNode):
            self._scope[self._own(node.name, node)] = self._filtered(node.expression, _Use.NEEDED)
        elif isinstance(node, CaptureNode):
            self._block(children(node.block), {})
            self._scope[self._own(node.name, node)] = _Local()
        elif isinstance(node, (IfNode, UnlessNode)):
            self._choices(node)
        elif isinstance(node, CaseNode):
            self._value(node.expression)
            for block in node.blocks:
                if isinstance(block, MultiExpressionBlockNode):
                    for each in block.expression.expressions:
                        self._value(each)
                    self._block(children(block.block), {}, certain=False)
                else:
                    self._block(children(block), {}, certain=False)
        elif isinstance(node, ForNode):
            self._loop(node)
        elif isinstance(node, (BreakNode, ContinueNode)) and not self._loops:
            raise BadSource(line_of(node.token), f"{node} stands outside of a loop")
        elif isinstance(node, CycleNode):
            if node.group is not None:
                self._value(node.group)
            for each in node.args:
                self._value(each, _Use.PRINTED)

    def _choices(self, node: Any) -> None:
        self._condition(node.condition)
        self._block(children(node.consequence), {}, certain=False)
        for each in node.alternatives:
            self._condition(each.expression)
            self._block(children(each.block), {}, certain=False)
        if node.default is not None:
            self._block(children(node.default), {}, certain=False)

    def _loop(self, node: Any) -> None:
        loop: LoopExpression = node.expression
        item = _Local()
        if isinstance(loop.iterable, Path):
            path = self._path(loop.iterable, _Use.NEEDED, VariableType.LIST)
            item = _Local(None if path is None else (*path, ITEM))
        else:
            self._value(loop.iterable)
        for each in (loop.limit, loop.offset):
            if each is not None:
                self._value(each, hint=VariableType.INTEGER)
        names = {self._own(loop.identifier, node): item, "forloop": _Local()}
        self._loops += 1
        self._block(children(node.block), names, certain=False)
        self._loops -= 1
        if node.default is not None:
            self._block(children(node.default), {}, certain=False)

    def _filtered(self, expression: Any, use: _Use) -> _Local:
        """Reads an expression with filters. Returns what a name for it would stand for."""
        used = filters(expression)
        first = FILTERS[used[0].name] if used else None
        for each in used:
            hint = VariableType.ANY
            if FILTERS[each.name].hint is VariableType.NUMBER:
                hint = VariableType.NUMBER
            for argument in each.args:
                self._value(argument.value, hint=hint)
        if not isinstance(expression.left, Path):
            self._value(expression.left)
            return _Local()
        if first is None:
            path = self._path(expression.left, use)
        elif used[0].name == "default":
            hint = next((FILTERS[each.name].hint for each in used[1:2]), VariableType.ANY)
            path = self._path(expression.left, _Use.TESTED, hint)
        else:
            path = self._path(expression.left, _Use.NEEDED, first.hint)
        return _Local(self._through(path, used))

    def _through(self, path: tuple[str, ...] | None, used: list[Any]) -> tuple[str, ...] | None:
        """Where a path leads through filters; the fields that they read of items are marked."""
        for each in used:
            if path is None:
                return None
            known = FILTERS[each.name]
            if each.name == "default":
                continue
            argument = each.args[0].value if each.args else None
            if known.reads is not None and isinstance(argument, StringLiteral):
                if not paths.is_field(argument.value):
                    self._mark((*path, ITEM), _Use.TESTED).dynamic = True
                elif known.reads:
                    self._mark((*path, ITEM, argument.value), _Use.NEEDED)
                else:
                    self._mark((*path, ITEM, argument.value), _Use.TESTED)
            elif known.reads is not None and argument is not None:
                self._mark((*path, ITEM), _Use.TESTED).dynamic = True
            if known.keeps is None:
                return None
            path = (*path, ITEM) if known.keeps else path
        return path

    def _condition(self, expression: Any) -> None:
        if isinstance(expression, BooleanExpression):
            self._condition(expression.expression)
        elif isinstance(expression, LOGICAL):
            self._condition(expression.left)
            self._condition(expression.right)
        elif isinstance(expression, Compared):
            self._comparison(expression)
        elif isinstance(expression, Path):
            self._path(expression, _Use.TESTED)
        else:
            self._value(expression)

    def _comparison(self, compared: Compared) -> None:
        for side, other in ((compared.left, compared.right), (compared.right, compared.left)):
            if not isinstance(side, Path):
                self._value(side)
            elif compared.operator in (EqExpression, NeExpression) and isinstance(other, _NOTHING):
                self._path(side, _Use.TESTED)
            elif compared.operator in _ORDERED and isinstance(other, _NUMBERS):
                self._path(side, _Use.NEEDED, VariableType.NUMBER)
            elif compared.operator is not ContainsExpression and isinstance(
                other, (TrueLiteral, FalseLiteral)
            ):
                self._path(side, _Use.NEEDED, VariableType.BOOLEAN)
            else:
                self._path(side, _Use.NEEDED)

    def _value(self, expression: Any, use: _Use = _Use.NEEDED, hint: VariableType = VariableType.ANY) -> None:
        if isinstance(expression, Path):
            self._path(expression, use, hint)
        elif isinstance(expression, RangeLiteral):
            self._value(expression.start, hint=VariableType.INTEGER)
            self._value(expression.stop, hint=VariableType.INTEGER)

    def _path(
        self, expression: Path, use: _Use, hint: VariableType = VariableType.ANY
    ) -> tuple[str, ...] | None:
        """Marks what a path leads to. Returns where that is; None for what is not of the parameters."""
        root, *rest = expression.path
        if not isinstance(root, str):
            raise BadSource(line_of(expression.token), "a path must begin with a name")
        local = self._scope.get(root)
        for segment in rest:
            if isinstance(segment, Path):
                self._path(segment, _Use.NEEDED)
        if local is not None and not local.sometimes:
            if local.path is None:
                return None
            steps = local.path
        elif root == ROOT:
            if len(rest) != 1 or rest[0] not in FIELDS:
                raise BadSource(line_of(expression.token), f"{expression} is no value of the system's")
            return None
        else:
            if not paths.is_field(root):
                raise BadSource(line_of(expression.token), f"{root} is not a name that a variable can have")
            steps = (root,)
            # It may be a name of the template's own, so nobody has to give it.
            use = _Use.TESTED if local is not None else use
        for segment in rest:
            if isinstance(segment, int):
                steps = (*steps, ITEM)
            elif isinstance(segment, str) and paths.is_field(segment):
                steps = (*steps, segment)
            else:
                self._mark(steps, _Use.NEEDED if use is _Use.PRINTED else use).dynamic = True
                return None
        if paths.parse(paths.spell(steps)) is None:
            raise BadSource(line_of(expression.token), f"{expression} is too long a path")
        seen = self._mark(steps, use)
        if hint:
            seen.hints.add(hint)
        return steps

    def _mark(self, steps: tuple[str, ...], use: _Use) -> _Seen:
        seen = self._seen.setdefault(steps, _Seen())
        if use is _Use.TESTED:
            seen.tested = True
        else:
            seen.needed = True
        if use is _Use.PRINTED:
            seen.printed = True
            self._printed.add(paths.spell(steps))
        return seen

    def _own(self, name: str, node: Any) -> str:
        if name == ROOT:
            raise BadSource(line_of(node.token), f"{ROOT} is the system's name")
        return str(name)
