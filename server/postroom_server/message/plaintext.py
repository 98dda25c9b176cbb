"""The text part that is derived from HTML: readable, and with `%name%` placeholders left as they are."""

from __future__ import annotations

import html
import re

from postroom_server.message import markup
from postroom_server.message.markup import Kind, Token

_SKIPPED = frozenset({"head", "script", "style", "template", "title", "textarea", "select", "svg", "object"})
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
# How many line ends an element keeps around itself: two make an empty line.
# fmt: off
_ONE_BREAK = (
    "address", "article", "aside", "body", "caption", "center", "dd", "div", "dt", "fieldset", "figcaption",
    "footer", "form", "header", "li", "main", "nav", "section", "tbody", "tfoot", "thead", "tr",
)
_TWO_BREAKS = (
    "blockquote", "dl", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "table", "ul",
)
# fmt: on
_BREAKS = {**dict.fromkeys(_ONE_BREAK, 1), **dict.fromkeys(_TWO_BREAKS, 2)}
_SPACE = re.compile(r"[ \t\n\f\r]+")
_HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|mso-hide\s*:\s*all)", re.IGNORECASE)
_NO_TARGET = re.compile(r"#|(?:javascript|vbscript|data|cid):", re.IGNORECASE)
_RULE = "-" * 40
# Quotations and lists in one another are shown this deep. Nobody reads deeper ones, and every line would bear
# the marks of all: a page of a megabyte would make gigabytes.
_MOST_LEVELS = 8


def text_from_html(page: str) -> str:
    """Writes a page as plain text.

    Links become `text <address>`, list items get a bullet or their number, table cells are two spaces apart
    and rows are lines, images are their alt text, quotations are marked with `>`. Quotations and lists are
    shown eight deep. Hidden elements are left out. Lines end with a line feed and are not wrapped; there is
    none at the end.
    """
    writer = _Writer()
    for token in markup.tokens(page):
        if token.kind is Kind.TEXT:
            writer.text(html.unescape(page[token.start : token.end]))
        elif token.kind is Kind.RAW:
            pass  # style sheets, scripts and fallbacks for old browsers
        elif token.kind is Kind.START:
            writer.start(token)
        elif token.kind is Kind.END:
            writer.end(token.name)
    return writer.finish()


def closed_up(text: str) -> str:
    """The text without blanks at the ends of lines, and at most one empty line in a row, none outside."""
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


class _Writer:
    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._breaks = 0  # line ends owed before the next text
        self._space = ""  # what separates the next text from this line's
        self._skipping = ""
        self._skip_depth = 0
        self._preformatted = 0
        self._quotes = 0
        self._lists: list[int | None] = []  # the last number of each open list, None where bullets are used
        self._bullet = ""
        self._links: list[tuple[str, list[str]]] = []

    def start(self, token: Token) -> None:
        name = token.name
        if self._skipping:
            self._skip_depth += name == self._skipping
            if not (self._skipping == "head" and name == "body"):
                return
            self._skipping = ""  # a head that nobody closed ends where the body begins
        attributes = {a.name: html.unescape(a.value) for a in reversed(token.attributes)}
        if name not in _VOID and (name in _SKIPPED or _is_hidden(attributes)):
            self._skipping, self._skip_depth = name, 1
            return
        self._break(name)
        if name == "br":
            self._end_line()
        elif name == "hr":
            self._write(_RULE)
            self._break(name)
        elif name == "img":
            self.text(attributes.get("alt", ""))
        elif name == "a":
            self._end_link()
            self._links.append((attributes.get("href", "").strip(), []))
        elif name in ("td", "th"):
            self._space = "  "
        elif name == "li":
            self._item()
        elif name in ("ul", "ol"):
            self._lists.append(0 if name == "ol" else None)
        elif name == "blockquote":
            self._quotes += 1
        elif name == "pre":
            self._preformatted += 1

    def end(self, name: str) -> None:
        if self._skipping:
            self._skip_depth -= name == self._skipping
            if self._skip_depth == 0:
                self._skipping = ""
            return
        if name == "a":
            self._end_link()
        if name in ("ul", "ol") and self._lists:
            self._lists.pop()
        self._break(name)
        if name == "blockquote":
            self._quotes = max(0, self._quotes - 1)
        elif name == "pre":
            self._preformatted = max(0, self._preformatted - 1)

    def text(self, text: str) -> None:
        if self._skipping:
            return
        if self._preformatted:
            first, *others = text.replace("\r\n", "\n").split("\n")
            self._write(first)
            for line in others:
                self._end_line()
                self._write(line)
            return
        words = _SPACE.sub(" ", text)
        if words.startswith(" "):
            self._space = self._space or " "
        if words.strip(" "):
            self._write(words.strip(" "))
            self._space = " " if words.endswith(" ") else ""

    def finish(self) -> str:
        self._end_link()
        self._flush()
        return closed_up("\n".join(line.replace("\xa0", " ") for line in self._lines))

    def _write(self, text: str) -> None:
        if not text:
            return
        if self._breaks:
            self._flush()
            if self._breaks == 2 and self._lines:
                self._lines.append(self._prefix().rstrip() if self._lines[-1].startswith(">") else "")
            self._breaks = 0
        if self._line:
            self._line.append(self._space)
        else:
            self._line += (self._prefix(), self._bullet)
            self._bullet = ""
        self._space = ""
        self._line.append(text)
        for _, label in self._links:
            label.append(text)

    def _prefix(self) -> str:
        # A line that begins with a bullet stands one level further out than those that follow it.
        quotes, lists = min(self._quotes, _MOST_LEVELS), min(len(self._lists), _MOST_LEVELS)
        return "> " * quotes + "  " * (lists - bool(self._bullet))

    def _break(self, name: str) -> None:
        wanted = _BREAKS.get(name, 0)
        if wanted == 2 and self._lists and name in ("ul", "ol", "p"):
            wanted = 1  # lists inside lists, and paragraphs inside items, stay together
        if wanted:
            self._breaks = max(self._breaks, wanted)
            self._space = ""

    def _flush(self) -> None:
        if self._line:
            self._end_line()

    def _end_line(self) -> None:
        self._lines.append("".join(self._line))
        self._line = []
        self._space = ""

    def _item(self) -> None:
        if not self._lists:
            self._bullet = ""
        elif self._lists[-1] is None:
            self._bullet = "- "
        else:
            self._lists[-1] += 1
            self._bullet = f"{self._lists[-1]}. "

    def _end_link(self) -> None:
        while self._links:
            address, label = self._links.pop()
            shown = " ".join(label)
            if address and not _NO_TARGET.match(address) and not _same(shown, address):
                after = self._space
                if shown:
                    self._space = " "
                self._write(f"<{address}>" if shown else address)
                self._space = after


def _is_hidden(attributes: dict[str, str]) -> bool:
    return "hidden" in attributes or _HIDDEN.search(attributes.get("style", "")) is not None


def _same(shown: str, address: str) -> bool:
    """Tells whether the text of a link already says its address."""
    plain = address.removeprefix("mailto:").removeprefix("tel:")
    without_scheme = re.sub(r"\Ahttps?://", "", plain).rstrip("/")
    return shown.rstrip("/") in (plain.rstrip("/"), without_scheme)
