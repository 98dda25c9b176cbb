"""The rows of members and of what they belong to: written a thousand at a time, by few statements.

A replaced member keeps its id, and what is as it was is not written again: importing the same file twice
writes nothing the second time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import peewee

from postroom_server.clock import Millis
from postroom_server.mail.member_form import CheckedMember
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Member, Membership, bound
from postroom_server.store.statement import Statement, as_list, bind, insert, is_postgresql, one_of
from postroom_server.store.unit import LostRaceError


def _locked(query: Any) -> Any:
    # SQLite has one writer; on PostgreSQL two calls about the same members take turns, in one order.
    return query.for_update() if is_postgresql() else query


_KNOWN = Statement(
    lambda: _locked(
        Member.select(
            Member.user_id, Member.id, Member.address, Member.language, Member.enabled, Member.attributes
        )
        .where((Member.tenant_id == bind("tenant_id")) & one_of(Member.user_id, "user_ids"))
        .order_by(Member.user_id)
    )
)
_HELD = Statement(
    lambda: Membership.select(
        Membership.member_id, Membership.kind, Membership.object_key, Membership.id
    ).where(one_of(Membership.member_id, "member_ids"))
)
_COUNT_HELD = Statement(
    lambda: (
        Membership.select(Membership.member_id, peewee.fn.COUNT(Membership.id))
        .where(one_of(Membership.member_id, "member_ids"))
        .group_by(Membership.member_id)
    )
)
_FIND = Statement(
    lambda: (
        Member.select(Member.user_id, Member.id)
        .where((Member.tenant_id == bind("tenant_id")) & one_of(Member.user_id, "user_ids"))
        .order_by(Member.user_id)
    )
)
_LEAVE = Statement(lambda: Membership.delete().where(one_of(Membership.id, "ids")))
_LEAVE_ALL = Statement(lambda: Membership.delete().where(one_of(Membership.member_id, "member_ids")))
_DELETE = Statement(lambda: Member.delete().where(one_of(Member.id, "ids")))

# PostgreSQL takes a batch as one statement, whose columns are arrays: a row each would be a message each.
_INSERT = insert(Member)
_INSERT_ARRAYS = """INSERT INTO member (id, tenant_id, user_id, address, language, enabled, attributes,
    create_time, update_time)
  SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::boolean[],
    %s::text[], %s::bigint[], %s::bigint[])
  ON CONFLICT (tenant_id, user_id) DO NOTHING"""
_REPLACE = Statement(
    lambda: Member.update(
        address=bind("address"),
        language=bind("language"),
        enabled=bind("enabled"),
        attributes=bind("attributes"),
        update_time=bind("now"),
    ).where(Member.id == bind("id"))
)
_REPLACE_ARRAYS = """UPDATE member SET address = given.address, language = given.language,
    enabled = given.enabled, attributes = given.attributes, update_time = given.now
  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::boolean[], %s::text[], %s::bigint[])
    AS given(id, address, language, enabled, attributes, now)
  WHERE member.id = given.id"""
_JOIN = insert(Membership)
_JOIN_ARRAYS = """INSERT INTO membership (id, tenant_id, kind, object_key, member_id)
  SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[])"""


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    id: int
    content: tuple[Any, ...]


def put(tenant_id: int, members: Collection[CheckedMember], mint: IdMint, now: Millis) -> tuple[int, int]:
    """Stores members of different user ids, whole. Part of a unit. Returns how many were new, and known."""
    known = _known(tenant_id, [member.user_id for member in members])
    fresh = sorted(
        (member for member in members if member.user_id not in known), key=lambda member: member.user_id
    )
    ids = dict(zip((member.user_id for member in fresh), mint.many(len(fresh)), strict=True))
    _add(
        [
            (
                ids[one.user_id], tenant_id, one.user_id, one.address, one.language, one.enabled,
                one.attributes, now, now,
            )
            for one in fresh
        ]
    )  # fmt: skip
    held = _held([known[member.user_id].id for member in members if member.user_id in known])
    changed, gone = [], []
    joined = [(ids[one.user_id], membership) for one in fresh for membership in one.memberships]
    for member in members:
        stored = known.get(member.user_id)
        if stored is None:
            continue
        before = held.get(stored.id, {})
        left = [id_ for membership, id_ in before.items() if membership not in member.memberships]
        new = [membership for membership in member.memberships if membership not in before]
        gone += left
        joined += [(stored.id, membership) for membership in new]
        if left or new or stored.content != _content(member):
            changed.append((stored.id, *_content(member), now))
    _replace(changed)
    _leave(gone)
    # In the order of the index that audiences read: neighbours are written side by side.
    joined.sort(key=lambda join: (join[1], join[0]))
    _join(
        [
            (id_, tenant_id, kind, key, member_id)
            for id_, (member_id, (kind, key)) in zip(mint.many(len(joined)), joined, strict=True)
        ]
    )
    return len(fresh), len(known)


def delete(tenant_id: int, user_ids: Collection[int]) -> int:
    """Deletes members with what they belong to, and says how many there were. Part of a unit."""
    known = _known(tenant_id, user_ids)
    ids = as_list(sorted(one.id for one in known.values()))
    _LEAVE_ALL.execute(member_ids=ids)
    _DELETE.execute(ids=ids)
    return len(known)


def sizes(tenant_id: int, user_ids: Collection[int]) -> Iterator[tuple[int, int]]:
    """The user ids that are known, and how many memberships each has."""
    known = _FIND.rows(tenant_id=tenant_id, user_ids=as_list(user_ids))
    counts = dict(_COUNT_HELD.rows(member_ids=as_list(id_ for _, id_ in known)))
    return ((user_id, counts.get(id_, 0)) for user_id, id_ in known)


def _known(tenant_id: int, user_ids: Collection[int]) -> dict[int, _Known]:
    rows = _KNOWN.rows(tenant_id=tenant_id, user_ids=as_list(user_ids))
    return {
        user_id: _Known(id_, (address, language, bool(enabled), attributes))
        for user_id, id_, address, language, enabled, attributes in rows
    }


def _content(member: CheckedMember) -> tuple[Any, ...]:
    return member.address, member.language, member.enabled, member.attributes


def _held(member_ids: Sequence[int]) -> dict[int, dict[tuple[str, str], int]]:
    """By member: the ids of its memberships, by kind and key."""
    held: dict[int, dict[tuple[str, str], int]] = {}
    if member_ids:
        for member_id, kind, key, id_ in _HELD.rows(member_ids=as_list(member_ids)):
            held.setdefault(member_id, {})[kind, key] = id_
    return held


def _add(rows: Sequence[tuple[Any, ...]]) -> None:
    if not is_postgresql():
        _INSERT.many(rows)
    elif rows and _run(_INSERT_ARRAYS, rows) != len(rows):
        raise LostRaceError


def _replace(rows: Sequence[tuple[Any, ...]]) -> None:
    if is_postgresql():
        _run(_REPLACE_ARRAYS, sorted(rows))
        return
    names = ("id", "address", "language", "enabled", "attributes", "now")
    _REPLACE.execute_many([dict(zip(names, row, strict=True)) for row in rows])


def _leave(ids: Iterable[int]) -> None:
    if listed := sorted(ids):
        _LEAVE.execute(ids=as_list(listed))


def _join(rows: Sequence[tuple[Any, ...]]) -> None:
    if is_postgresql():
        _run(_JOIN_ARRAYS, rows)
    else:
        _JOIN.many(rows)


def _run(sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Runs a statement over arrays, and says how many rows it touched."""
    if not rows:
        return 0
    columns = [list(column) for column in zip(*rows, strict=True)]
    return int(bound.connection().execute(sql, columns).rowcount)
