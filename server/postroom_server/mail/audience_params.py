"""Whether a caller's parameters suit an audience: in every language, as any may be wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postroom_server.mail import unrendered
from postroom_server.mail.checks import Checked
from postroom_server.message.member import is_member_path, with_member
from postroom_server.message.template import CompiledTemplate
from postroom_server.message.unsafe import UnsafeContent
from postroom_server.refusals import Reason, Violation
from postroom_server.store.known import Known
from postroom_server.store.versions import CompiledVersion, Trial

_FIELD = "template.params"
# In the place of what members will bring: nothing, as far as there are nothings.
_MADE_UP = {"INTEGER": 1, "NUMBER": 1, "BOOLEAN": True, "TIMESTAMP": "2026-01-01T00:00:00Z", "LIST": []}


def check_params(
    params: Mapping[str, Any], version: CompiledVersion, system: Mapping[str, str], known: Known
) -> list[Violation]:
    """Everything that is wrong with these parameters. `system` are the system's values, at their longest.

    Raises NotTried where it takes long to tell.
    """
    given = [name for name in params if is_member_path(name)]
    found = {
        f"{_FIELD}.{name}": Violation(
            f"{_FIELD}.{name}", "is the member's own, not the caller's", Reason.TEMPLATE_VARIABLE_INVALID
        )
        for name in given
    }
    if given:
        return list(found.values())
    trials: list[Trial] = []
    for tag, compiled in version.variants.items():
        filled = with_member(params, _made_up(compiled))
        wrong = _check_variant(filled, compiled)
        for violation in wrong:
            found.setdefault(violation.field, violation)
        if not wrong:
            trials.append(Trial(tag, filled, system))
    for error in known.check(version, trials):
        # What is missing now is something deep in the member; each copy is checked for itself.
        if isinstance(error, UnsafeContent):
            for violation in unrendered.violations(_FIELD, error):
                found.setdefault(_FIELD, violation)
    return list(found.values())


def check_copied(checked: Checked, version: CompiledVersion) -> list[Violation]:
    """Whether others may get a copy beside the members: they would read the first member's own."""
    copied = {"cc": checked.cc, "bcc": checked.bcc}
    if not any(copied.values()) or not any(map(_reads_members, version.variants.values())):
        return []
    return [
        Violation(field, "the template shows members what is theirs; others get no copy of that")
        for field, addresses in copied.items()
        if addresses
    ]


def _reads_members(compiled: CompiledTemplate) -> bool:
    return any(is_member_path(variable.name) and not variable.literal for variable in compiled.variables)


def _check_variant(filled: Mapping[str, Any], compiled: CompiledTemplate) -> list[Violation]:
    if missing := [path for path in compiled.missing(filled) if not is_member_path(path)]:
        return [
            Violation(f"{_FIELD}.{path}", "has no value", Reason.TEMPLATE_VARIABLE_INVALID)
            for path in missing
        ]
    invalid = {path: what for path, what in compiled.invalid(filled).items() if not is_member_path(path)}
    if invalid:
        return [
            Violation(f"{_FIELD}.{path}", problem, Reason.TEMPLATE_VARIABLE_INVALID)
            for path, problem in invalid.items()
        ]
    return []


def _made_up(compiled: CompiledTemplate) -> dict[str, Any]:
    """A member who has something for every variable of a template."""
    member: dict[str, Any] = {}
    for variable in compiled.variables:
        if not is_member_path(variable.name):
            continue
        *way, last = variable.name.replace("[", ".").split(".")[1:] or [""]
        place = member
        for name in way:
            inner = place.setdefault(name, {})
            place = inner if isinstance(inner, dict) else {}
        place.setdefault(last, _MADE_UP.get(str(getattr(variable, "type", "")), ""))
    return member
