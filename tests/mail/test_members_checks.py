"""What may be stored of a member: every limit at it and one past it, everything wrong told at once."""

from __future__ import annotations

import math
from typing import Any

import pytest

from postroom_server.mail.member_checks import check
from postroom_server.mail.member_form import MemberForm
from postroom_server.refusals import Reason, Refusal

LARGEST = (1 << 63) - 1


def made(**fields: Any) -> Any:
    return check(MemberForm(**{"user_id": 1, "address": "ann@example.com", **fields}))


def fields_of(**fields: Any) -> list[str]:
    with pytest.raises(Refusal) as caught:
        made(**fields)
    assert caught.value.reason is Reason.INVALID_FIELD
    return [violation.field for violation in caught.value.violations]


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def padded(size: int) -> dict[str, Any]:
    """Attributes of this many bytes as JSON, most of them in characters of three."""
    rest = size - len('{"a":""}')
    return {"a": "語" * (rest // 3) + "x" * (rest % 3)}


@pytest.mark.parametrize(
    "fields",
    [
        {"user_id": 1},
        {"user_id": LARGEST},
        {"address": "a" * 64 + "@example.com"},
        {"language": "de-CH-1996"},
        {"dept_ids": tuple(range(1, 501))},
        {"group_ids": (LARGEST,) * 500},
        {"policy_codes": tuple(str(n) for n in range(500))},
        {"policy_codes": ("語" * 80,)},
        {"to_policy_codes": ("x" * 80,) * 500},
        {"attributes": padded(16 * 1024)},
        {"attributes": {"lines": "one\r\n\ttwo"}},
        {"attributes": {"deep": nested(16)}},
        {"attributes": {"none": None, "list": [], "object": {}}},
    ],
)
def test_at_its_limit_a_member_is_taken(fields: dict[str, Any]) -> None:
    assert made(**fields).user_id == fields.get("user_id", 1)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"user_id": 0}, "user_id"),
        ({"user_id": -1}, "user_id"),
        ({"user_id": LARGEST + 1}, "user_id"),
        ({"address": ""}, "address"),
        ({"address": "a" * 65 + "@example.com"}, "address"),
        ({"address": "Ann <ann@example.com>"}, "address"),
        ({"address": "ann@example.com\r\nBcc: x@example.com"}, "address"),
        ({"language": "english please"}, "language"),
        ({"dept_ids": tuple(range(1, 502))}, "dept_ids"),
        ({"dept_ids": (1, 0)}, "dept_ids[1]"),
        ({"group_ids": (-1,)}, "group_ids[0]"),
        ({"group_ids": (LARGEST + 1,)}, "group_ids[0]"),
        ({"policy_codes": ("x",) * 501}, "policy_codes"),
        ({"policy_codes": ("x", "")}, "policy_codes[1]"),
        ({"policy_codes": (" ",)}, "policy_codes[0]"),
        ({"policy_codes": ("x" * 81,)}, "policy_codes[0]"),
        ({"policy_codes": ("a\0b",)}, "policy_codes[0]"),
        ({"to_policy_codes": ("x",) * 501}, "to_policy_codes"),
        ({"to_policy_codes": ("a\nb",)}, "to_policy_codes[0]"),
        ({"attributes": padded(16 * 1024 + 1)}, "attributes"),
        ({"attributes": {"a\nb": 1}}, "attributes.a\nb"),
        ({"attributes": {"": 1}}, "attributes"),
        ({"attributes": {"a": "x\0y"}}, "attributes.a"),
        ({"attributes": {"a": "\x1b[31m"}}, "attributes.a"),
        ({"attributes": {"a": ["x\u2028"]}}, "attributes.a"),
        ({"attributes": {"a": {"\x07": 1}}}, "attributes.a"),
        ({"attributes": {"a": {"": 1}}}, "attributes.a"),
        ({"attributes": {"a": math.nan}}, "attributes.a"),
        ({"attributes": {"a": [math.inf]}}, "attributes.a"),
        ({"attributes": {"a": nested(17)}}, "attributes.a"),
    ],
)
def test_one_past_its_limit_it_is_refused(fields: dict[str, Any], wrong: str) -> None:
    assert fields_of(**fields) == [wrong]


def test_everything_wrong_is_told_at_once() -> None:
    wrong = fields_of(
        user_id=0,
        address="x",
        language="?",
        dept_ids=(0, 1, -1),
        policy_codes=("",),
        attributes={"a": math.nan},
    )
    assert wrong == [
        "user_id", "address", "language", "dept_ids[0]", "dept_ids[2]", "policy_codes[0]", "attributes.a",
    ]  # fmt: skip


def test_of_a_list_that_is_all_wrong_the_first_are_told() -> None:
    told = fields_of(dept_ids=(0,) * 50, policy_codes=("",) * 51)
    first = [f"dept_ids[{n}]" for n in range(50)] + [f"policy_codes[{n}]" for n in range(50)]
    assert told == [*first, "policy_codes"]


def test_a_path_names_the_place_in_the_request() -> None:
    with pytest.raises(Refusal) as caught:
        made(address="x")
    assert [violation.field for violation in caught.value.violations] == ["address"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (42.0, "42"),
        (-0.0, "0"),
        (float(2**53), "9007199254740992"),
        (2.0**54, "1.8014398509481984e+16"),
        (0.1, "0.1"),
        ([1.0, {"b": 2.0}], '[1,{"b":2}]'),
        ("é\n", '"é\\n"'),
        (True, "true"),
    ],
)
def test_attributes_are_stored_as_compact_json(value: Any, text: str) -> None:
    assert made(attributes={"a": value}).attributes == f'{{"a":{text}}}'


def test_memberships_are_a_set_with_keys_of_their_kind() -> None:
    member = made(dept_ids=(7, 7), group_ids=(7,), policy_codes=("7", "07"), to_policy_codes=("Ü",))
    assert member.memberships == {
        ("DEPT", "7"), ("GROUP", "7"), ("POLICY", "7"), ("POLICY", "07"), ("TO_POLICY", "Ü"),
    }  # fmt: skip
    assert {type(kind) for kind, _ in member.memberships} == {str}
