"""The PERCENT syntax: `%name%` and `%%system_name%%` in otherwise literal text.

One pass, left to right. A place is a variable when its name is known: declared by the template, discovered
when it was saved, or supplied by the caller. Everything else is literal, and does not swallow the `%` it ends
with: `width:100%;height:50%` stays as it is. Values are never read again, so that `%b%` in the value of `a`
stays `%b%`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

NAME = r"[A-Za-z_][A-Za-z0-9_.-]{0,63}"
SYSTEM_NAMES = frozenset({"user_defined_unsubscribe_link"})

_NAME = re.compile(NAME)
_CANDIDATE = re.compile(rf"%(?:%({NAME})%%|({NAME})%)")
_EVERY_CANDIDATE = re.compile(rf"(?=%({NAME})%)")
_HEX_PAIR = re.compile(r"[0-9A-Fa-f]{2}")
_OCTET = re.compile(r"%[0-9A-Fa-f]{2}")


class Place(NamedTuple):
    """One variable in a text. `key` is what its value goes by: the name, or `%%name%%` for the system's."""

    start: int
    end: int
    key: str


def is_name(text: str) -> bool:
    """Tells whether `text` can be the name of a variable."""
    return _NAME.fullmatch(text) is not None


def system_key(name: str) -> str:
    """The key of a system variable. No caller's parameter can have it: names hold no percent sign."""
    return f"%%{name}%%"


def discover(
    text: str, *, system_names: Collection[str] = SYSTEM_NAMES, literal: Collection[str] = ()
) -> tuple[str, ...]:
    """The names that a text uses, in order of appearance, each once. `literal` names are passed over.

    Percent-encoded octets of a URL are no variables: names of exactly two hex digits are left out, and names
    that begin with two hex digits directly after another octet (`?q=%E4%BD%A0` has none).
    """
    names: dict[str, None] = {}
    at = consumed = 0
    while found := _CANDIDATE.search(text, at):
        start = found.start()
        system, name = found.groups()
        if system in system_names:
            at = consumed = found.end()
        elif name is None or name in literal or _is_octet(text, start, name, consumed):
            at = start + 1
        else:
            names[name] = None
            at = consumed = found.end()
    return tuple(names)


def _is_octet(text: str, start: int, name: str, consumed: int) -> bool:
    if not _HEX_PAIR.match(name):
        return False
    return len(name) == 2 or (start - 3 >= consumed and _OCTET.match(text, start - 3) is not None)


def candidates(text: str) -> frozenset[str]:
    """Every name that could be a variable of this text if somebody supplied it."""
    return frozenset(_EVERY_CANDIDATE.findall(text)) if "%" in text else frozenset()


def places(text: str, names: Collection[str], system_names: Collection[str] = SYSTEM_NAMES) -> list[Place]:
    """Where the known variables stand, from left to right."""
    found_places: list[Place] = []
    at = 0
    while found := _CANDIDATE.search(text, at):
        system, name = found.groups()
        if name in names:
            found_places.append(Place(found.start(), found.end(), name))
        elif system in system_names:
            found_places.append(Place(found.start(), found.end(), system_key(system)))
        else:
            at = found.start() + 1
            continue
        at = found.end()
    return found_places


class Compiled:
    """A text cut at its variables, ready to be rendered many times."""

    __slots__ = (
        "_known",
        "_literal",
        "_maybe",
        "_pieces",
        "_system_names",
        "_text",
        "keys",
        "literal_length",
        "literal_octets",
    )

    def __init__(self, pieces: Sequence[str], keys: Sequence[str]) -> None:
        """Takes literal text at even places and anything at odd ones, where the values of `keys` go."""
        self._pieces = list(pieces)
        self.keys = tuple(keys)
        self.literal_length = sum(map(len, pieces[::2]))
        self.literal_octets = sum(len(piece.encode(errors="replace")) for piece in pieces[::2])
        self._text = ""
        self._known: Collection[str] = ()
        self._literal: Collection[str] = ()
        self._system_names: Collection[str] = ()
        self._maybe: frozenset[str] = frozenset()

    def render(self, values: Mapping[str, str]) -> str:
        """The text with each variable replaced by its value, once. Raises KeyError when one is absent.

        A value for a name that stands in the text but was not known when it was compiled makes it a variable
        of this rendering.
        """
        if self._maybe and not self._maybe.isdisjoint(values):
            supplied = {*self._known, *(name for name in self._maybe if name in values)}
            return compile(self._text, supplied, self._system_names, literal=self._literal).render(values)
        pieces = self._pieces.copy()
        pieces[1::2] = map(values.__getitem__, self.keys)
        return "".join(pieces)


def cut(text: str, found: Sequence[Place]) -> Compiled:
    """Cuts `text` at these places."""
    pieces: list[str] = []
    at = 0
    for place in found:
        pieces += (text[at : place.start], "")
        at = place.end
    return Compiled([*pieces, text[at:]], [place.key for place in found])


def compile(  # noqa: A001 - the word of the trade, always used as percent.compile
    text: str,
    names: Collection[str],
    system_names: Collection[str] = SYSTEM_NAMES,
    *,
    literal: Collection[str] = (),
) -> Compiled:
    """Cuts `text` at the variables of these names. `literal` names stay literal even when supplied."""
    compiled = cut(text, places(text, names, system_names))
    compiled._text = text
    compiled._known = frozenset(names)
    compiled._literal = frozenset(literal)
    compiled._system_names = system_names
    compiled._maybe = candidates(text).difference(names, literal)
    return compiled
