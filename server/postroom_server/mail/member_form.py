"""Members as callers write them, and as they are shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from postroom_server.clock import Millis
from postroom_server.store.models import MembershipKind


@dataclasses.dataclass(frozen=True, slots=True)
class MemberForm:
    """A member to be stored, as asked for."""

    user_id: int
    address: str
    language: str = ""
    dept_ids: tuple[int, ...] = ()
    group_ids: tuple[int, ...] = ()
    policy_codes: tuple[str, ...] = ()
    to_policy_codes: tuple[str, ...] = ()
    enabled: bool = True
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class CheckedMember:
    """A member that breaks no rule, in the form that is stored."""

    user_id: int
    address: str
    language: str | None
    enabled: bool
    attributes: str  # a JSON object
    memberships: frozenset[tuple[str, str]]  # kinds and object keys


@dataclasses.dataclass(frozen=True, slots=True)
class MemberRecord:
    """A stored member. Ids and codes are in ascending order: nobody belongs to a department twice."""

    tenant_id: int
    user_id: int
    address: str
    language: str  # empty: the email's
    dept_ids: tuple[int, ...]
    group_ids: tuple[int, ...]
    policy_codes: tuple[str, ...]
    to_policy_codes: tuple[str, ...]
    enabled: bool
    attributes: Mapping[str, Any]
    create_time: Millis
    update_time: Millis


# Which field holds which kind: ids as numbers, codes as they are.
IDS = {"dept_ids": MembershipKind.DEPT.value, "group_ids": MembershipKind.GROUP.value}
CODES = {"policy_codes": MembershipKind.POLICY.value, "to_policy_codes": MembershipKind.TO_POLICY.value}
