"""Language tags as this API spells them: read in any case and with either dash, written with underscores."""

from __future__ import annotations

import re

from postroom_server.gateway.angusgm.texts import Language

MOST_CHARACTERS = 35
_TAG = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*")
# By primary tag, then by region or script: in Chinese and English.
_NAMES: dict[str, tuple[str, str]] = {
    "zh": ("中文", "Chinese"),
    "en": ("英语", "English"),
    "ja": ("日语", "Japanese"),
    "ko": ("韩语", "Korean"),
    "fr": ("法语", "French"),
    "de": ("德语", "German"),
    "es": ("西班牙语", "Spanish"),
    "it": ("意大利语", "Italian"),
    "pt": ("葡萄牙语", "Portuguese"),
    "ru": ("俄语", "Russian"),
    "ar": ("阿拉伯语", "Arabic"),
}
_NAMES_OF_TAGS: dict[str, tuple[str, str]] = {
    "zh-CN": ("简体中文", "Simplified Chinese"),
    "zh-Hans": ("简体中文", "Simplified Chinese"),
    "zh-TW": ("繁体中文（台湾）", "Traditional Chinese (Taiwan)"),
    "zh-HK": ("繁体中文（香港）", "Traditional Chinese (Hong Kong)"),
    "zh-Hant": ("繁体中文", "Traditional Chinese"),
}


def tag_of(text: str) -> str | None:
    """The tag as the product compares it, `zh-CN` for `ZH_cn`; None where it is none (RFC 5646 §2.1.1)."""
    if len(text) > MOST_CHARACTERS or not _TAG.fullmatch(text):
        return None
    first, *others = text.lower().replace("_", "-").split("-")
    subtags, after_singleton = [first], False
    for subtag in others:
        after_singleton = after_singleton or len(subtag) == 1
        if after_singleton or not subtag.isalpha():
            subtags.append(subtag)
        elif len(subtag) == 2:
            subtags.append(subtag.upper())
        else:
            subtags.append(subtag.capitalize() if len(subtag) == 4 else subtag)
    return "-".join(subtags) if len(subtags[-1]) > 1 else None


def printed(tag: str) -> str:
    return tag.replace("-", "_")


def name_of(tag: str, language: Language) -> str:
    """What a language is called; the tag itself where we do not know."""
    names = _NAMES_OF_TAGS.get(tag) or _NAMES.get(tag.partition("-")[0])
    return names[0 if language == "zh" else 1] if names else printed(tag)
