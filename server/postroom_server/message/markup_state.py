"""Where in a page one stands: what `markup.tokens` does to a whole page, done to pieces of one.

A template with conditions has no single page to cut into tokens. So a page is read as a browser reads it,
from one state to the next (WHATWG HTML §13.2.5, as far as mail needs it), and a piece of text leads from a
state to others. There may be several: Outlook reads what is inside a conditional comment, browsers do not.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import NamedTuple

# Of names and addresses only so much is remembered: it keeps the number of states finite.
_REMEMBERED = 48


class Mode(enum.Enum):
    """What the next character belongs to."""

    TEXT = enum.auto()
    OPENING = enum.auto()  # behind a "<" that may begin a tag; `tail` has what came behind it
    TAG_NAME = enum.auto()
    BETWEEN = enum.auto()  # in a tag, where an attribute may begin
    ATTRIBUTE_NAME = enum.auto()
    AFTER_NAME = enum.auto()  # white space behind an attribute's name: a "=" may follow
    BEFORE_VALUE = enum.auto()
    QUOTED = enum.auto()
    UNQUOTED = enum.auto()
    COMMENT = enum.auto()
    DECLARATION = enum.auto()  # what browsers treat as a comment up to the next ">"
    RAW = enum.auto()  # inside an element that holds no markup; `tail` is what may be its end tag
    PLAIN = enum.auto()  # inside a title or textarea: text, but no tags


IN_TAG = frozenset(
    {
        Mode.TAG_NAME,
        Mode.BETWEEN,
        Mode.ATTRIBUTE_NAME,
        Mode.AFTER_NAME,
        Mode.BEFORE_VALUE,
        Mode.QUOTED,
        Mode.UNQUOTED,
    }
)


class State(NamedTuple):
    """One place in a page. `written` is how an attribute's value begins, None once a value stood in it."""

    mode: Mode = Mode.TEXT
    element: str = ""
    is_end_tag: bool = False
    attribute: str = ""
    quote: str = ""
    written: str | None = ""
    tail: str = ""


START = State()

_SPACE = "\t\n\f\r "
_RAW_ELEMENTS = frozenset({"script", "style", "xmp", "iframe", "noembed", "noframes"})
_PLAIN_ELEMENTS = frozenset({"textarea", "title"})
_LETTER = re.compile(r"[A-Za-z]")
_NAME_END = re.compile(r"[\t\n\f\r />]")
_ATTRIBUTE_END = re.compile(r"[\t\n\f\r />=]")
_NOT_BETWEEN = re.compile(r"[^\t\n\f\r /]")
_NOT_SPACE = re.compile(r"[^\t\n\f\r ]")
_UNQUOTED_END = re.compile(r"[\t\n\f\r >]")
_COMMENT_END = re.compile(r"--!?>")
# Up to what may be a tag or a comment: a "<" before anything else is text (HTML §13.2.5.6).
_MAY_OPEN = re.compile(r"<(?=[A-Za-z/!?]|\Z)")
# Attributes that begin and end in one piece need no states of their own.
_WHOLE_ATTRIBUTES = re.compile(
    r"""(?:[\t\n\f\r /]*+[^\t\n\f\r />][^\t\n\f\r />=]*+"""
    r"""(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"[^"]*+"|'[^']*+'|[^\t\n\f\r >"'][^\t\n\f\r >]*+(?=[\t\n\f\r >]))"""
    r"""|(?=[\t\n\f\r ]*+[^\t\n\f\r =])))*+"""
)
_CONDITION = re.compile(r"\[if[^\]]*\]>", re.IGNORECASE)


def after(states: Iterable[State], text: str) -> frozenset[State]:
    """The states behind a piece of literal text."""
    found: set[State] = set()
    for state in states:
        found |= _read(state, text)
    return frozenset(found)


def after_value(states: Iterable[State]) -> frozenset[State]:
    """The states behind an escaped value: it holds no `<`, `>` or quote, and may be empty."""
    found: set[State] = set()
    for state in states:
        if state.mode is Mode.COMMENT:
            # A value may end with dashes.
            found |= {state._replace(tail=tail) for tail in ("", "-", "--", "--!", state.tail)}
        elif state.mode is Mode.QUOTED:
            found.add(state._replace(written=None))
        else:
            found.add(state)
    return frozenset(found)


def _read(state: State, text: str) -> set[State]:
    """Reads a piece of text from one state. More than one state only where a conditional comment begins."""
    found: set[State] = set()
    waiting = [(state, 0)]
    seen: set[tuple[State, int]] = set()
    while waiting:
        state, at = waiting.pop()
        while at < len(text):
            if state.mode is Mode.COMMENT and state.tail == "<!--":
                condition = _CONDITION.match(text, at)
                if condition is not None and (START, condition.end()) not in seen:
                    # Read by Outlook: as if the comment were not there.
                    seen.add((START, condition.end()))
                    waiting.append((START, condition.end()))
            state, at = _READERS[state.mode](state, text, at)
        found.add(state)
    return found


def _text(state: State, text: str, at: int) -> tuple[State, int]:
    found = _MAY_OPEN.search(text, at)
    if found is None:
        return state, len(text)
    return State(Mode.OPENING, tail="<"), found.end()


def _opening(state: State, text: str, at: int) -> tuple[State, int]:
    """Behind `<`, `</`, `<!` or `<!-`, which may be the end of an earlier piece."""
    character, tail = text[at], state.tail
    if tail == "<":
        if _LETTER.match(character):
            return State(Mode.TAG_NAME), at
        if character in "/!":
            return state._replace(tail=f"<{character}"), at + 1
        return (State(Mode.DECLARATION), at + 1) if character == "?" else (START, at)
    if tail == "</":
        if _LETTER.match(character):
            return State(Mode.TAG_NAME, is_end_tag=True), at
        return State(Mode.DECLARATION), at
    if tail == "<!" and character == "-":
        return state._replace(tail="<!-"), at + 1
    if tail == "<!-" and character == "-":
        return State(Mode.COMMENT, tail="<!--"), at + 1
    return State(Mode.DECLARATION), at


def _tag_name(state: State, text: str, at: int) -> tuple[State, int]:
    name, at, is_over = _up_to(_NAME_END, text, at)
    state = state._replace(element=f"{state.element}{name}".lower()[:_REMEMBERED])
    return (state._replace(mode=Mode.BETWEEN) if is_over else state), at


def _between(state: State, text: str, at: int) -> tuple[State, int]:
    whole = _WHOLE_ATTRIBUTES.match(text, at)
    found = _NOT_BETWEEN.search(text, whole.end() if whole else at)
    if found is None:
        return state, len(text)
    if found[0] == ">":
        return _behind_tag(state), found.end()
    # Its first character may be anything, even "=".
    return state._replace(mode=Mode.ATTRIBUTE_NAME, attribute=found[0].lower()), found.end()


def _attribute_name(state: State, text: str, at: int) -> tuple[State, int]:
    name, at, is_over = _up_to(_ATTRIBUTE_END, text, at)
    state = state._replace(attribute=f"{state.attribute}{name}".lower()[:_REMEMBERED])
    return (state._replace(mode=Mode.AFTER_NAME) if is_over else state), at


def _after_name(state: State, text: str, at: int) -> tuple[State, int]:
    found = _NOT_SPACE.search(text, at)
    if found is None:
        return state, len(text)
    if found[0] == "=":
        return state._replace(mode=Mode.BEFORE_VALUE, written=""), found.end()
    return state._replace(mode=Mode.BETWEEN, attribute=""), found.start()


def _before_value(state: State, text: str, at: int) -> tuple[State, int]:
    found = _NOT_SPACE.search(text, at)
    if found is None:
        return state, len(text)
    if found[0] in "\"'":
        return state._replace(mode=Mode.QUOTED, quote=found[0]), found.end()
    return state._replace(mode=Mode.UNQUOTED), found.start()


def _quoted(state: State, text: str, at: int) -> tuple[State, int]:
    found = text.find(state.quote, at)
    if found >= 0:
        return state._replace(mode=Mode.BETWEEN, attribute="", quote="", written=""), found + 1
    if state.written is not None:
        state = state._replace(written=f"{state.written}{text[at : at + _REMEMBERED]}"[:_REMEMBERED])
    return state, len(text)


def _unquoted(state: State, text: str, at: int) -> tuple[State, int]:
    found = _UNQUOTED_END.search(text, at)
    if found is None:
        return state, len(text)
    return state._replace(mode=Mode.BETWEEN, attribute="", written=""), found.start()


def _comment(state: State, text: str, at: int) -> tuple[State, int]:
    if state.tail.startswith("<!--"):
        # "<!-->" and "<!--->" are whole comments.
        begun = state.tail.removeprefix("<!--")
        if text[at] == ">":
            return START, at + 1
        if text[at] == "-" and not begun:
            return state._replace(tail="<!---"), at + 1
        state = state._replace(tail=begun)
    joined = state.tail + text[at:]
    found = _COMMENT_END.search(joined)
    if found is not None:
        return START, at + found.end() - len(state.tail)
    tail = next((tail for tail in ("--!", "--", "-") if joined.endswith(tail)), "")
    return state._replace(tail=tail), len(text)


def _declaration(state: State, text: str, at: int) -> tuple[State, int]:
    found = text.find(">", at)
    return (state, len(text)) if found < 0 else (START, found + 1)


def _raw(state: State, text: str, at: int) -> tuple[State, int]:
    """Inside an element that only its own end tag ends."""
    joined = state.tail + text[at:]
    closing = f"</{state.element}"
    lowered = _ascii_lower(joined)
    begin = 0
    while (found := lowered.find(closing, begin)) >= 0:
        end = found + len(closing)
        if end == len(joined):
            return state._replace(tail=joined[found:]), len(text)
        if _NAME_END.match(joined, end):
            return State(Mode.BETWEEN, element=state.element, is_end_tag=True), at + end - len(state.tail)
        begin = found + 1
    longest = min(len(closing) - 1, len(joined))
    tail = next((joined[-n:] for n in range(longest, 0, -1) if closing.startswith(lowered[-n:])), "")
    return state._replace(tail=tail), len(text)


def _ascii_lower(text: str) -> str:
    """Lower case of A-Z alone, so that every character keeps its place."""
    return text.translate(_LOWER)


_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _behind_tag(state: State) -> State:
    if not state.is_end_tag:
        if state.element in _RAW_ELEMENTS:
            return State(Mode.RAW, element=state.element)
        if state.element in _PLAIN_ELEMENTS:
            return State(Mode.PLAIN, element=state.element)
    return START


def _up_to(end: re.Pattern[str], text: str, at: int) -> tuple[str, int, bool]:
    """What comes before the next match, its end, and whether there is a match."""
    found = end.search(text, at)
    if found is None:
        return text[at : at + _REMEMBERED], len(text), False
    return text[at : min(found.start(), at + _REMEMBERED)], found.start(), True


_READERS = {
    Mode.TEXT: _text,
    Mode.OPENING: _opening,
    Mode.TAG_NAME: _tag_name,
    Mode.BETWEEN: _between,
    Mode.ATTRIBUTE_NAME: _attribute_name,
    Mode.AFTER_NAME: _after_name,
    Mode.BEFORE_VALUE: _before_value,
    Mode.QUOTED: _quoted,
    Mode.UNQUOTED: _unquoted,
    Mode.COMMENT: _comment,
    Mode.DECLARATION: _declaration,
    Mode.RAW: _raw,
    Mode.PLAIN: _raw,
}
