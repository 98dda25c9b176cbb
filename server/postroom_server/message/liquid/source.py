"""A look at a template's source before python-liquid reads it.

Its patterns look at an unclosed tag, or at white space in one, again and again: some kilobytes would keep
them busy for minutes. So every tag must be closed and short, in one pass over the text.
"""

from __future__ import annotations

import re

from postroom_server.message.liquid import limits

_OPENING = re.compile(r"\{\{|\{%")
_RAW = re.compile(r"\{%-?[ \t\r\n]*raw[ \t\r\n]*-?%\}")
_END_RAW = re.compile(r"\{%-?[ \t\r\n]*endraw[ \t\r\n]*-?%\}")
_NAME = re.compile(r"\{%-?[ \t\r\n]*(#|\w+)?")
_WHITE_SPACE = re.compile(rf"\s{{{limits.MAX_TAG_WHITE_SPACE + 1}}}")
_CONDITION = re.compile(r"\b(?:and|or)\b|[=<>!]|\bcontains\b")


class BadSource(ValueError):  # noqa: N818 - named after what was found
    """A template that is not read at all. `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"in line {line} {problem}")
        self.line = line
        self.problem = problem


def check(source: str) -> int:
    """Counts the tags of a source. Raises BadSource."""
    count = at = 0
    while opening := _OPENING.search(source, at):
        start = opening.start()
        count += 1
        raw = _RAW.match(source, start)
        if raw is not None:
            closing = _END_RAW.search(source, raw.end())
            if closing is None:
                raise BadSource(_line(source, start), "raw is never closed")
            at = closing.end()
        else:
            at = _behind(source, start, "}}" if source[start + 1] == "{" else "%}")
        if count > limits.MAX_TAGS:
            raise BadSource(_line(source, start), f"there are more than {limits.MAX_TAGS} tags")
    return count


def _behind(source: str, start: int, end: str) -> int:
    closing = source.find(end, start + 2, start + limits.MAX_TAG_CHARACTERS)
    if closing < 0:
        problem = f"a tag is not closed within {limits.MAX_TAG_CHARACTERS} characters"
        raise BadSource(_line(source, start), problem)
    tag = source[start : closing + 2]
    if wrong := _problem(tag):
        raise BadSource(_line(source, start), wrong)
    return closing + 2


def _problem(tag: str) -> str | None:
    if not tag[2:-2].strip("- \t\r\n"):
        return "a tag is empty"
    name = _NAME.match(tag)
    if name is not None and name[1] is None:
        return "a tag has no name"
    if name is not None and name[1] == "doc":
        return "there is no tag doc"
    if _WHITE_SPACE.search(tag):
        return f"a tag has more than {limits.MAX_TAG_WHITE_SPACE} spaces in a row"
    if tag.count("[") + tag.count("(") > limits.MAX_TAG_BRACKETS:
        return f"a tag has more than {limits.MAX_TAG_BRACKETS} brackets"
    if len(_CONDITION.findall(tag)) > limits.MAX_TAG_CONDITIONS:
        return f"a tag has more than {limits.MAX_TAG_CONDITIONS} conditions"
    return None


def _line(source: str, at: int) -> int:
    return source.count("\n", 0, at) + 1
