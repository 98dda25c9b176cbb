"""What each member's copy of an email says: its language, the member as shown, what is in its way."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from postroom_server.mail.audience_members import FoundMember
from postroom_server.message import language
from postroom_server.message.member import OWN_NAMES, is_member_path, names_in, with_member
from postroom_server.message.template import CompiledTemplate
from postroom_server.store.versions import CompiledVersion

_PROBLEM_CHARACTERS = 512  # as many as are kept of a server's reply


@dataclasses.dataclass(frozen=True, slots=True)
class FoundCopy:
    """A member's copy, as it will stay whatever becomes of the member."""

    member: FoundMember
    language: str | None  # of the template's variant; None: a custom body
    snapshot: str | None  # JSON: what of the member it shows; None: nothing
    problem: str = ""  # why it cannot be written


@dataclasses.dataclass(frozen=True, slots=True)
class _Variant:
    language: str
    compiled: CompiledTemplate
    names: frozenset[str] | None  # what of a member it reads; None: all of it

    @property
    def is_the_same_for_all(self) -> bool:
        return self.names is not None and not self.names


class Copies:
    """Makes the copies of one email. `system` are the system's values, at their longest."""

    def __init__(
        self,
        version: CompiledVersion | None,
        params: Mapping[str, Any],
        email_language: str,
        system: Mapping[str, str],
    ) -> None:
        self._version = version
        self._params = params
        self._language = email_language
        self._system = system
        self._variants: dict[str, _Variant] = {}

    def of(self, member: FoundMember) -> FoundCopy:
        if self._version is None:
            return FoundCopy(member, None, None)
        variant = self._variant(self._version, member.language or self._language)
        if variant.is_the_same_for_all:
            # It was checked when the email was accepted.
            return FoundCopy(member, variant.language, None)
        shown = self._shown(member, variant.names)
        problem = self._problem(variant.compiled, with_member(self._params, shown))
        snapshot = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
        return FoundCopy(member, variant.language, snapshot, problem)

    def _variant(self, version: CompiledVersion, wanted: str) -> _Variant:
        if wanted not in self._variants:
            tag = language.choose(wanted, tuple(version.variants), version.default_language)
            compiled = version.variants[tag]
            names = names_in(variable.name for variable in compiled.variables if not variable.literal)
            self._variants[wanted] = _Variant(tag, compiled, names)
        return self._variants[wanted]

    def _shown(self, member: FoundMember, names: frozenset[str] | None) -> dict[str, Any]:
        """The attributes that a variant reads, and over them what is ours."""
        shown: dict[str, Any] = {}
        if names is None or not names.issubset(OWN_NAMES):
            attributes = json.loads(member.attributes)
            shown = {name: value for name, value in attributes.items() if names is None or name in names}
        own = {
            "user_id": member.user_id,
            "address": member.address,
            "language": member.language or self._language,
        }
        return shown | {name: value for name, value in own.items() if names is None or name in names}

    def _problem(self, compiled: CompiledTemplate, params: Mapping[str, Any]) -> str:
        """What keeps a copy from being written, as far as it is cheap to tell; empty: nothing is known to.

        What only rendering shows is left to the delivery, which refuses the recipient all the same.
        """
        faults = compiled.faults(params)
        if faults.missing:
            return _told(f"{path} has no value" for path in faults.missing)
        if faults.invalid:
            return _told(f"{path} {problem}" for path, problem in faults.invalid.items())
        if compiled.is_checked_by_rendering:
            return ""
        try:
            compiled.check(params, self._system)
        except ValueError as error:  # unsafe content, or a value without text
            return _told([str(error)])
        return ""


def _told(problems: Any) -> str:
    text = "; ".join(problems)
    return "".join(letter if letter.isprintable() else " " for letter in text)[:_PROBLEM_CHARACTERS]


def given_by_caller(params: Mapping[str, Any]) -> list[str]:
    """The names in a caller's parameters that are a member's: nobody else gives those."""
    return [name for name in params if is_member_path(name)]
