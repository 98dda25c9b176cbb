"""python-liquid, set up: the tags that a mail may use, its limits, and templates parsed within them.

There is no `include` or `render` (nothing is read from anywhere), no `tablerow` (it writes markup that nobody
looked at), no `increment`, `decrement` or `ifchanged`, and no `liquid`, whose lines would be parsed afresh.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from liquid import Environment, Mode
from liquid.ast import Node
from liquid.builtin.illegal import Illegal
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.comment_tag import CommentTag
from liquid.builtin.tags.cycle_tag import CycleNode
from liquid.builtin.tags.for_tag import BreakTag, ContinueTag, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.inline_comment_tag import InlineCommentTag
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.exceptions import LiquidError
from liquid.template import BoundTemplate

from postroom_server.message.liquid import source as sources
from postroom_server.message.liquid.expressions import AnyOf, guarded
from postroom_server.message.liquid.filters import FILTERS
from postroom_server.message.liquid.limits import MAX_LOCALS, MAX_LOOP, MAX_NESTING
from postroom_server.message.liquid.nodes import TAGS, CountedAssign, Shown
from postroom_server.message.liquid.source import BadSource


class _Environment(Environment):
    block_nesting_limit = MAX_NESTING
    context_depth_limit = MAX_NESTING + 4  # the scopes that are there before the first block
    loop_iteration_limit = MAX_LOOP
    local_namespace_limit = MAX_LOCALS

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:  # noqa: ARG002
        for tag in (*TAGS, BreakTag, ContinueTag, CommentTag, InlineCommentTag, Illegal):
            self.add_tag(tag)
        for name, each in FILTERS.items():
            self.add_filter(name, each.function)


@functools.cache
def _environment() -> _Environment:
    return _Environment(tolerance=Mode.STRICT)


def parse(text: str) -> BoundTemplate:
    """Parses one part of a template. Raises BadSource."""
    sources.check(text)
    try:
        template = _environment().from_string(text)
        for node in nodes(template.nodes):
            _guard(node)
    except LiquidError as error:
        raise BadSource(line_of(error.token), _problem(error)) from None
    except RecursionError:
        raise BadSource(1, "an expression is nested too deeply") from None
    return template


def nodes(outer: list[Node]) -> Iterator[Node]:
    """All nodes, each before those inside of it."""
    for node in outer:
        yield node
        yield from nodes(children(node))


def children(node: Node) -> list[Node]:
    return list(node.children(None))  # type: ignore[arg-type] # a context is for included templates


def line_of(token: Any) -> int:
    if token is None or token.start_index < 0:
        return 1
    line: int = token.source.count("\n", 0, token.start_index) + 1
    return line


def filters(expression: Any) -> list[Any]:
    return list(getattr(expression, "filters", None) or ())


def _guard(node: Any) -> None:
    if isinstance(node, (Shown, CountedAssign)):
        _check_filters(node.expression)
        node.expression = guarded(node.expression)
    elif isinstance(node, (IfNode, UnlessNode)):
        node.condition = guarded(node.condition)
        for alternative in node.alternatives:
            alternative.expression = guarded(alternative.expression)
    elif isinstance(node, (ForNode, CaseNode)):
        node.expression = guarded(node.expression)
    elif isinstance(node, MultiExpressionBlockNode):
        when: Any = node
        when.expression = AnyOf(when.expression)
    elif isinstance(node, CycleNode):
        node.group = guarded(node.group)
        node.args = [guarded(arg) for arg in node.args]


def _check_filters(expression: Any) -> None:
    """Filters by name and number of arguments: python-liquid finds out when it comes to them."""
    for each in filters(expression):
        known = FILTERS.get(each.name)
        if known is None:
            raise BadSource(line_of(each.token), f"there is no filter {each.name}")
        named = [argument.name for argument in each.args if getattr(argument, "name", None)]
        wrong = [name for name in named if name not in known.named]
        if wrong:
            raise BadSource(line_of(each.token), f"the filter {each.name} takes no {wrong[0]}")
        if not known.least <= len(each.args) - len(named) <= known.most:
            takes = str(known.least) if known.least == known.most else f"{known.least} to {known.most}"
            raise BadSource(line_of(each.token), f"the filter {each.name} takes {takes} arguments")


def _problem(error: LiquidError) -> str:
    """What python-liquid says, in one line."""
    return " ".join(str(error.message).split())[:200]
