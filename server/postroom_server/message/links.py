"""Where an address in HTML may lead: the rendered href or src is http, https or mailto (security.md B3).

`cid:` is allowed for inline images, and so is an address without a scheme, such as `#top`. A scheme that the
template's author wrote out before the first placeholder may also be `tel:` or `sms:`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from postroom_server.message import markup
from postroom_server.message.markup import Kind

URL_ATTRIBUTES = frozenset(
    {
        "href", "src", "action", "formaction", "background", "poster", "data", "xlink:href",
        "srcset", "ping", "cite", "longdesc", "lowsrc", "dynsrc", "codebase",
    }
)  # fmt: skip
# What SVG writes into other attributes, addresses among them.
_ANIMATIONS = frozenset({"animate", "animatecolor", "animatemotion", "animatetransform", "set"})
_ANIMATED = frozenset({"to", "from", "by", "values"})

_SCHEMES = frozenset({"http", "https", "mailto", "cid"})
_WRITTEN_SCHEMES = _SCHEMES | {"tel", "sms"}
_USUAL_START = ("https://", "http://", "mailto:")
# Browsers skip these in front of an address, and tabs and line ends anywhere in it (WHATWG URL §4.4).
_SKIPPED = re.compile("[\x00-\x20\x7f-\xa0\u2000-\u200f\u2028\u2029\ufeff]+")
_REFRESH = re.compile(r"[^;,]*[;,]\s*(?:url\s*=)?\s*[\"']?(.*)", re.IGNORECASE | re.DOTALL)
_SETTLED = re.compile(r"([^:/?#&]*)([:/?#])")


def unsafe_scheme(address: str) -> str | None:
    """The scheme of an address, when it is one that is not allowed. Entities must be decoded before."""
    if address.startswith(_USUAL_START):
        return None
    scheme, colon, _ = re.split(r"[/?#]", _SKIPPED.sub("", address), maxsplit=1)[0].partition(":")
    return scheme if colon and scheme.lower() not in _SCHEMES else None


def is_settled(start: str) -> bool:
    """Tells whether the literal beginning of an attribute, as written in the page, decides its scheme well.

    `https://x.example/?q=` does. `` and `java` do not, nor does `&`, after which a value could complete an
    entity.
    """
    found = _SETTLED.match(start)
    if found is None:
        return False
    return found[2] != ":" or found[1].lower() in _WRITTEN_SCHEMES


def refuses_values(element: str, attribute: str, written: str | None) -> bool:
    """Tells whether an attribute is no place for values. `written` is what it begins with before the value.

    A style sheet's grammar is not HTML's. An animation sets other attributes. The content of a meta element
    leads elsewhere when it begins with a number (HTML §4.2.5.3).
    """
    if attribute == "style":
        return True
    if element == "meta" and attribute == "content":
        return written is not None and not written.lstrip()[:1].isalpha()
    return element in _ANIMATIONS and attribute in _ANIMATED


def addresses(page: str) -> Iterator[markup.Attribute]:
    """The attributes of a page that hold addresses."""
    for token in markup.walk(page):
        if token.kind is Kind.START:
            for attribute in token.attributes:
                if attribute.name in URL_ATTRIBUTES:
                    yield attribute


def first_unsafe(page: str) -> str | None:
    """The scheme of the first address in a rendered page that leads where it may not, or None."""
    for token in markup.walk(page):
        if token.kind is Kind.START:
            for attribute in token.attributes:
                for address in _addresses_in(token.name, attribute):
                    scheme = unsafe_scheme(address)
                    if scheme is not None:
                        return scheme
    return None


def _addresses_in(element: str, attribute: markup.Attribute) -> list[str]:
    if attribute.name in URL_ATTRIBUTES:
        return [html.unescape(attribute.value)]
    if element in _ANIMATIONS and attribute.name in _ANIMATED:
        return html.unescape(attribute.value).split(";")
    if element == "meta" and attribute.name == "content":
        value = html.unescape(attribute.value)
        found = None if value.lstrip()[:1].isalpha() else _REFRESH.match(value)
        return [found[1]] if found else []
    return []
