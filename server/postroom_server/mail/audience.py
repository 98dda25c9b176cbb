"""An audience: members of the directory, named by what they are; its rules, and how a row keeps it."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Iterable
from typing import Any

from postroom_server.mail.caller import Caller, Scope
from postroom_server.message.unsafe import check_text
from postroom_server.refusals import Reason, Refusal, Violation
from postroom_server.store.models import MembershipKind

MOST_NAMED = 500  # ids, and codes
_CODE_CHARACTERS = 80
_LARGEST_ID = (1 << 63) - 1


class AudienceType(enum.StrEnum):
    """What the ids and codes name: the contract's words."""

    TENANT = "TENANT"
    DEPT = "DEPT"
    GROUP = "GROUP"
    USER = "USER"
    POLICY = "POLICY"
    TO_POLICY = "TO_POLICY"
    ALL = "ALL"

    @property
    def membership(self) -> MembershipKind | None:
        """The kind of membership that it is, if it is one."""
        return MembershipKind(self.value) if self.value in MembershipKind.__members__ else None


_POLICIES = (AudienceType.POLICY, AudienceType.TO_POLICY)


@dataclasses.dataclass(frozen=True, slots=True)
class Audience:
    """`type` None: one that nobody knows. Ids and codes stand as they were given, duplicates too."""

    type: AudienceType | None
    object_ids: tuple[int, ...] = ()
    policy_codes: tuple[str, ...] = ()

    @property
    def membership_kind(self) -> MembershipKind | None:
        """What its members have in common; None where that is not a membership."""
        return None if self.type is None else self.type.membership

    @property
    def keys(self) -> tuple[str, ...]:
        """The object keys of its memberships, each once: an id stands for the code of the same digits."""
        return tuple(dict.fromkeys([*map(str, self.object_ids), *self.policy_codes]))


def check_audience(audience: Audience) -> list[Violation]:
    """Everything that is wrong with an audience, by the contract's paths."""
    found: list[Violation] = []
    type_, ids, codes = audience.type, audience.object_ids, audience.policy_codes
    if type_ is None:
        found.append(Violation("audience.type", "say what the ids and codes name"))
    if len(ids) > MOST_NAMED:
        found.append(Violation("audience.object_ids", f"{len(ids)} ids; at most {MOST_NAMED}"))
    elif type_ is AudienceType.ALL and ids:
        found.append(Violation("audience.object_ids", "everybody is meant; ids narrow nothing"))
    else:
        # The platform is tenant 0; everything else counts from one.
        least = 0 if type_ is AudienceType.TENANT else 1
        found += [
            Violation(f"audience.object_ids[{place}]", f"must be {least} to {_LARGEST_ID}")
            for place, id_ in enumerate(ids)
            if not least <= id_ <= _LARGEST_ID
        ]
    if len(codes) > MOST_NAMED:
        found.append(Violation("audience.policy_codes", f"{len(codes)} codes; at most {MOST_NAMED}"))
    elif codes and type_ is not None and type_ not in _POLICIES:
        found.append(Violation("audience.policy_codes", "only with POLICY and TO_POLICY"))
    else:
        found += _check_codes(codes)
    if type_ in (AudienceType.DEPT, AudienceType.GROUP, AudienceType.USER) and not ids:
        found.append(Violation("audience.object_ids", "name at least one"))
    if type_ in _POLICIES and not ids and not codes:
        found.append(Violation("audience.policy_codes", "name at least one, or an id in object_ids"))
    return found


def check_rights(caller: Caller, audience: Audience, tenant_id: int) -> None:
    """Raises SCOPE_MISSING or TENANT_FORBIDDEN when the caller may not send to so many. `tenant_id` sends."""
    # Of one tenant ALL and TENANT are the same people.
    everybody = (AudienceType.ALL, AudienceType.TENANT)
    if audience.type in everybody and Scope.SEND_ALL not in caller.scopes:
        raise Refusal(
            Reason.SCOPE_MISSING,
            f"an audience of {audience.type} needs a token with scope {Scope.SEND_ALL}",
            metadata={"scope": Scope.SEND_ALL.value},
        )
    if audience.type is not AudienceType.TENANT or Scope.PLATFORM in caller.scopes:
        return
    if any(id_ != tenant_id for id_ in audience.object_ids):
        raise Refusal(
            Reason.TENANT_FORBIDDEN,
            "an audience of another tenant needs a token with scope platform",
            metadata={"scope": Scope.PLATFORM.value},
        )


@dataclasses.dataclass(frozen=True, slots=True)
class KeptAudience:
    """An audience as the row of its email keeps it, with the Cc and Bcc that travel with a copy."""

    audience: Audience
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()

    @property
    def extras(self) -> int:
        """How many addresses there are beside the members."""
        return len(self.cc) + len(self.bcc)

    def as_json(self) -> str:
        audience = self.audience
        kept = {
            "type": audience.type,
            "object_ids": _distinct(audience.object_ids),
            "policy_codes": _distinct(audience.policy_codes),
            "cc": self.cc,
            "bcc": self.bcc,
        }
        return json.dumps({name: value for name, value in kept.items() if value}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> KeptAudience:
        kept: dict[str, Any] = json.loads(text)
        audience = Audience(
            AudienceType(kept["type"]),
            tuple(kept.get("object_ids", ())),
            tuple(kept.get("policy_codes", ())),
        )
        return cls(audience, tuple(kept.get("cc", ())), tuple(kept.get("bcc", ())))


@dataclasses.dataclass(frozen=True, slots=True)
class Unknown:
    """What of an audience names nobody."""

    object_ids: tuple[int, ...] = ()
    policy_codes: tuple[str, ...] = ()

    def as_json(self) -> str | None:
        """None when everything names somebody."""
        if not self.object_ids and not self.policy_codes:
            return None
        return json.dumps([self.object_ids, self.policy_codes], separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | None) -> Unknown:
        return cls(*map(tuple, json.loads(text))) if text else cls()


def _check_codes(codes: Iterable[str]) -> list[Violation]:
    found = []
    for place, code in enumerate(codes):
        field = f"audience.policy_codes[{place}]"
        if not 1 <= len(code) <= _CODE_CHARACTERS:
            found.append(Violation(field, f"{len(code)} characters; 1 to {_CODE_CHARACTERS}"))
        elif problem := check_text(code):
            found.append(Violation(field, problem))
    return found


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))
