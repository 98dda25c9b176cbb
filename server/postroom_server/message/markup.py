"""Cuts HTML into tokens with their places, as browsers do (WHATWG HTML §13.2.5, as far as mail needs it).

Our own rather than html.parser, because where a placeholder stands must be known to the character (is that
value quoted?), and because html.parser reads broken markup differently from one Python release to the next,
while the same mail must be the same bytes everywhere.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import NamedTuple


class Kind(enum.Enum):
    """What a token is."""

    TEXT = enum.auto()  # entities not yet decoded
    START = enum.auto()
    END = enum.auto()
    RAW = enum.auto()  # the content of an element that holds no markup, such as style
    COMMENT = enum.auto()  # also doctypes and processing instructions
    BROKEN = enum.auto()  # a tag that never ends: browsers drop it with all that follows


class Attribute(NamedTuple):
    """One attribute. `start` and `end` are the place of its value in the page, quotes left out."""

    name: str
    value: str
    quote: str
    start: int
    end: int


class Token(NamedTuple):
    """A piece of the page. `name` is the element's for START, END and RAW, in lower case."""

    kind: Kind
    name: str
    start: int
    end: int
    attributes: tuple[Attribute, ...] = ()


# Up to what may be a tag or a comment: a "<" before anything else is text (HTML §13.2.5.6).
_TEXT = re.compile(r"(?:[^<]++|<(?![A-Za-z/!?]))++")
_UNFINISHED = re.compile(r"</?\Z")
_TAG_NAME = re.compile(r"</?([A-Za-z][^\t\n\f\r />]*+)")
_ATTRIBUTE = re.compile(
    r"""[\t\n\f\r /]*+(?:(?P<end>>)|(?P<name>[^\t\n\f\r />][^\t\n\f\r />=]*+)"""
    r"""(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'"""
    r"""|(?P<unclosed>["'])|(?P<bare>[^\t\n\f\r >]*+)))?+)"""
)
_COMMENT_END = re.compile(r"--!?>")
_CONDITIONAL = re.compile(r"<!--\[if[^\]]*\]>(?P<inner>.*)<!\[endif\]-->\Z", re.DOTALL | re.IGNORECASE)

_RAW_ELEMENTS = frozenset({"script", "style", "xmp", "iframe", "noembed", "noframes"})
_TEXT_ELEMENTS = frozenset({"textarea", "title"})
_RAW_END = {
    name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE | re.ASCII)
    for name in _RAW_ELEMENTS | _TEXT_ELEMENTS
}


def tokens(page: str) -> Iterator[Token]:
    """The tokens of a page, in order, without gaps."""
    at, size = 0, len(page)
    while at < size:
        text = _TEXT.match(page, at)
        if text:
            yield Token(Kind.TEXT, "", at, text.end())
            at = text.end()
            continue
        token = _tag(page, at) or _declaration(page, at) or Token(Kind.TEXT, "", at, at + 1)
        yield token
        at = token.end
        if token.kind is Kind.START and token.name in _RAW_END:
            closing = _RAW_END[token.name].search(page, at)
            end = closing.start() if closing else size
            if end > at:
                kind = Kind.TEXT if token.name in _TEXT_ELEMENTS else Kind.RAW
                yield Token(kind, token.name, at, end)
            at = end


def walk(page: str) -> Iterator[Token]:
    """Like `tokens`, and inside conditional comments: Outlook reads `<!--[if mso]>…<![endif]-->` as HTML."""
    for token in tokens(page):
        inside = _CONDITIONAL.match(page, token.start, token.end) if token.kind is Kind.COMMENT else None
        if inside is None:
            yield token
            continue
        offset = inside.start("inner")
        for kind, name, start, end, attributes in tokens(inside["inner"]):
            moved = tuple(a._replace(start=a.start + offset, end=a.end + offset) for a in attributes)
            yield Token(kind, name, start + offset, end + offset, moved)


def is_whole(piece: str) -> bool:
    """Whether what comes behind a piece of a page reads as it would without the piece.

    Not behind an open tag or comment, a `<` that waits for its name, or an element that holds no markup.
    """
    if _UNFINISHED.search(piece):
        return False
    end = len(piece)
    return any(token.start == end and token.kind is Kind.START for token in tokens(f"{piece}<i>"))


def _tag(page: str, start: int) -> Token | None:
    named = _TAG_NAME.match(page, start)
    if not named:
        return None
    kind = Kind.END if page[start + 1] == "/" else Kind.START
    name = named[1].lower()
    attributes: list[Attribute] = []
    at = named.end()
    while found := _ATTRIBUTE.match(page, at):
        at = found.end()
        group = found.lastgroup
        if group == "end":
            return Token(kind, name, start, at, tuple(attributes))
        if group == "unclosed":
            break
        attributes.append(_attribute(found, group))
    return Token(Kind.BROKEN, name, start, len(page))


def _attribute(found: re.Match[str], group: str | None) -> Attribute:
    name = found["name"].lower()
    if group is None or group == "name":
        return Attribute(name, "", "", found.end(), found.end())
    quote = {"double": '"', "single": "'"}.get(group, "")
    return Attribute(name, found[group], quote, found.start(group), found.end(group))


def _declaration(page: str, start: int) -> Token | None:
    """Comments, and what browsers treat as comments: `<!…>`, `<?…>`, `</` before anything but a letter."""
    if page.startswith("<!--", start):
        if page.startswith((">", "->"), start + 4):
            end = page.index(">", start) + 1
        else:
            closing = _COMMENT_END.search(page, start + 4)
            end = closing.end() if closing else len(page)
        return Token(Kind.COMMENT, "", start, end)
    if page.startswith(("<!", "<?"), start) or (page.startswith("</", start) and start + 2 < len(page)):
        closing_at = page.find(">", start + 2)
        return Token(Kind.COMMENT, "", start, len(page) if closing_at < 0 else closing_at + 1)
    return None
