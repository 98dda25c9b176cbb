"""The language that whoever reads the answer understands."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from postroom_server.gateway.angusgm.texts import Language

DEFAULT: Language = "zh"
_LANGUAGES: dict[str, Language] = {"zh": "zh", "en": "en"}


@functools.lru_cache(maxsize=1024)
def language_of(asked: str, x_lang: str, accept_language: str) -> Language:
    """Query `lang` or `locale`, then `X-Lang`, then `Accept-Language`, then Chinese.

    A source that names no language of ours leaves it to the next. Every tag of a language will do: people
    with `en_US` are not answered in Chinese.
    """
    for tag in (asked, x_lang, *_by_preference(accept_language)):
        if (language := _LANGUAGES.get(_primary(tag))) is not None:
            return language
    return DEFAULT


def _primary(tag: str) -> str:
    return tag.strip().replace("_", "-").partition("-")[0].lower()


def _by_preference(accept_language: str) -> Iterator[str]:
    """The tags of an Accept-Language (RFC 9110 §12.5.4), the most wanted first, without the unwanted."""
    weighed = []
    for item in accept_language.split(","):
        tag, _, parameter = item.partition(";")
        name, _, value = parameter.partition("=")
        try:
            weight = float(value) if name.strip().lower() == "q" else 1.0
        except ValueError:
            weight = 0.0
        if weight > 0:
            weighed.append((weight, tag))
    return (tag for _, tag in sorted(weighed, key=lambda each: -each[0]))
