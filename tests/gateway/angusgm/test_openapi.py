"""The description of this dialect: complete, and its examples keep to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from postroom_server.gateway.angusgm import OPENAPI, texts
from postroom_server.gateway.angusgm.filter_keys import KEYS
from postroom_server.gateway.angusgm.problem import ANSWERS
from postroom_server.gateway.angusgm.words import BIZ_KEYS, LISTED_BIZ_KEYS, OPERATORS

# Told where the document has no operation to say it of, or by calls that are not in it.
ELSEWHERE = {"method_not_supported", "BEM103", "quota_exceeded"}
LIST = OPENAPI["paths"]["/api/v1/email"]["get"]


def valid(schema: dict[str, Any], value: Any) -> None:
    jsonschema.Draft202012Validator({**OPENAPI, **schema}).validate(value)


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in OPENAPI["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


@pytest.mark.parametrize(("name", "operation"), list(operations()))
def test_every_example_keeps_to_its_schema(name: str, operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        content = response["content"]["application/json"]
        assert content["examples"], (name, status)
        for example in content["examples"].values():
            valid(content["schema"], example["value"])
    body = operation.get("requestBody")
    if body is not None:
        content = body["content"]["application/json"]
        for example in content["examples"].values():
            valid(content["schema"], example["value"])


def test_every_key_is_described_with_its_status() -> None:
    found: dict[str, set[int]] = {}
    for _, operation in operations():
        for status, response in operation["responses"].items():
            for name in response["content"]["application/json"]["examples"]:
                found.setdefault(name, set()).add(int(status))
    del found["success"]
    assert found == {key: {answer.status} for key, answer in ANSWERS.items() if key not in ELSEWHERE}


def test_there_are_six_calls_with_the_seeds_names() -> None:
    assert {name for name, _ in operations()} == {
        "get /api/v1/email", "post /api/v1/email", "delete /api/v1/email", "get /api/v1/email/{id}",
        "post /api/v1/email/server/test", "get /api/v1/email/verificationCode/check",
    }  # fmt: skip


def test_the_seeds_words() -> None:
    assert (len(BIZ_KEYS), len(LISTED_BIZ_KEYS), len(OPERATORS), len(KEYS)) == (43, 45, 14, 15)
    assert len(set(LISTED_BIZ_KEYS)) == 45
    names = [each["name"] for each in LIST["parameters"] if "name" in each]
    assert names[: len(KEYS)] == list(KEYS)
    assert {f"filters[{i}].{part}" for i in range(20) for part in ("key", "op", "value")} < set(names)


def test_every_key_has_words_in_both_languages() -> None:
    for key in ANSWERS:
        assert texts.is_known(key)
        assert texts.say(key, "zh") != texts.say(key, "en")


def test_texts_fill_their_places() -> None:
    for key, (zh, en) in texts._TEXTS.items():
        assert zh.format("a", "b")
        assert en.format("a", "b")
        assert ("{0}" in zh) == ("{0}" in en), key
        assert ("{1}" in zh) == ("{1}" in en), key
