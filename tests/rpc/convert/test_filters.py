"""Every operator and count of the contract has its word."""

from __future__ import annotations

import pytest

from postroom.v1 import email_service_pb2, filter_pb2
from postroom_server.mail.pages import Count, PageRequest
from postroom_server.rpc.convert.filters import page_request_of
from postroom_server.store.filters import Filter, Operator

List = email_service_pb2.ListEmailsRequest


@pytest.mark.parametrize("name", filter_pb2.FilterOperator.keys()[1:])
def test_every_operator_is_known(name: str) -> None:
    asked = filter_pb2.Filter(field="id", operator=filter_pb2.FilterOperator.Value(name), values=["1", "2"])
    read = page_request_of(List(filters=[asked])).filters
    assert read == (Filter("id", Operator(name.removeprefix("FILTER_OPERATOR_")), ("1", "2")),)


@pytest.mark.parametrize("number", [0, 15, 99])
def test_an_operator_that_is_none_stays_visible(number: int) -> None:
    asked = filter_pb2.Filter(field="id", operator=number)  # type: ignore[arg-type]
    assert page_request_of(List(filters=[asked])).filters[0].operator is None


@pytest.mark.parametrize(
    ("number", "count"),
    [(0, Count.UP_TO_10000), (1, Count.NONE), (2, Count.UP_TO_10000), (3, Count.EXACT), (4, None)],
)
def test_every_count_is_known(number: int, count: Count | None) -> None:
    assert page_request_of(List(count=number)).count is count  # type: ignore[arg-type]


def test_a_request_is_read_whole() -> None:
    request = List(page_size=3, page_token="t", skip=4, order_by="id")
    assert page_request_of(request) == PageRequest(page_size=3, page_token="t", skip=4, order_by="id")
