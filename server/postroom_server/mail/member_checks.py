"""What may be stored of a member: the contract's limits, and one spelling for what has several."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from postroom_server.mail.form_checks import Findings
from postroom_server.mail.member_form import CODES, IDS, CheckedMember, MemberForm
from postroom_server.message.unsafe import check_text
from postroom_server.refusals import refuse_all

MOST_OBJECTS = 500  # of each kind
CODE_CHARACTERS = 80
ATTRIBUTES_BYTES = 16 * 1024  # as JSON
_DEPTH = 16  # as deep as template parameters
# Of one list; a thousand members with thousands of violations each would be told of to nobody.
_MOST_TOLD = 50
_LARGEST_ID = (1 << 63) - 1
# Doubles hold every integer up to here, so that one that came as 42.0 was meant as 42.
_EXACT = 2**53
_NAME_CHARACTERS = 80  # of an attribute's name in a path
_BREAKS = str.maketrans("", "", "\t\n\r")


def check(form: MemberForm) -> CheckedMember:
    """Refuses everything that is wrong with a member at once. Paths begin at the member."""
    found = Findings()
    if not 0 < form.user_id <= _LARGEST_ID:
        found.add("user_id", "must be a positive number of 64 bits")
    if not form.address:
        found.add("address", "is required")
    address = found.address("address", form.address)
    language = found.language("language", form.language)
    memberships: set[tuple[str, str]] = set()
    for field, kind in IDS.items():
        memberships.update((kind, key) for key in _ids(found, field, getattr(form, field)))
    for field, kind in CODES.items():
        memberships.update((kind, key) for key in _codes(found, field, getattr(form, field)))
    attributes = _attributes(found, form.attributes) if form.attributes else "{}"
    refuse_all(found.violations)
    return CheckedMember(
        form.user_id, address, language or None, form.enabled, attributes, frozenset(memberships)
    )


def _ids(found: Findings, field: str, ids: Sequence[int]) -> list[str]:
    if _are_too_many(found, field, ids):
        return []
    wrong = [place for place, number in enumerate(ids) if not 0 < number <= _LARGEST_ID]
    for place in wrong[:_MOST_TOLD]:
        found.add(f"{field}[{place}]", "must be a positive number of 64 bits")
    _tell_more(found, field, wrong)
    return list(map(str, ids))


def _codes(found: Findings, field: str, codes: Sequence[str]) -> Sequence[str]:
    if _are_too_many(found, field, codes):
        return []
    wrong = [place for place, code in enumerate(codes) if not _is_code(code)]
    for place in wrong[:_MOST_TOLD]:
        found.line(f"{field}[{place}]", codes[place], most=CODE_CHARACTERS, least=1)
    _tell_more(found, field, wrong)
    return codes


def _is_code(code: str) -> bool:
    return len(code) <= CODE_CHARACTERS and bool(code.strip()) and not check_text(code)


def _tell_more(found: Findings, field: str, wrong: Sequence[int]) -> None:
    if len(wrong) > _MOST_TOLD:
        found.add(field, f"{len(wrong) - _MOST_TOLD} more of these are wrong")


def _are_too_many(found: Findings, field: str, objects: Sequence[object]) -> bool:
    if len(objects) > MOST_OBJECTS:
        # The single ones are not looked at: that would be work without bounds.
        found.add(field, f"{len(objects)} are given; at most {MOST_OBJECTS}")
    return len(objects) > MOST_OBJECTS


def _attributes(found: Findings, attributes: Mapping[str, Any]) -> str:
    plain = {}
    for name, value in attributes.items():
        field = f"attributes.{name[:_NAME_CHARACTERS]}"
        if problem := _problem_of_name(name):
            found.add("attributes" if not name else field, problem)
            continue
        try:
            plain[name] = _plain(value, _DEPTH)
        except ValueError as error:
            found.add(field, str(error))
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    size = len(text.encode("utf-8", "replace"))
    if size > ATTRIBUTES_BYTES:
        found.add("attributes", f"{size} bytes as JSON; at most {ATTRIBUTES_BYTES}")
    return text


def _plain(value: Any, levels: int) -> Any:
    """The value with integral doubles as integers. Raises ValueError for what is not stored."""
    if isinstance(value, str):
        if problem := _problem_of_text(value):
            raise ValueError(problem)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("holds a number that is not finite")
        if value.is_integer() and abs(value) <= _EXACT:
            return int(value)
    elif isinstance(value, Mapping | list | tuple):
        if not levels:
            raise ValueError(f"is nested deeper than {_DEPTH} levels")
        if not isinstance(value, Mapping):
            return [_plain(each, levels - 1) for each in value]
        for name in value:
            if problem := _problem_of_name(name):
                raise ValueError(f"holds a name that {problem}")
        return {name: _plain(each, levels - 1) for name, each in value.items()}
    return value


def _problem_of_name(name: str) -> str | None:
    return check_text(name) if name else "is empty"


def _problem_of_text(text: str) -> str | None:
    """An attribute may have lines and tabs, for a body; what else is a control character nobody means."""
    if text.isprintable():
        return None
    return check_text(text.translate(_BREAKS))
