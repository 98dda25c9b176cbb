"""What every List request says about its page, as values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from postroom.v1 import filter_pb2
from postroom_server.mail.pages import Count, PageRequest
from postroom_server.store.filters import Filter, Operator

_OPERATORS = {
    filter_pb2.FilterOperator.Value(f"FILTER_OPERATOR_{operator.value}"): operator for operator in Operator
}
_COUNTS = {
    filter_pb2.COUNT_UNSPECIFIED: Count.UP_TO_10000,
    filter_pb2.COUNT_NONE: Count.NONE,
    filter_pb2.COUNT_UP_TO_10000: Count.UP_TO_10000,
    filter_pb2.COUNT_EXACT: Count.EXACT,
}


class ListRequest(Protocol):
    """The fields that the List requests share."""

    @property
    def page_size(self) -> int: ...
    @property
    def page_token(self) -> str: ...
    @property
    def skip(self) -> int: ...
    @property
    def count(self) -> Any: ...
    @property
    def filters(self) -> Iterable[filter_pb2.Filter]: ...
    @property
    def order_by(self) -> str: ...


def page_request_of(request: ListRequest) -> PageRequest:
    return PageRequest(
        page_size=request.page_size,
        page_token=request.page_token,
        skip=request.skip,
        count=_COUNTS.get(request.count),
        filters=tuple(_filter(asked) for asked in request.filters),
        order_by=request.order_by,
    )


def _filter(asked: filter_pb2.Filter) -> Filter:
    return Filter(asked.field, _OPERATORS.get(asked.operator), tuple(asked.values))
