"""The parts of a template cut at their variables: subject, HTML, text, and the links to look at."""

from __future__ import annotations

import dataclasses
import html as entities
from collections.abc import Collection

from postroom_server.message import links, percent
from postroom_server.message.percent import Compiled
from postroom_server.message.plaintext import text_from_html

_PRIVATE_USE = range(0xE000, 0xF900)


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """One cut of a template.

    `links` are the values of href, src and the like whose scheme a variable decides. `link_keys` are the
    variables that are all there is to an address. `text` is None when it must be derived from each rendered
    page.
    """

    subject: Compiled
    html: Compiled | None
    text: Compiled | None
    text_is_derived: bool
    links: tuple[Compiled, ...]
    link_keys: tuple[str, ...]


def cut(
    subject: str, html: str | None, text: str | None, names: Collection[str], system_names: Collection[str]
) -> Parts:
    """Cuts a template at the variables of these names."""
    checked: list[Compiled] = []
    link_keys: list[str] = []
    derived = not text and bool(html)
    if html:
        for attribute in links.addresses(html):
            found = percent.places(attribute.value, names, system_names)
            if not found:
                continue
            if found[0].start == 0 and found[0].end == len(attribute.value):
                link_keys.append(found[0].key)
            if not links.is_settled(attribute.value[: found[0].start]):
                checked.append(percent.cut(attribute.value, found))
    return Parts(
        subject=percent.cut(subject, percent.places(subject, names, system_names)),
        html=percent.cut(html, percent.places(html, names, system_names)) if html else None,
        text=_derive(html or "", percent.places(html or "", names, system_names))
        if derived
        else percent.cut(text or "", percent.places(text or "", names, system_names)),
        text_is_derived=derived,
        links=tuple(dict.fromkeys(checked)),
        link_keys=tuple(dict.fromkeys(link_keys)),
    )


def _derive(html: str, places: list[percent.Place]) -> Compiled | None:
    """The text template of a page: the page is read with a mark at each variable, and cut at the marks.

    Marks and not the placeholders themselves, because decoding could make new ones (`&#37;name%`). Values
    then go in plain, which gives what deriving from the rendered page would, but once per template rather
    than once per mail.
    """
    mark = next((chr(code) for code in _PRIVATE_USE if chr(code) not in entities.unescape(html)), None)
    if mark is None:
        return None
    # One number per variable, wherever it stands: a link whose text is its address is known by that.
    numbers = {key: str(number) for number, key in enumerate(dict.fromkeys(place.key for place in places))}
    keys = list(numbers)
    marked: list[str] = []
    at = 0
    for place in places:
        marked += (html[at : place.start], mark, numbers[place.key], mark)
        at = place.end
    pieces = text_from_html("".join([*marked, html[at:]])).split(mark)
    return Compiled(pieces, [keys[int(number)] for number in pieces[1::2]])
