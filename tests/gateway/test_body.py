"""JSON as it is read here: strictly, whole numbers whole, others as they were spelled."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.gateway.body import MAX_VALUES, BodyError, BodyFault, Spelled, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)  # fmt: skip


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", BodyFault.NOT_JSON),
        (b"{", BodyFault.NOT_JSON),
        (b"{} {}", BodyFault.NOT_JSON),
        (b"{'a': 1}", BodyFault.NOT_JSON),
        (b'{"a": 1,}', BodyFault.NOT_JSON),
        (b"[NaN]", BodyFault.NOT_JSON),
        (b"[-Infinity]", BodyFault.NOT_JSON),
        (b"[1e999]", BodyFault.NOT_JSON),
        (b"[01]", BodyFault.NOT_JSON),
        (b"1" * 5000, BodyFault.NOT_JSON),
        (b'"\x00"', BodyFault.NOT_JSON),
        (b'"\xff"', BodyFault.NOT_UTF8),
        (b'"\xed\xa0\x80"', BodyFault.NOT_UTF8),
        (b'{"a": "\\ud800"}', BodyFault.NOT_UTF8),
        (b'{"\\uDC00": 1}', BodyFault.NOT_UTF8),
        ("{}".encode("utf-16"), BodyFault.NOT_UTF8),
        (b'{"a": 1, "a": 1}', BodyFault.DUPLICATE_KEY),
        (b'[{"b": {"a": 1, "\\u0061": 2}}]', BodyFault.DUPLICATE_KEY),
        (nested(65), BodyFault.TOO_DEEP),
        (nested(65, '{"a":', "}"), BodyFault.TOO_DEEP),
        (nested(100_000), BodyFault.TOO_DEEP),
        (b"[" + b"0," * MAX_VALUES + b"0]", BodyFault.TOO_MANY_VALUES),
        (b"[" + b"[]," * MAX_VALUES + b"0]", BodyFault.TOO_MANY_VALUES),
        (b"[" + b'"\\"",' * MAX_VALUES + b'"\\\\"]', BodyFault.TOO_MANY_VALUES),
        (b'"' * (8 * MAX_VALUES) + b",[" * MAX_VALUES, BodyFault.TOO_MANY_VALUES),
    ],
)
def test_what_is_no_strict_json_is_refused_with_its_fault(raw: bytes, fault: BodyFault) -> None:
    with pytest.raises(BodyError) as refused:
        parse_json(raw)
    assert refused.value.kind is fault


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (nested(64), json.loads(nested(64))),
        (b"[" + b",".join([b"[]"] * 100) + b"]", [[]] * 100),
        (b"\xef\xbb\xbf{}", {}),
        (b'"\\ud83d\\ude00 \\\\ud800"', "\U0001f600 \\ud800"),
        (b"[9223372036854775808, -170141183460469231731687303715884105728]", [2**63, -(2**127)]),
        (b'{"A": 1, "a": 2}', {"A": 1, "a": 2}),
    ],
)
def test_what_is_strict_json_is_read(raw: bytes, value: Any) -> None:
    assert parse_json(raw) == value


def test_e6_what_stands_within_a_text_is_no_value() -> None:
    text = '\\,["{' * MAX_VALUES
    assert parse_json(json.dumps({text: ["a", text]}).encode()) == {text: ["a", text]}


@pytest.mark.parametrize("text", ["1.0", "1.10", "1e3", "-0.0", "1E+2", "0.1000000000000000055"])
def test_a_number_keeps_its_spelling(text: str) -> None:
    number = parse_json(text.encode())
    assert isinstance(number, Spelled)
    assert (number.text, float(number)) == (text, float(text))


def test_a_whole_number_stays_whole() -> None:
    assert type(parse_json(b"3")) is int


@given(VALUES)
def test_whatever_json_writes_is_read_back(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary())
def test_f3_any_bytes_are_a_value_or_a_fault(raw: bytes) -> None:
    with contextlib.suppress(BodyError):
        parse_json(raw)
