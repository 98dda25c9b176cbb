"""Expressions that python-liquid evaluates without a look at how much work that is, or at what is not there.

`guarded` puts them in the place of its own, once, when a template is compiled.
"""

from __future__ import annotations

from typing import Any

from liquid.builtin.expressions import BooleanExpression, FilteredExpression, LoopExpression
from liquid.builtin.expressions.logical import (
    ContainsExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LogicalAndExpression,
    LogicalNotExpression,
    LogicalOrExpression,
    LtExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import Blank, Empty, RangeLiteral
from liquid.expression import Expression
from liquid.undefined import Undefined

from postroom_server.message.liquid.limits import MAX_LIST
from postroom_server.message.liquid.work import RenderProblem

COMPARISONS = (
    EqExpression, NeExpression, LtExpression, GtExpression, LeExpression, GeExpression, ContainsExpression,
)  # fmt: skip
LOGICAL = (LogicalAndExpression, LogicalOrExpression)


class Compared(Expression):
    """A comparison that pays for what it looks at. No value is blank, and empty, as it is nil."""

    __slots__ = ("left", "operator", "right")

    def __init__(self, original: Any) -> None:
        super().__init__(original.token)
        self.left = guarded(original.left)
        self.right = guarded(original.right)
        self.operator = type(original)

    def evaluate(self, context: Any) -> object:
        left, right = self.left.evaluate(context), self.right.evaluate(context)
        if self.operator is ContainsExpression:
            _pay_for_search(context.work, left, right)
        else:
            context.work.spend_on_equality(left, right)
        if self.operator in (EqExpression, NeExpression):
            nothing = isinstance(left, Undefined) or isinstance(right, Undefined)
            if nothing and (isinstance(left, (Blank, Empty)) or isinstance(right, (Blank, Empty))):
                return self.operator is EqExpression
        return self.operator(self.token, _Known(self.token, left), _Known(self.token, right)).evaluate(
            context
        )

    def children(self) -> list[Expression]:
        return [self.left, self.right]


def _pay_for_search(work: Any, left: object, right: object) -> None:
    if isinstance(left, str):
        if isinstance(right, (list, tuple, dict, range)):
            raise RenderProblem("looks for a list or an object in a text")
        work.spend_on_search(left, str(right) if isinstance(right, str) else "")
    elif isinstance(left, (list, tuple)):
        work.spend(1 + len(left) * work.cost(right))
    else:
        work.spend(work.cost(right) + (work.cost(left) if isinstance(left, range) else 0))


class AnyOf(Expression):
    """The values of a `when`, which pays for looking at them as a comparison does."""

    __slots__ = ("expressions", "left")

    def __init__(self, original: Any) -> None:
        super().__init__(original.token)
        self.left = guarded(original.left)
        self.expressions = [guarded(each) for each in original.expressions]

    def evaluate(self, context: Any) -> object:
        left = self.left.evaluate(context)
        return [self._equals(left, each.evaluate(context), context) for each in self.expressions]

    def _equals(self, left: object, right: object, context: Any) -> bool:
        context.work.spend_on_equality(left, right)
        known = EqExpression(self.token, _Known(self.token, left), _Known(self.token, right))
        return bool(known.evaluate(context))

    def children(self) -> list[Expression]:
        return self.expressions


class CountedAnd(LogicalAndExpression):
    """`and`, which counts: literals on its sides do not."""

    __slots__ = ()

    def evaluate(self, context: Any) -> object:
        context.work.spend(1)
        return super().evaluate(context)


class CountedOr(LogicalOrExpression):
    __slots__ = ()

    def evaluate(self, context: Any) -> object:
        context.work.spend(1)
        return super().evaluate(context)


class _Known(Expression):
    """A value that was evaluated before."""

    __slots__ = ("_value",)

    def __init__(self, token: Any, value: object) -> None:
        super().__init__(token)
        self._value = value

    def evaluate(self, _context: Any) -> object:
        return self._value

    def children(self) -> list[Expression]:
        return []


class ShortRange(RangeLiteral):
    """A range that is looked at before somebody makes a list of it, or searches it for a text."""

    __slots__ = ()

    def evaluate(self, context: Any) -> range:
        made = super().evaluate(context)
        if made and made[-1] - made[0] >= MAX_LIST:
            raise RenderProblem(f"makes a range of more than {MAX_LIST} numbers")
        context.work.spend(1 + len(made) // 64)
        return made


class CountedLoop(LoopExpression):
    """What a loop goes through; what `offset` passes over is paid for as well."""

    __slots__ = ()

    def evaluate(self, context: Any) -> Any:
        limit = None if self.limit is None else self._to_int(self.limit.evaluate(context), token=self.token)
        if limit is not None and limit < 0:
            raise RenderProblem("has a loop with a limit below zero")
        return super().evaluate(context)

    def _to_iter(self, obj: object, context: Any) -> Any:
        if isinstance(obj, dict):
            # Pairs as lists, so that `pair[0]` and `pair[1]` are plain data.
            context.work.spend(len(obj) // 8)
            obj = [[name, value] for name, value in obj.items()]
        items, length = super()._to_iter(obj, context)
        context.work.spend(1 + length // 64)
        return items, length


def guarded(expression: Any) -> Any:
    """The expression with guards in the place of what needs them, changed in place where it needs none."""
    if isinstance(expression, COMPARISONS):
        return Compared(expression)
    if isinstance(expression, LoopExpression):
        return CountedLoop(
            expression.token,
            expression.identifier,
            guarded(expression.iterable),
            limit=guarded(expression.limit),
            offset=guarded(expression.offset),
            reversed_=expression.reversed,
            cols=None,
        )
    if isinstance(expression, RangeLiteral):
        return ShortRange(expression.token, guarded(expression.start), guarded(expression.stop))
    if isinstance(expression, BooleanExpression):
        expression.expression = guarded(expression.expression)
    elif isinstance(expression, LOGICAL):
        counted = CountedAnd if isinstance(expression, LogicalAndExpression) else CountedOr
        return counted(expression.token, guarded(expression.left), guarded(expression.right))
    elif isinstance(expression, LogicalNotExpression):
        expression.right = guarded(expression.right)
    elif isinstance(expression, FilteredExpression):
        expression.left = guarded(expression.left)
        for each in expression.filters or ():
            for argument in each.args:
                argument.value = guarded(argument.value)
    return expression
