"""What a template does too much of whatever its values are: ranges and loops whose numbers it says itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from liquid.ast import Node
from liquid.builtin.expressions.primitive import IntegerLiteral, RangeLiteral
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.for_tag import BreakNode, ContinueNode, ForNode
from liquid.template import BoundTemplate

from postroom_server.message.liquid.environment import children, line_of, nodes
from postroom_server.message.liquid.limits import MAX_LIST, MAX_LOOP
from postroom_server.message.placement import Problem


class ConstantProblem(Problem):
    """Something that no value makes better."""

    def __str__(self) -> str:
        return f"{self.name} in line {self.line} {self.description}"


def problems(template: BoundTemplate, field: str) -> list[Problem]:
    """Lists ranges beyond the limit wherever they stand, and loops that are beyond it on every way."""
    found: list[Problem] = []
    for node in nodes(template.nodes):
        for range_ in _ranges(node.expressions()):
            length = _length(range_)
            if length is not None and length > MAX_LIST:
                problem = f"is a range of more than {MAX_LIST} numbers"
                found.append(ConstantProblem(str(range_), line_of(node.token), problem, field))
    if not found and _iterations(template.nodes) > MAX_LOOP:
        problem = f"goes through loops more than {MAX_LOOP} times whatever the values are"
        found.append(ConstantProblem("the template", 1, problem, field))
    return found


def _ranges(expressions: Any) -> Iterator[RangeLiteral]:
    for each in expressions:
        if isinstance(each, RangeLiteral):
            yield each
        yield from _ranges(each.children())


def _length(expression: Any) -> int | None:
    if not isinstance(expression, RangeLiteral):
        return None
    start, stop = expression.start, expression.stop
    if not (isinstance(start, IntegerLiteral) and isinstance(stop, IntegerLiteral)):
        return None
    return max(stop.value - start.value + 1, 0)


def _iterations(block: list[Node]) -> int:
    """How many there are at least: those of loops that no condition stands before, and none leaves early."""
    least = 0
    for node in block:
        if isinstance(node, (BreakNode, ContinueNode)):
            break
        if isinstance(node, CaptureNode):
            least += _iterations(children(node.block))
        elif isinstance(node, ForNode):
            loop = node.expression
            length = _length(loop.iterable)
            if length is None or loop.limit is not None or loop.offset is not None:
                continue
            inside = list(nodes(children(node.block)))
            leaves = any(isinstance(each, (BreakNode, ContinueNode)) for each in inside)
            least += length if leaves else length * (1 + _iterations(children(node.block)))
    return least
