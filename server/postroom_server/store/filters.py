"""Filters: a field, an operator and values, made into a condition that means the same on both databases.

What a list may be filtered by is a table of `Field`s; a name that is not in it never reaches SQL, and values
travel as bound parameters only (security.md E5). LIKE is not used: it folds case on SQLite and has wildcards.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from typing import Any

import peewee

from postroom_server.clock import HOUR, SECOND
from postroom_server.refusals import Reason, Violation
from postroom_server.store.ids import first_id_at
from postroom_server.store.operands import Moment, Type, parse
from postroom_server.store.statement import as_list, is_postgresql

MOST_FILTERS = 40
MOST_VALUES = 1000
MOST_CHARACTERS = 800
_LARGEST_ID = (1 << 63) - 1
# A clock that is set back leaves ids ahead of accept times (store/ids.py); this much is allowed for.
_ID_SLACK = HOUR


class Operator(enum.StrEnum):
    """The contract's FilterOperator, word for word."""

    EQUAL = "EQUAL"
    NOT_EQUAL = "NOT_EQUAL"
    GREATER_THAN = "GREATER_THAN"
    LESS_THAN = "LESS_THAN"
    GREATER_THAN_EQUAL = "GREATER_THAN_EQUAL"
    LESS_THAN_EQUAL = "LESS_THAN_EQUAL"
    CONTAINS = "CONTAINS"
    NOT_CONTAINS = "NOT_CONTAINS"
    STARTS_WITH = "STARTS_WITH"
    NOT_STARTS_WITH = "NOT_STARTS_WITH"
    IN = "IN"
    NOT_IN = "NOT_IN"
    IS_NULL = "IS_NULL"
    IS_NOT_NULL = "IS_NOT_NULL"


_ANY = {Operator.EQUAL, Operator.NOT_EQUAL, Operator.IS_NULL, Operator.IS_NOT_NULL}
_RANGES = {
    Operator.GREATER_THAN,
    Operator.LESS_THAN,
    Operator.GREATER_THAN_EQUAL,
    Operator.LESS_THAN_EQUAL,
}
_MATCHES = {Operator.CONTAINS, Operator.NOT_CONTAINS, Operator.STARTS_WITH, Operator.NOT_STARTS_WITH}
_LISTS = {Operator.IN, Operator.NOT_IN}
_NULLS = {Operator.IS_NULL, Operator.IS_NOT_NULL}
_ALLOWED = {
    Type.ID: _ANY | _RANGES | _LISTS,
    Type.NUMBER: _ANY | _RANGES | _LISTS,
    Type.TIME: _ANY | _RANGES,
    Type.STRING: _ANY | _MATCHES | _LISTS,
    Type.ENUM: _ANY | _LISTS,
    Type.BOOLEAN: _ANY,
}
_NEGATED = {
    Operator.NOT_EQUAL: Operator.EQUAL,
    Operator.NOT_CONTAINS: Operator.CONTAINS,
    Operator.NOT_STARTS_WITH: Operator.STARTS_WITH,
    Operator.NOT_IN: Operator.IN,
    Operator.IS_NOT_NULL: Operator.IS_NULL,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """One condition as asked. `operator` is None where the caller named none."""

    field: str
    operator: Operator | None
    values: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """What a list may be filtered by: an expression of its rows, and what values look like.

    `words` gives an ENUM's stored values by their names. `no_value` stands for null in a column that has
    none. `id_column` holds ids made at the time that a TIME field tells: ranges of it narrow the ids, too.
    """

    type: Type
    expression: Any
    nullable: bool = False
    words: Mapping[str, Any] | None = None
    no_value: Any = None
    id_column: peewee.Field | None = None

    def condition(self, operator: Operator, operands: Sequence[Any]) -> Any:
        """The field under the operator. A negation holds for rows without a value, too."""
        positive = _NEGATED.get(operator)
        if positive is None:
            return self._holds(operator, operands)
        negated = ~self._holds(positive, operands)
        if self.nullable and positive is not Operator.IS_NULL:
            return negated | self.expression.is_null()
        return negated

    def _holds(self, operator: Operator, operands: Sequence[Any]) -> Any:
        column = self.expression
        if operator is Operator.IS_NULL:
            return column == self.no_value if self.no_value is not None else column.is_null()
        if operator is Operator.IN:
            return _among(column, operands)
        operand = operands[0]
        if isinstance(operand, Moment):
            return self._at(operator, operand)
        if operator is Operator.CONTAINS:
            find = peewee.fn.strpos if is_postgresql() else peewee.fn.instr
            return find(column, operand) > 0
        if operator is Operator.STARTS_WITH:
            return _begins(column, operand)
        return _compared(column, operator, operand)

    def _at(self, operator: Operator, moment: Moment) -> Any:
        column, time = self.expression, moment.time
        lowest: int | None
        highest: int | None
        if operator is Operator.EQUAL and moment.whole_second:
            condition = (column >= time) & (column < time + SECOND)
            lowest, highest = time, time + SECOND
        else:
            condition = _compared(column, operator, time)
            lowest = None if operator in (Operator.LESS_THAN, Operator.LESS_THAN_EQUAL) else time
            highest = None if operator in (Operator.GREATER_THAN, Operator.GREATER_THAN_EQUAL) else time
        if self.id_column is not None and lowest is not None:
            condition = (self.id_column >= _id_at(lowest - _ID_SLACK)) & condition
        if self.id_column is not None and highest is not None:
            condition = (self.id_column <= _id_at(highest + _ID_SLACK)) & condition
        return condition


@dataclasses.dataclass(frozen=True, slots=True)
class Related:
    """A field of rows that belong to the listed row: it holds when it holds for any of them.

    `related` selects the listed row's id from the belonging rows, `of_tenant` narrows them to those that a
    search may find, `of_row` to those of one listed row.
    """

    id_column: peewee.Field
    related: Any
    of_tenant: Any
    of_row: Any
    field: Field

    @property
    def type(self) -> Type:
        return self.field.type

    @property
    def words(self) -> Mapping[str, Any] | None:
        return self.field.words

    def condition(self, operator: Operator, operands: Sequence[Any]) -> Any:
        positive = _NEGATED.get(operator, operator)
        if positive is Operator.IS_NULL:
            present = peewee.fn.EXISTS(self.related.where(self.of_row))
            return ~present if operator is Operator.IS_NULL else present
        rows = self.related.where(self.field.condition(positive, operands))
        if positive is not operator or operator is Operator.CONTAINS:
            # Row by row. The tenant is left out: SQLite would take its index and walk the tenant's rows
            # for every listed row.
            found = peewee.fn.EXISTS(rows.where(self.of_row))
            return found if positive is operator else ~found
        rows = rows.where(self.of_tenant)
        # An index finds these: the few listed rows come from there, not from a walk over all.
        if is_postgresql() and operator in (Operator.EQUAL, Operator.IN):
            # As an array: in a join the planner may still begin with the walk.
            ids = peewee.NodeList((peewee.SQL("ARRAY"), peewee.EnclosedNodeList([rows])))
            return peewee.Expression(self.id_column, "=", peewee.fn.ANY(ids))
        return self.id_column.in_(rows)


Fields = Mapping[str, Field | Related]


def conditions(filters: Sequence[Filter], fields: Fields, violations: list[Violation]) -> list[Any]:
    """A condition for every filter; what is wrong with any of them is added to `violations`."""
    if len(filters) > MOST_FILTERS:
        violations.append(Violation("filters", f"{len(filters)} filters; at most {MOST_FILTERS}"))
        return []
    found = []
    for i, asked in enumerate(filters):
        field = fields.get(asked.field)
        before = len(violations)
        if field is None:
            violations.append(
                Violation(
                    f"filters[{i}].field",
                    f"is none of {', '.join(sorted(fields))}",
                    Reason.UNSUPPORTED_FILTER,
                )
            )
            continue
        operands = _operands(f"filters[{i}]", asked, field, violations)
        if len(violations) == before and asked.operator is not None:
            found.append(field.condition(asked.operator, operands))
    return found


def _operands(path: str, asked: Filter, field: Field | Related, violations: list[Violation]) -> list[Any]:
    operator = asked.operator
    if operator is None or operator not in _ALLOWED[field.type]:
        text = "is required" if operator is None else f"{asked.field} does not allow {operator.value}"
        violations.append(Violation(f"{path}.operator", text, Reason.UNSUPPORTED_FILTER))
        return []
    count = len(asked.values)
    least, most = (0, 0) if operator in _NULLS else (1, MOST_VALUES if operator in _LISTS else 1)
    if not least <= count <= most:
        wanted = f"{least} to {most}" if least < most else str(most)
        violations.append(Violation(f"{path}.values", f"{count} values; {operator.value} takes {wanted}"))
        return []
    operands = []
    for j, text in enumerate(asked.values):
        try:
            if len(text) > MOST_CHARACTERS:
                raise ValueError(f"{len(text)} characters; at most {MOST_CHARACTERS}")
            operands.append(parse(field.type, text, field.words))
        except ValueError as error:
            violations.append(Violation(f"{path}.values[{j}]", str(error)))
    return operands


def _compared(column: Any, operator: Operator, operand: Any) -> Any:
    match operator:
        case Operator.EQUAL:
            return column == operand
        case Operator.GREATER_THAN:
            return column > operand
        case Operator.LESS_THAN:
            return column < operand
        case Operator.GREATER_THAN_EQUAL:
            return column >= operand
        case Operator.LESS_THAN_EQUAL:
            return column <= operand
    raise ValueError(operator)


def _among(column: Any, operands: Sequence[Any]) -> Any:
    """`column IN operands` with one parameter, however many there are."""
    values = peewee.Value(as_list(operands), converter=False, unpack=False)
    if is_postgresql():
        return peewee.Expression(column, "=", peewee.fn.ANY(values))
    each = peewee.NodeList((peewee.SQL("(SELECT value FROM json_each("), values, peewee.SQL("))")))
    return peewee.Expression(column, peewee.OP.IN, each)


def _begins(column: Any, prefix: str) -> Any:
    """`prefix <= column < the first text behind all that begin with it`, in the order of code points."""
    if not prefix:
        return column.is_null(False)
    ordered = peewee.NodeList((column, peewee.SQL('COLLATE "C"'))) if is_postgresql() else column
    low = peewee.Expression(ordered, ">=", prefix)
    behind = following(prefix)
    return low if behind is None else low & peewee.Expression(ordered, "<", behind)


def following(prefix: str) -> str | None:
    """The least text behind every text that begins with `prefix`; None when there is none."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return None
    # Surrogates are no characters: behind U+D7FF comes U+E000.
    last = 0xE000 if kept[-1] == "\ud7ff" else ord(kept[-1]) + 1
    return kept[:-1] + chr(last)


def _id_at(time: int) -> int:
    return min(first_id_at(time), _LARGEST_ID)
