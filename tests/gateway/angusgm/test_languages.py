"""Language tags, their names, and who is answered in which language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.gateway.angusgm import languages
from postroom_server.gateway.angusgm.reader import language_of
from postroom_server.message import language as product


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("en", "en"), ("EN", "en"), ("zh_CN", "zh-CN"), ("ZH_cn", "zh-CN"), ("zh-cn", "zh-CN"),
        ("zh_hant_tw", "zh-Hant-TW"), ("de-1996", "de-1996"), ("en-x-US", "en-x-us"), ("", None), ("e", None),
        ("zh CN", None), ("zh__CN", None), ("-", None), ("en-x", None), ("%", None), ("a" * 36, None),
    ],
)  # fmt: skip
def test_tags_in_any_spelling(text: str, tag: str | None) -> None:
    assert languages.tag_of(text) == tag


@given(st.text(alphabet="aAzZcN-_x19", max_size=40) | st.text(max_size=12))
def test_tags_are_read_as_the_product_reads_them(text: str) -> None:
    try:
        expected: str | None = product.normalise(text)
    except product.InvalidLanguage:
        expected = None
    assert languages.tag_of(text) == expected


@pytest.mark.parametrize(
    ("tag", "zh", "en"),
    [
        ("zh-CN", "简体中文", "Simplified Chinese"), ("en-GB", "英语", "English"),
        ("zh-SG", "中文", "Chinese"), ("tlh-Latn", "tlh_Latn", "tlh_Latn"),
    ],
)  # fmt: skip
def test_names_of_languages(tag: str, zh: str, en: str) -> None:
    assert (languages.name_of(tag, "zh"), languages.name_of(tag, "en")) == (zh, en)


@pytest.mark.parametrize(
    ("asked", "x_lang", "accept", "language"),
    [
        ("", "", "", "zh"), ("en", "zh", "zh", "en"), ("EN_us", "", "", "en"), ("", "en-GB", "zh", "en"),
        ("", "", "en", "en"), ("", "", "en_US", "en"), ("fr", "de", "es", "zh"), ("fr", "en", "", "en"),
        ("", "", "zh;q=0.3,en;q=0.4", "en"), ("", "", "en;q=0,zh", "zh"), ("", "", "en;q=0", "zh"),
        ("", "", "en;q=much,zh;q=0.1", "zh"), ("", "", "*", "zh"), ("", "", ",;,", "zh"),
        ("", "", "fr, en", "en"), ("", "", "zh;Q=0.1, en ; q = 0.9", "en"),
    ],
)  # fmt: skip
def test_the_readers_language(asked: str, x_lang: str, accept: str, language: str) -> None:
    assert language_of(asked, x_lang, accept) == language


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=80))
def test_there_always_is_one(asked: str, x_lang: str, accept: str) -> None:
    assert language_of(asked, x_lang, accept) in ("zh", "en")
