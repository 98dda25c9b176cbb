"""Fits the conditions of a list into the twenty that the product takes at once.

Fifteen plain parameters and twenty filters may come together. Conditions that say the same are one, and so
are all that list values of one field, or forbid some.
"""

from __future__ import annotations

from collections.abc import Sequence

from postroom.v1 import filter_pb2
from postroom_server.gateway.angusgm.filters import Condition

MOST = 20
_MOST_VALUES = 1000
_ONE_OF = (filter_pb2.FILTER_OPERATOR_EQUAL, filter_pb2.FILTER_OPERATOR_IN)
_NONE_OF = (filter_pb2.FILTER_OPERATOR_NOT_EQUAL, filter_pb2.FILTER_OPERATOR_NOT_IN)
# A time that is equal to another lies within its second; such fields take no lists.
_WITHOUT_LISTS = frozenset({"schedule_time", "settle_time", "html", "verification", "copy_mode", "urgent"})


def packed(conditions: Sequence[Condition]) -> list[Condition]:
    """The same conditions, fewer where there are more than twenty."""
    if len(conditions) <= MOST:
        return list(conditions)
    kept: list[Condition] = []
    for condition in conditions:
        _add(kept, condition)
    return kept


def _add(kept: list[Condition], condition: Condition) -> None:
    for i, other in enumerate(kept):
        if (joined := _joined(other, condition)) is not None:
            kept[i] = joined
            return
    kept.append(condition)


def _joined(one: Condition, other: Condition) -> Condition | None:
    """One condition that holds where both hold; None where we know none."""
    if one.field != other.field:
        return None
    if (one.operator, one.values) == (other.operator, other.values):
        return one
    if one.field in _WITHOUT_LISTS:
        return None
    if one.operator in _ONE_OF and other.operator in _ONE_OF:
        values = tuple(value for value in one.values if value in other.values)
        # With none in common nothing matches, which a list of no values cannot say.
        return Condition(one.name, one.field, filter_pb2.FILTER_OPERATOR_IN, values) if values else None
    if one.operator in _NONE_OF and other.operator in _NONE_OF:
        values = tuple(dict.fromkeys(one.values + other.values))
        if len(values) <= _MOST_VALUES:
            return Condition(one.name, one.field, filter_pb2.FILTER_OPERATOR_NOT_IN, values)
    return None
