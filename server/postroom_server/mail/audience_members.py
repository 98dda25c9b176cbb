"""Looks up whom an audience holds: pages of members in the order of their ids, behind a cursor.

Ids grow as members are stored, so that one pass in their order meets everybody once: whoever is in several of
the groups that are named, and whoever moves between them meanwhile.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from postroom_server.mail.audience import Audience, AudienceType, Unknown
from postroom_server.store.models import PLATFORM_TENANT, Member, bound
from postroom_server.store.statement import Statement, as_list, bind, is_postgresql, one_of

PAGE = 500
# With many objects a few of each are read, and only as far as all of them were read is anybody taken.
_LEAST_EACH = 16
_MOST_ROUNDS = 8

_COLUMNS = (Member.id, Member.user_id, Member.address, Member.language, Member.enabled, Member.attributes)
_EVERYBODY = Statement(
    lambda: (
        Member.select(*_COLUMNS).where(Member.id > bind("cursor")).order_by(Member.id).limit(bind("limit"))
    )
)
_USERS = Statement(
    lambda: Member.select(*_COLUMNS).where(
        (Member.tenant_id == bind("tenant_id"))
        & one_of(Member.user_id, "user_ids")
        & (Member.id > bind("cursor"))
    )
)
_OF_IDS = Statement(lambda: Member.select(*_COLUMNS).where(one_of(Member.id, "ids")))

# For each object the next few: as many look-ups in the unique index of memberships as there are objects.
MEMBERSHIPS_SQLITE = """SELECT k.key, x.member_id FROM json_each(?) AS k
  CROSS JOIN membership AS x ON x.id IN (
    SELECT m.id FROM membership AS m
    WHERE m.tenant_id = ? AND m.kind = ? AND m.object_key = k.value AND m.member_id > ?
    ORDER BY m.member_id LIMIT ?)"""
MEMBERSHIPS_POSTGRESQL = """SELECT k.place, x.member_id
  FROM unnest(%s::text[]) WITH ORDINALITY AS k(value, place) CROSS JOIN LATERAL (
    SELECT m.member_id FROM membership AS m
    WHERE m.tenant_id = %s AND m.kind = %s AND m.object_key = k.value AND m.member_id > %s
    ORDER BY m.member_id LIMIT %s) AS x"""
TENANTS_SQLITE = """SELECT k.key, x.id FROM json_each(?) AS k
  CROSS JOIN member AS x ON x.id IN (
    SELECT m.id FROM member AS m WHERE m.tenant_id = k.value AND m.id > ? ORDER BY m.id LIMIT ?)"""
TENANTS_POSTGRESQL = """SELECT k.place, x.id
  FROM unnest(%s::bigint[]) WITH ORDINALITY AS k(value, place) CROSS JOIN LATERAL (
    SELECT m.id FROM member AS m WHERE m.tenant_id = k.value AND m.id > %s ORDER BY m.id LIMIT %s) AS x"""

_NO_SUCH_USER = "SELECT 1 FROM member AS m WHERE m.tenant_id = {p} AND m.user_id = k.value"
_NO_SUCH_TENANT = "SELECT 1 FROM member AS m WHERE m.tenant_id = k.value"
_NO_SUCH_OBJECT = (
    "SELECT 1 FROM membership AS m WHERE m.tenant_id = {p} AND m.kind = {p} AND m.object_key = k.value"
)


@dataclasses.dataclass(frozen=True, slots=True)
class FoundMember:
    id: int
    user_id: int
    address: str
    language: str | None  # None: the email's
    attributes: str  # JSON


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """Some of an audience: who of those behind the cursor are enabled. `cursor` is the last one looked at."""

    members: list[FoundMember]
    cursor: int
    is_last: bool


def next_members(audience: Audience, tenant_id: int, cursor: int, limit: int = PAGE) -> Found:
    """The next members, at most `limit`; fewer, even none, is not the end. Part of a unit that reads."""
    if audience.type is AudienceType.USER:
        users = as_list(dict.fromkeys(audience.object_ids))
        rows = sorted(_USERS.rows(tenant_id=tenant_id, user_ids=users, cursor=cursor))
        return _found(rows[:limit], cursor, is_last=len(rows) <= limit)
    if audience.type is AudienceType.ALL and tenant_id == PLATFORM_TENANT:
        rows = _EVERYBODY.rows(cursor=cursor, limit=limit)
        return _found(rows, cursor, is_last=len(rows) < limit)
    ids: list[int] = []
    is_last = False
    for _ in range(_MOST_ROUNDS):
        some, is_last = _next_ids(audience, tenant_id, ids[-1] if ids else cursor, limit)
        ids += some
        if is_last or 2 * len(ids) > limit:
            break
    is_last = is_last and len(ids) <= limit
    ids = ids[:limit]
    return _found(sorted(_OF_IDS.rows(ids=as_list(ids))), ids[-1] if ids else cursor, is_last=is_last)


def find_unknown(audience: Audience, tenant_id: int) -> Unknown:
    """The ids and codes that name nobody, be they enabled or not. Part of a unit that reads."""
    kind = audience.membership_kind
    if kind is not None:
        nobody = set(_without(audience.keys, "text", _NO_SUCH_OBJECT, tenant_id, kind))
        return Unknown(
            tuple(id_ for id_ in dict.fromkeys(audience.object_ids) if str(id_) in nobody),
            tuple(code for code in dict.fromkeys(audience.policy_codes) if code in nobody),
        )
    if audience.type is AudienceType.USER:
        return Unknown(tuple(_without(audience.object_ids, "bigint", _NO_SUCH_USER, tenant_id)))
    return Unknown(tuple(_without(audience.object_ids, "bigint", _NO_SUCH_TENANT)))


def _found(rows: Sequence[tuple[Any, ...]], cursor: int, *, is_last: bool) -> Found:
    members = [
        FoundMember(id_, user_id, address, language, attributes)
        for id_, user_id, address, language, enabled, attributes in rows
        if enabled
    ]
    return Found(members, max(cursor, rows[-1][0] if rows else 0), is_last)


def _next_ids(audience: Audience, tenant_id: int, cursor: int, limit: int) -> tuple[list[int], bool]:
    """Ids of the next members, in order, and whether there are no more."""
    kind = audience.membership_kind
    keys: Sequence[int | str] = audience.keys if kind else audience.object_ids or (tenant_id,)
    keys = tuple(dict.fromkeys(keys)) if audience.type is not AudienceType.ALL else (tenant_id,)
    each = limit if len(keys) == 1 else max(_LEAST_EACH, 2 * limit // len(keys))
    of = (tenant_id, kind.value) if kind else ()
    sqlite, postgresql = (
        (MEMBERSHIPS_SQLITE, MEMBERSHIPS_POSTGRESQL) if kind else (TENANTS_SQLITE, TENANTS_POSTGRESQL)
    )
    sql = postgresql if is_postgresql() else sqlite
    rows = bound.connection().execute(sql, (as_list(keys), *of, cursor, each)).fetchall()
    by_key: dict[int, list[int]] = {}
    for place, id_ in rows:
        by_key.setdefault(place, []).append(id_)
    cut_off = [max(found) for found in by_key.values() if len(found) == each]
    # Behind the first that was cut off there may be members of it whom nobody has read yet.
    horizon = min(cut_off, default=None)
    ids = sorted({id_ for _, id_ in rows if horizon is None or id_ <= horizon})
    return ids[:limit], horizon is None and len(ids) <= limit


def _without(keys: Sequence[int | str], type_: str, exists: str, *of: Any) -> list[Any]:
    """The keys for which nothing exists, in their order, each once."""
    keys = tuple(dict.fromkeys(keys))
    if not keys:
        return []
    if is_postgresql():
        sql = f"SELECT k.value FROM unnest(%s::{type_}[]) AS k(value) WHERE NOT EXISTS ({exists})"  # noqa: S608
    else:
        sql = f"SELECT k.value FROM json_each(?) AS k WHERE NOT EXISTS ({exists})"  # noqa: S608
    sql = sql.replace("{p}", "%s" if is_postgresql() else "?")
    nobody = {row[0] for row in bound.connection().execute(sql, (as_list(keys), *of)).fetchall()}
    return [key for key in keys if key in nobody]


__all__ = ["PAGE", "Found", "FoundMember", "find_unknown", "next_members"]
