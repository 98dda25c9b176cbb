"""One line of a file as a member."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from postroom_server.cli.member_line import column_of, member_of

COLUMNS = ["user_id", "address", "language", "enabled", "dept_ids", "group_ids", "policy_codes",
           "to_policy_codes", "attributes", "name", "refused_reason"]  # fmt: skip


DEEP = "is nested deeper than 16 levels"


def told(**cells: str) -> Any:
    member, problems = member_of(COLUMNS, [cells.get(column, "") for column in COLUMNS])
    return problems or MessageToDict(member, preserving_proto_field_name=True)


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({}, {}),
        ({"user_id": " 7 ", "address": " a@x.test "}, {"user_id": "7", "address": "a@x.test"}),
        ({"user_id": "9223372036854775807"}, {"user_id": "9223372036854775807"}),
        ({"user_id": "-1"}, {"user_id": "-1"}),  # a number; that it is no id the server says
        ({"language": "zh-CN"}, {"language": "zh-CN"}),
        ({"enabled": "TRUE"}, {"enabled": True}),
        ({"enabled": "no"}, {"enabled": False}),
        ({"enabled": "0"}, {"enabled": False}),
        ({"dept_ids": "1;2| 3;"}, {"dept_ids": ["1", "2", "3"]}),
        ({"group_ids": ";"}, {}),
        ({"policy_codes": "A B;C"}, {"policy_codes": ["A B", "C"]}),
        ({"to_policy_codes": "A"}, {"to_policy_codes": ["A"]}),
        ({"name": " Ann "}, {"attributes": {"name": " Ann "}}),
        ({"attributes": '{"a": 1, "b": [true, null]}'}, {"attributes": {"a": 1.0, "b": [True, None]}}),
        ({"attributes": '{"name": "x", "n": 2}', "name": "Ann"}, {"attributes": {"name": "Ann", "n": 2.0}}),
        ({"attributes": "{}"}, {}),
        ({"attributes": f'{{"n": {2**53}}}'}, {"attributes": {"n": 2.0**53}}),
        ({"attributes": '{"n": -0.5e3}'}, {"attributes": {"n": -500.0}}),
        ({"attributes": '{"a":' + "[" * 16 + "]" * 16 + "}"}, None),
        ({"refused_reason": "of an earlier time"}, {}),
    ],
)
def test_cells_become_fields(cells: dict[str, str], found: Any) -> None:
    member = told(**cells)
    assert isinstance(member, dict)
    assert found is None or member == found


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ({"user_id": "x"}, ("user_id", "'x' is not a whole number")),
        ({"user_id": "1.0"}, ("user_id", "'1.0' is not a whole number")),
        ({"user_id": "1_0"}, ("user_id", "'1_0' is not a whole number")),
        ({"user_id": "١"}, ("user_id", "'١' is not a whole number")),
        ({"user_id": "9223372036854775808"}, ("user_id", "9223372036854775808 has more than 64 bits")),
        ({"enabled": "maybe"}, ("enabled", "'maybe' is none of true, yes, 1, false, no, 0")),
        ({"dept_ids": "1;x"}, ("dept_ids", "'x' is not a whole number")),
        ({"attributes": "[1]"}, ("attributes", "is not a JSON object")),
        (
            {"attributes": "{'a': 1}"},
            ("attributes",
             "is no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ),
        ({"attributes": '{"n": NaN}'}, ("attributes", "holds NaN, which is no number")),
        (
            {"attributes": f'{{"n": {2**53 + 1}}}'},
            ("attributes", "holds 9007199254740993, which is beyond 2^53; write it as text"),
        ),
        ({"attributes": '{"a":' + "[" * 17 + "]" * 17 + "}"}, ("attributes", DEEP)),
        ({"attributes": "[" * 100_000}, ("attributes", DEEP)),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_with_its_column(cells: dict[str, str], problem: tuple[str, str]) -> None:
    assert told(**cells) == [problem]


def test_half_a_character_is_refused() -> None:
    ((column, problem),) = told(attributes='{"a": "\\ud800"}')
    assert (column, problem.partition(":")[0]) == ("attributes", "cannot be sent")


def test_everything_in_a_line_is_told_at_once() -> None:
    problems = told(user_id="x", enabled="?", dept_ids="y", attributes="z")
    assert [column for column, _ in problems] == ["user_id", "enabled", "dept_ids", "attributes"]


@pytest.mark.parametrize(
    ("path", "column"),
    [
        ("address", "address"),
        ("dept_ids[2]", "dept_ids[2]"),
        ("attributes.name", "name"),
        ("attributes.inner", "attributes.inner"),
        ("attributes", "attributes"),
    ],
)
def test_a_field_of_a_refusal_is_a_column(path: str, column: str) -> None:
    assert column_of(path, COLUMNS) == column
