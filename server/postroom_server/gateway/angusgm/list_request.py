"""The query of a list, read: its conditions, its order, and which page of how much."""

from __future__ import annotations

import dataclasses
import re
from typing import Self

from postroom.v1 import email_pb2, email_service_pb2, filter_pb2
from postroom_server.gateway.angusgm import words
from postroom_server.gateway.angusgm.dates import Dates
from postroom_server.gateway.angusgm.filters import Condition, Conditions
from postroom_server.gateway.angusgm.problem import Problem, Violation
from postroom_server.gateway.angusgm.query import Query

_MOST_PAGES, _MOST_ROWS = 100_000, 2000
_ORDERS = {"id": "id", "actualSendDate": "settle_time", "expectedSendDate": "schedule_time"}
_FILTER = re.compile(r"filters\[(\d+)\].*")
_NAMES = {"order_by": "orderBy", "page_size": "pageSize", "skip": "pageNo", "view": "infoScope"}

Fingerprint = tuple[tuple[str, int, tuple[str, ...]], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class ListRequest:
    conditions: list[Condition]
    order_by: str
    skip: int
    size: int
    is_detailed: bool

    @classmethod
    def of(cls, query: Query, dates: Dates) -> Self:
        """Raises Problem."""
        page_no = query.integer("pageNo", least=1, most=_MOST_PAGES) or 1
        page_size = query.integer("pageSize", least=1, most=_MOST_ROWS) or 10
        direction = query.word("orderSort", words.ORDER_SORTS) or "DESC"
        scope = query.word("infoScope", words.INFO_SCOPES) or "DETAIL"
        conditions = Conditions(query, dates).all
        order_by = query.text("orderBy") or "id"
        if order_by not in _ORDERS:
            reason = ("not_a_word", ", ".join(_ORDERS))
            raise Problem("unsupported_order_by", [Violation("orderBy", reason)])
        return cls(
            conditions,
            _ORDERS[order_by] + (" desc" if direction == "DESC" else ""),
            (page_no - 1) * page_size,
            page_size,
            scope == "DETAIL",
        )

    @property
    def tenant_id(self) -> int | None:
        """The one tenant that is asked for, if it is one."""
        for one in self.conditions:
            if one.field == "tenant_id" and one.operator == filter_pb2.FILTER_OPERATOR_EQUAL:
                return int(one.values[0])
        return None

    @property
    def fingerprint(self) -> Fingerprint:
        """What the total depends on."""
        return tuple((one.field, int(one.operator), one.values) for one in self.conditions)

    def message(self) -> email_service_pb2.ListEmailsRequest:
        return email_service_pb2.ListEmailsRequest(
            skip=self.skip,
            filters=[
                filter_pb2.Filter(field=one.field, operator=one.operator, values=one.values)
                for one in self.conditions
            ],
            order_by=self.order_by,
            view=email_pb2.EMAIL_VIEW_DETAIL if self.is_detailed else email_pb2.EMAIL_VIEW_BASIC,
        )

    def name_of(self, path: str) -> str:
        """The document's name of a path of the contract."""
        if matched := _FILTER.fullmatch(path):
            place = int(matched[1])
            return self.conditions[place].name if place < len(self.conditions) else path
        return _NAMES.get(path, path)
