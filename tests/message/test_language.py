"""Language tags: one spelling, and the choice among variants."""

from __future__ import annotations

import pytest

from postroom_server.message.language import InvalidLanguage, choose, normalise


@pytest.mark.parametrize(
    ("tag", "normal"),
    [
        ("en", "en"),
        ("ZH_cn", "zh-CN"),
        ("zh_CN", "zh-CN"),
        ("zh-cn", "zh-CN"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("ZH_HANS_CN", "zh-Hans-CN"),
        ("es-419", "es-419"),
        ("sl-ROZAJ-biske", "sl-rozaj-biske"),
        ("de-CH-1996", "de-CH-1996"),
        ("en-a-BBB-x-CCC", "en-a-bbb-x-ccc"),
        ("en-x-US", "en-x-us"),
    ],
)
def test_a_tag_has_one_spelling(tag: str, normal: str) -> None:
    assert normalise(tag) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    "tag",
    ["", "e", "-", "en-", "en--US", "en US", "中文", "en\n", "en-toolongsubtag", "en-x", "en-" + "a-" * 20],
)
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(InvalidLanguage):
        normalise(tag)


@pytest.mark.parametrize(
    ("asked", "available", "chosen"),
    [
        ("zh-CN", ["en", "zh-CN"], "zh-CN"),
        ("zh-Hant-TW", ["en", "zh", "zh-Hant"], "zh-Hant"),
        ("zh-Hant-CN-x-private1", ["en", "zh-Hant-CN", "zh"], "zh-Hant-CN"),
        ("zh", ["en", "zh-CN", "zh-TW"], "zh-CN"),
        ("en-US", ["zh-CN", "en"], "en"),
        ("zh-TW", ["en", "zh-CN"], "zh-CN"),
        ("fr", ["en", "zh-CN"], "en"),
        ("", ["zh-CN", "en"], "en"),
        ("e", ["zh-CN", "en"], "en"),
    ],
)
def test_lookup_then_the_same_primary_language_then_the_default(
    asked: str, available: list[str], chosen: str
) -> None:
    assert choose(asked, available, "en") == chosen
