"""The rules that every list shares: sizes, tokens, skips, counts, filters and orders of a request."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from postroom_server.mail.page_token import PageTokens
from postroom_server.refusals import Violation, refuse_all
from postroom_server.store import filters, ordering, pages
from postroom_server.store.filters import Fields, Filter
from postroom_server.store.models import Row
from postroom_server.store.ordering import Order, Position, Sortable

T = TypeVar("T")
COUNTED = 10_000


class Count(enum.StrEnum):
    """How far a list counts what matches."""

    NONE = "NONE"
    UP_TO_10000 = "UP_TO_10000"
    EXACT = "EXACT"


@dataclasses.dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list is wanted, as asked."""

    page_size: int = 0
    page_token: str = ""
    skip: int = 0
    count: Count | None = Count.UP_TO_10000  # None: no such word
    filters: tuple[Filter, ...] = ()
    order_by: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows in order. Whoever shows only some of them goes on with `token_after` the last one shown."""

    items: list[T]
    total_size: int
    total_is_lower_bound: bool
    has_more: bool  # behind the last of `items`
    token_after: Callable[[int], str] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A checked request: where its page is."""

    model: type[Row]
    query: list[Any]  # what the token is sealed to
    conditions: list[Any]
    order: Order
    after: Position | None
    skip: int
    size: int
    count: Count

    @property
    def is_plain(self) -> bool:
        """Whether nothing narrows the list and its order is by id."""
        return not self.query[2] and len(self.order) == 1


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The positions of a page, and how many rows match."""

    positions: list[Position]
    has_more: bool
    total_size: int
    total_is_lower_bound: bool

    @property
    def ids(self) -> list[int]:
        return [int(position[-1] or 0) for position in self.positions]


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """What one List method allows. `method` keeps the tokens of different methods apart."""

    method: str
    model: type[Row]
    sortable: Mapping[str, Sortable]
    default_order: str
    default_size: int
    most_size: int
    tokens: PageTokens

    def check(
        self,
        request: PageRequest,
        fields: Fields,
        scope: Sequence[int],
        conditions: Sequence[Any],
        violations: Sequence[Violation] = (),
    ) -> Place:
        """Refuses what breaks a rule, all at once.

        `scope` is what the list is of, such as the tenant's id; `conditions` hold every row to it.
        `violations` are what the caller has found wrong with the rest of the request.
        """
        violations = list(violations)
        for name, number in (("page_size", request.page_size), ("skip", request.skip)):
            if number < 0:
                violations.append(Violation(name, "must not be negative"))
        if request.count is None:
            violations.append(Violation("count", "there is no such Count"))
        if request.skip and request.page_token:
            violations.append(Violation("skip", "only without page_token"))
        narrowed = filters.conditions(request.filters, fields, violations)
        order = ordering.parse(request.order_by, self.sortable, self.default_order, violations)
        refuse_all(violations)
        query = [
            self.method,
            list(scope),
            [[asked.field, asked.operator, *asked.values] for asked in request.filters],
            ordering.as_text(order),
        ]
        return Place(
            model=self.model,
            query=query,
            conditions=[*conditions, *narrowed],
            order=order,
            after=self.tokens.read(query, request.page_token) if request.page_token else None,
            skip=request.skip,
            size=min(request.page_size or self.default_size, self.most_size),
            count=request.count or Count.UP_TO_10000,
        )

    def page(self, place: Place, found: Found, items: list[T]) -> Page[T]:
        """The page of these items: the first of `found`, in its order."""
        return Page(
            items=items,
            total_size=found.total_size,
            total_is_lower_bound=found.total_is_lower_bound,
            has_more=found.has_more or len(items) < len(found.positions),
            token_after=lambda index: self.tokens.write(place.query, found.positions[index]),
        )


def find(place: Place, positions: list[Position] | None = None) -> Found:
    """Reads the positions of a page and counts as asked. Runs in a unit.

    Whoever knows a faster way to the positions gives them, one more than the page holds.
    """
    if positions is None:
        positions = pages.select(
            place.model,
            place.conditions,
            place.order,
            after=place.after,
            skip=place.skip,
            limit=place.size + 1,
        )
    has_more = len(positions) > place.size
    total, is_lower_bound = _total(place, len(positions), has_more)
    return Found(positions[: place.size], has_more, total, is_lower_bound)


def _total(place: Place, read: int, has_more: bool) -> tuple[int, bool]:
    if place.count is Count.NONE:
        return 0, True
    if not has_more and place.after is None and (read or not place.skip):
        total = place.skip + read
    else:
        most = None if place.count is Count.EXACT else COUNTED + 1
        total = pages.count(place.model, place.conditions, at_most=most)
    if place.count is Count.UP_TO_10000 and total > COUNTED:
        return COUNTED, True
    return total, False
