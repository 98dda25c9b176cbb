"""A member of an audience as templates read them: `member.` and a name, in both syntaxes.

What templates read is one object: the attributes that the directory keeps of somebody, and over them
`user_id`, `address` and `language`. PERCENT knows names with dots, LIQUID objects: a mapping has both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

NAME = "member"
OWN_NAMES = ("user_id", "address", "language")  # ours; an attribute of the same name is not read

_FIRST = re.compile(r"member(?:\.([^.\[\]]+)|\[)?")
_NO_END = 16  # levels; attributes nest no deeper


def is_member_path(path: str) -> bool:
    """Whether a variable is the member's, and not the caller's to give."""
    return path == NAME or path.startswith(("member.", "member["))


def names_in(paths: Iterable[str]) -> frozenset[str] | None:
    """What of a member these variables read: names of the first level; None: perhaps all of it."""
    names: set[str] = set()
    for path in filter(is_member_path, paths):
        found = _FIRST.match(path)
        if found is None or found[1] is None:
            return None
        # Attributes may have dots in their names: `member.a.b` is `b` of `a`, or `a.b`.
        names.update(_prefixes(path.removeprefix("member.").partition("[")[0]))
    return frozenset(names)


def with_member(params: Mapping[str, object], member: Mapping[str, object] | None) -> Mapping[str, object]:
    """The parameters that a copy is rendered with: the member's own beside the caller's, and never theirs."""
    if member is None:
        return params
    return {**params, **dict(_flat(NAME, member, 0)), NAME: member}


def _prefixes(path: str) -> Iterator[str]:
    end = 0
    while (end := path.find(".", end + 1)) > 0:
        yield path[:end]
    yield path


def _flat(prefix: str, values: Mapping[str, object], level: int) -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict) and level < _NO_END:
            yield from _flat(f"{prefix}.{name}", value, level + 1)
    # Behind what is nested, for of two that go by the same name the shorter way counts.
    for name, value in values.items():
        yield f"{prefix}.{name}", value
