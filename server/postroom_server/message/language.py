"""Language tags (BCP 47): one spelling, and the choice among the languages a template has."""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_LENGTH = 35

_TAG = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")


class InvalidLanguage(ValueError):  # noqa: N818 - named after what was found
    """Text that is not a language tag."""


def normalise(tag: str) -> str:
    """Brings a tag to its canonical case with hyphens: `ZH_cn` and `zh-CN` are both `zh-CN`.

    Case follows RFC 5646 §2.1.1: language small, script capitalised, region capital, all else small.
    """
    if len(tag) > MAX_LENGTH or not _TAG.fullmatch(tag):
        raise InvalidLanguage(f"{tag[:MAX_LENGTH]!r} is not a language tag")
    first, *others = tag.lower().replace("_", "-").split("-")
    subtags = [first]
    after_singleton = False
    for subtag in others:
        after_singleton = after_singleton or len(subtag) == 1
        if after_singleton or not subtag.isalpha():
            subtags.append(subtag)
        elif len(subtag) == 2:
            subtags.append(subtag.upper())
        elif len(subtag) == 4:
            subtags.append(subtag.capitalize())
        else:
            subtags.append(subtag)
    if len(subtags[-1]) == 1:
        raise InvalidLanguage(f"{tag!r} ends with a singleton, which introduces nothing")
    return "-".join(subtags)


def choose(asked: str, available: Sequence[str], default: str) -> str:
    """Picks a language: RFC 4647 §3.4 lookup, then the first with the same primary subtag, then `default`.

    All tags are in normal form; `available` is in the order of preference. An empty `asked` gets the default.
    """
    wanted = asked
    while wanted:
        if wanted in available:
            return wanted
        wanted = wanted.rpartition("-")[0]
    primary = asked.partition("-")[0]
    if primary:
        for candidate in available:
            if candidate.partition("-")[0] == primary:
                return candidate
    return default
