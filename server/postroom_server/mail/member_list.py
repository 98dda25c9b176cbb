"""Lists of members: what they may be filtered and ordered by, and how many of them fit into one answer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

import peewee

from postroom_server.mail.caller import Caller
from postroom_server.mail.member_form import IDS, MemberRecord
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Listing, Page, PageRequest, find
from postroom_server.mail.tenancy import tenant_of
from postroom_server.store.filters import Field, Fields, Operator, Related
from postroom_server.store.models import Member, Membership, MembershipKind
from postroom_server.store.operands import Type
from postroom_server.store.ordering import Sortable
from postroom_server.store.statement import Statement, as_list, bind, one_of

# A page ends early once it holds this much: no call reads much more than an answer may carry.
_FULL_BYTES = 4 << 20
_MEMBERSHIP_BYTES = 4
_READ_TOGETHER = 50

_COLUMNS = (
    Member.user_id, Member.id, Member.address, Member.language, Member.enabled, Member.attributes,
    Member.create_time, Member.update_time,
)  # fmt: skip
_OF_TENANT = Member.tenant_id == bind("tenant_id")
_BY_USER_ID = Statement(lambda: Member.select(*_COLUMNS).where(_OF_TENANT & one_of(Member.user_id, "keys")))
_BY_ID = Statement(lambda: Member.select(*_COLUMNS).where(_OF_TENANT & one_of(Member.id, "keys")))
_MEMBERSHIPS = Statement(
    lambda: Membership.select(Membership.member_id, Membership.kind, Membership.object_key).where(
        one_of(Membership.member_id, "member_ids")
    )
)


@dataclasses.dataclass(frozen=True, slots=True)
class _ObjectId(Field):
    """An id that is stored as text: equal as text, which an index finds, and greater or less as a number."""

    def _holds(self, operator: Operator, operands: Sequence[Any]) -> Any:
        if operator in (Operator.EQUAL, Operator.IN):
            return Field._holds(self, operator, list(map(str, operands)))
        # PostgreSQL reads a cast whenever it likes, and a policy's code is no number.
        is_id = Membership.kind.in_(list(IDS.values()))
        number = peewee.Case(None, ((is_id, self.expression.cast("BIGINT")),))
        return Field(Type.ID, number)._holds(operator, operands)


class _Sortable(dict[str, Sortable]):
    """What `order_by` may name. The id that breaks ties is the user id, and goes by no other name."""

    def __missing__(self, name: str) -> Sortable:
        return self["user_id"]


_FIELDS: Fields = {
    "user_id": Field(Type.ID, Member.user_id),
    "address": Field(Type.STRING, Member.address),
    "language": Field(Type.STRING, Member.language, nullable=True),
    "enabled": Field(Type.BOOLEAN, Member.enabled),
    "create_time": Field(Type.TIME, Member.create_time, id_column=Member.id),
    "update_time": Field(Type.TIME, Member.update_time),
}
_OBJECT_KEY = Field(Type.STRING, Membership.object_key)
_OBJECTS = {
    "dept_id": (MembershipKind.DEPT, _ObjectId(Type.ID, Membership.object_key)),
    "group_id": (MembershipKind.GROUP, _ObjectId(Type.ID, Membership.object_key)),
    "policy_code": (MembershipKind.POLICY, _OBJECT_KEY),
    "to_policy_code": (MembershipKind.TO_POLICY, _OBJECT_KEY),
}


class MemberList:
    """ListMembers as a unit of work."""

    def __init__(self, tokens: PageTokens) -> None:
        self._listing = Listing(
            method="ListMembers",
            model=Member,
            sortable=_Sortable(
                user_id=Sortable(Member.user_id),
                address=Sortable(Member.address),
                # Ids are given when a member is stored at first.
                create_time=Sortable(Member.id),
                update_time=Sortable(Member.update_time),
            ),
            default_order="user_id",
            default_size=100,
            most_size=1000,
            tokens=tokens,
            indexed={"address": Member.address},
        )

    def list(self, caller: Caller, tenant_id: int | None, request: PageRequest) -> Page[MemberRecord]:
        owner = tenant_of(caller, tenant_id)
        place = self._listing.check(request, _fields(owner), [owner], [], pinned=[(Member.tenant_id, owner)])
        # In the order in which members were made their ids decide alone; said so, PostgreSQL walks an index.
        is_by_id = place.order[0].column is Member.id
        place = dataclasses.replace(place, order=place.order[:1]) if is_by_id else place
        found = find(place)
        load = _BY_ID if is_by_id else _BY_USER_ID
        return self._listing.page(place, found, list(_that_fit(load, owner, found.ids)))


def _fields(tenant_id: int) -> Fields:
    return {**_FIELDS, **{name: _related(tenant_id, *of) for name, of in _OBJECTS.items()}}


def _related(tenant_id: int, kind: MembershipKind, field: Field) -> Related:
    is_kind: Any = Membership.kind == kind.value
    of_tenant: Any = (Membership.tenant_id == tenant_id) & is_kind
    of_row: Any = (Membership.member_id == Member.id) & is_kind
    return Related(
        id_column=Member.id,
        related=Membership.select(Membership.member_id),
        of_tenant=of_tenant,
        of_row=of_row,
        field=field,
    )


def _that_fit(load: Statement, tenant_id: int, keys: Sequence[int]) -> Iterator[MemberRecord]:
    """The tenant's members by their keys, in that order, until an answer is full. At least one."""
    room = _FULL_BYTES
    for start in range(0, len(keys), _READ_TOGETHER):
        some = keys[start : start + _READ_TOGETHER]
        rows = load.rows(tenant_id=tenant_id, keys=as_list(some))
        by_key = {row[1] if load is _BY_ID else row[0]: row for row in rows}
        for record, size in _records(tenant_id, [by_key[key] for key in some]):
            yield record
            room -= size
            if room < 0:
                return


def _records(tenant_id: int, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[MemberRecord, int]]:
    """Records, each with about as many bytes as it has."""
    objects: dict[int, dict[str, list[str]]] = {row[1]: {} for row in rows}
    for member_id, kind, key in _MEMBERSHIPS.rows(member_ids=as_list(objects)):
        objects[member_id].setdefault(kind, []).append(key)
    for user_id, id_, address, language, enabled, attributes, create_time, update_time in rows:
        keys = objects[id_]
        record = MemberRecord(
            tenant_id=tenant_id,
            user_id=user_id,
            address=address,
            language=language or "",
            dept_ids=tuple(sorted(map(int, keys.get(MembershipKind.DEPT, ())))),
            group_ids=tuple(sorted(map(int, keys.get(MembershipKind.GROUP, ())))),
            policy_codes=tuple(sorted(keys.get(MembershipKind.POLICY, ()))),
            to_policy_codes=tuple(sorted(keys.get(MembershipKind.TO_POLICY, ()))),
            enabled=bool(enabled),
            attributes=json.loads(attributes),
            create_time=create_time,
            update_time=update_time,
        )
        count = sum(map(len, keys.values()))
        yield record, len(attributes) + len(address) + _MEMBERSHIP_BYTES * count
