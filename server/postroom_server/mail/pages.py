"""The rules that every list shares: sizes, tokens, skips, counts, filters and orders of a request."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import peewee

from postroom_server.mail.page_token import PageTokens
from postroom_server.refusals import Violation, refuse_all
from postroom_server.store import filters, ordering, pages
from postroom_server.store.filters import Fields, Filter, Operator
from postroom_server.store.models import Row
from postroom_server.store.ordering import Order, Position, Sortable
from postroom_server.store.pages import Rows

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

    query: list[Any]  # what the token is sealed to
    rows: Rows
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
    # Columns by which, behind the pinned ones of the list, an index is ordered: EQUAL to one is pinned, too.
    indexed: Mapping[str, peewee.Field] = dataclasses.field(default_factory=dict)

    def check(
        self,
        request: PageRequest,
        fields: Fields,
        scope: Sequence[int],
        conditions: Sequence[Any],
        violations: Sequence[Violation] = (),
        *,
        pinned: Sequence[tuple[peewee.Field, Any]] = (),
    ) -> Place:
        """Refuses what breaks a rule, all at once.

        `scope` is what the list is of, such as the tenant's id; `conditions` and `pinned` (columns that an
        index begins with, and their values) hold every row to it.
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
            query=query,
            rows=Rows(self.model, (*pinned, *self._pinned(request.filters)), (*conditions, *narrowed)),
            order=order,
            after=self.tokens.read(query, request.page_token) if request.page_token else None,
            skip=request.skip,
            size=min(request.page_size or self.default_size, self.most_size),
            count=request.count or Count.UP_TO_10000,
        )

    def _pinned(self, asked: Sequence[Filter]) -> tuple[tuple[peewee.Field, Any], ...]:
        equal = {one.field: one.values[0] for one in asked if one.operator is Operator.EQUAL}
        for name, column in self.indexed.items():
            if name in equal:
                return ((column, equal[name]),)
        return ()

    def rows(self, found: Found) -> list[Any]:
        """The whole rows of a page, in its order."""
        model: type[Any] = self.model
        rows = {row.id: row for row in model.select().where(model.id.in_(found.ids))}
        return [rows[id_] for id_ in found.ids]

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
            place.rows,
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
        total = pages.count(place.rows, at_most=most)
    if place.count is Count.UP_TO_10000 and total > COUNTED:
        return COUNTED, True
    return total, False
