"""The directory as its callers change it: members are stored and deleted, up to 1000 at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from postroom_server.clock import Clock
from postroom_server.mail import member_checks, member_rows
from postroom_server.mail.caller import Caller
from postroom_server.mail.member_form import CheckedMember, MemberForm
from postroom_server.mail.tenancy import tenant_of
from postroom_server.mail.tenants import find_tenant
from postroom_server.refusals import Reason, Refusal, Violation, refuse_all
from postroom_server.store.ids import IdMint

MOST_AT_ONCE = 1000
# A unit of work holds everyone else's writes up: this many memberships are written in one. A thousand members
# have fewer, unless they have more than twenty each.
_MOST_MEMBERSHIPS = 20_000


@dataclasses.dataclass(frozen=True, slots=True)
class RefusedMember:
    """A member that is not stored, by its place in the request."""

    index: int
    refusal: Refusal


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """A request's members: those to be stored, in parts of a unit of work each, and those refused."""

    parts: list[list[CheckedMember]]
    refused: list[RefusedMember]


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    created_count: int = 0
    updated_count: int = 0

    def __add__(self, other: Stored) -> Stored:
        return Stored(self.created_count + other.created_count, self.updated_count + other.updated_count)


class Members:
    """`check` needs no database; `put` and `delete` are units of work, `delete_parts` is one that reads."""

    def __init__(self, clock: Clock, mint: IdMint) -> None:
        self._clock = clock
        self._mint = mint

    def check(self, count: int, forms: Iterable[MemberForm]) -> Batch:
        """Refuses each member that breaks a rule, singly. Of equal user ids the last one stays."""
        _refuse_size("members", "members", count)
        members: dict[int, CheckedMember] = {}
        refused = []
        for index, form in enumerate(forms):
            try:
                members[form.user_id] = member_checks.check(form)
            except Refusal as refusal:
                refused.append(RefusedMember(index, refusal))
        # At least one part: a tenant that may not be named is refused whatever the members are.
        return Batch(list(_cut(members.values())) or [[]], refused)

    def put(self, caller: Caller, tenant_id: int | None, members: Sequence[CheckedMember]) -> Stored:
        """Stores a part of a batch. Who is known is replaced whole."""
        owner = tenant_of(caller, tenant_id)
        find_tenant(owner)
        return Stored(*member_rows.put(owner, members, self._mint, self._clock.now()))

    def delete_parts(self, caller: Caller, tenant_id: int | None, user_ids: Sequence[int]) -> list[list[int]]:
        """Which of these are to be deleted, in parts. MEMBER_NOT_FOUND when the tenant knows none of them."""
        _refuse_size("user_ids", "user ids", len(user_ids))
        parts: list[list[int]] = []
        room = 0
        for user_id, size in member_rows.sizes(tenant_of(caller, tenant_id), list(dict.fromkeys(user_ids))):
            if not parts or size > room:
                parts.append([])
                room = _MOST_MEMBERSHIPS
            parts[-1].append(user_id)
            room -= size
        if not parts:
            raise Refusal(Reason.MEMBER_NOT_FOUND, "none of these user ids is a member's")
        return parts

    def delete(self, caller: Caller, tenant_id: int | None, user_ids: Sequence[int]) -> int:
        """Deletes a part, and says how many were still there."""
        return member_rows.delete(tenant_of(caller, tenant_id), user_ids)


def _cut(members: Iterable[CheckedMember]) -> Iterator[list[CheckedMember]]:
    part: list[CheckedMember] = []
    size = 0
    for member in members:
        if part and size + len(member.memberships) > _MOST_MEMBERSHIPS:
            yield part
            part, size = [], 0
        part.append(member)
        size += len(member.memberships)
    if part:
        yield part


def _refuse_size(field: str, what: str, size: int) -> None:
    if not 1 <= size <= MOST_AT_ONCE:
        refuse_all([Violation(field, f"{size} {what}; 1 to {MOST_AT_ONCE} are allowed")])
