"""Where variables may stand in HTML: checked when a template is saved (security.md B3).

Escaping keeps a value inside text and inside a quoted attribute. Nothing keeps it inside an unquoted
attribute, a script, a style sheet, or the name of a tag; so a variable there is refused.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection

from postroom_server.message import markup, percent
from postroom_server.message.links import URL_ATTRIBUTES, is_settled, refuses_values, unsafe_scheme
from postroom_server.message.markup import Attribute, Kind, Token

_OPENING = re.compile(r"<[/!?]?-?\Z")


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """A variable in a place where its value could not be held. `line` counts from 1, in the part `field`."""

    name: str
    line: int
    description: str
    field: str = "html"

    def __str__(self) -> str:
        return f"%{self.name}% in line {self.line} {self.description}"


def check_placement(
    html: str,
    names: Collection[str],
    *,
    raw: Collection[str] = (),
    system_names: Collection[str] = percent.SYSTEM_NAMES,
) -> list[Problem]:
    """Lists the variables of a page that stand where they may not. `raw` names are those not escaped."""
    problems: list[Problem] = []
    if "%" not in html:
        return problems
    line, counted = 1, 0
    for token in markup.walk(html):
        for start, end, key in percent.places(html[token.start : token.end], names, system_names):
            name = key.strip("%")
            problem = _problem(html, token, token.start + start, token.start + end, is_raw=name in raw)
            if problem:
                line += html.count("\n", counted, token.start + start)
                counted = token.start + start
                problems.append(Problem(name, line, problem))
    return problems


def _problem(html: str, token: Token, start: int, end: int, *, is_raw: bool) -> str | None:
    if token.kind is Kind.RAW:
        return f"stands in <{token.name}>" if token.name in ("script", "style") else None
    if token.kind is Kind.BROKEN:
        return "stands in a tag that is never closed"
    if token.kind in (Kind.TEXT, Kind.COMMENT):
        # "<%name%>" is text here, and a tag as soon as the value is a word.
        before = html[max(token.start - 2, start - 3, 0) : start]
        return "stands where the name of a tag begins" if _OPENING.search(before) else None
    for attribute in token.attributes:
        if attribute.start <= start and end <= attribute.end:
            return _problem_in_value(html, token.name, attribute, start, is_raw=is_raw)
    return "stands in the name of a tag or an attribute"


def _problem_in_value(
    html: str, element: str, attribute: Attribute, start: int, *, is_raw: bool
) -> str | None:
    if not attribute.quote:
        return f"stands in the attribute {attribute.name} without quotes"
    written = html[attribute.start : start]
    is_code = attribute.name.startswith("on") or attribute.name == "srcdoc"
    if is_code or refuses_values(element, attribute.name, written):
        return f"stands in the attribute {attribute.name}"
    if is_raw:
        return f"is raw and stands in the attribute {attribute.name}"
    if attribute.name in URL_ATTRIBUTES and not is_settled(written):
        scheme = unsafe_scheme(written)
        if scheme:
            return f"stands in an address that begins with {scheme}:"
    return None
