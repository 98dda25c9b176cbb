"""The variables of a template, found in its parsed form: their paths, their types as far as they show, and
what it does with them.

It asks whether one is there by `{% if x %}`, a comparison with nil, blank or empty, and the `default` filter.
Names that the template makes (loops, assign, capture) are none.
"""

from __future__ import annotations

import dataclasses
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
from postroom_server.message.liquid.source import BadSource
from postroom_server.message.liquid.system_object import FIELDS, ROOT
from postroom_server.message.liquid.uses import Seen, Use, Uses
from postroom_server.message.variable_types import VariableType

_NOTHING = (Nil, Blank, Empty)
_NUMBERS = (IntegerLiteral, FloatLiteral)
_ORDERED = (LtExpression, GtExpression, LeExpression, GeExpression)


@dataclasses.dataclass(frozen=True, slots=True)
class _Local:
    """A name that the template made. `path` is what it stands for, where that is known; `sometimes` that it
    may not have been made."""

    path: tuple[str, ...] | None = None
    sometimes: bool = False


def discover(template: Any, uses: Uses) -> set[str]:
    """Looks through a part, and marks how it uses its variables. Returns the paths that it prints.

    Raises BadSource.
    """
    return _Reader(uses).read(template.nodes)


class _Reader:
    def __init__(self, uses: Uses) -> None:
        self._uses = uses
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
            self._filtered(node.expression, Use.PRINTED)
        elif isinstance(node, AssignNode):
            self._scope[self._own(node.name, node)] = self._filtered(node.expression, Use.NEEDED)
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
                self._value(each, Use.PRINTED)

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
            path = self._path(loop.iterable, Use.NEEDED, VariableType.LIST)
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

    def _filtered(self, expression: Any, use: Use) -> _Local:
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
            path = self._path(expression.left, Use.TESTED, hint)
        else:
            path = self._path(expression.left, Use.NEEDED, first.hint)
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
                    self._mark((*path, ITEM), Use.TESTED).dynamic = True
                elif known.reads:
                    self._mark((*path, ITEM, argument.value), Use.NEEDED)
                else:
                    self._mark((*path, ITEM, argument.value), Use.TESTED)
            elif known.reads is not None and argument is not None:
                self._mark((*path, ITEM), Use.TESTED).dynamic = True
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
            self._path(expression, Use.TESTED)
        else:
            self._value(expression)

    def _comparison(self, compared: Compared) -> None:
        for side, other in ((compared.left, compared.right), (compared.right, compared.left)):
            if not isinstance(side, Path):
                self._value(side)
            elif compared.operator in (EqExpression, NeExpression) and isinstance(other, _NOTHING):
                self._path(side, Use.TESTED)
            elif compared.operator in _ORDERED and isinstance(other, _NUMBERS):
                self._path(side, Use.NEEDED, VariableType.NUMBER)
            elif compared.operator is not ContainsExpression and isinstance(
                other, (TrueLiteral, FalseLiteral)
            ):
                self._path(side, Use.NEEDED, VariableType.BOOLEAN)
            else:
                self._path(side, Use.NEEDED)

    def _value(self, expression: Any, use: Use = Use.NEEDED, hint: VariableType = VariableType.ANY) -> None:
        if isinstance(expression, Path):
            self._path(expression, use, hint)
        elif isinstance(expression, RangeLiteral):
            self._value(expression.start, hint=VariableType.INTEGER)
            self._value(expression.stop, hint=VariableType.INTEGER)

    def _path(
        self, expression: Path, use: Use, hint: VariableType = VariableType.ANY
    ) -> tuple[str, ...] | None:
        """Marks what a path leads to. Returns where that is; None for what is not of the parameters."""
        root, *rest = expression.path
        if not isinstance(root, str):
            raise BadSource(line_of(expression.token), "a path must begin with a name")
        local = self._scope.get(root)
        for segment in rest:
            if isinstance(segment, Path):
                self._path(segment, Use.NEEDED)
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
            use = Use.TESTED if local is not None else use
        for segment in rest:
            if isinstance(segment, int):
                steps = (*steps, ITEM)
            elif isinstance(segment, str) and paths.is_field(segment):
                steps = (*steps, segment)
            else:
                self._mark(steps, Use.NEEDED if use is Use.PRINTED else use).dynamic = True
                return None
        if paths.parse(paths.spell(steps)) is None:
            raise BadSource(line_of(expression.token), f"{expression} is too long a path")
        seen = self._mark(steps, use)
        if hint:
            seen.hints.add(hint)
        return steps

    def _mark(self, steps: tuple[str, ...], use: Use) -> Seen:
        if use is Use.PRINTED:
            self._printed.add(paths.spell(steps))
        return self._uses.mark(steps, use)

    def _own(self, name: str, node: Any) -> str:
        if name == ROOT:
            raise BadSource(line_of(node.token), f"{ROOT} is the system's name")
        return str(name)
