"""Reading parameters: the same in every place, and never more than a refusal for any bytes."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from postroom_server.gateway.sendcloud.codes import MALFORMED, NO_SUCH_TYPE, PARAMETERS, Failure
from postroom_server.gateway.sendcloud.fields import Reading
from postroom_server.gateway.sendcloud.parameters import (
    Values,
    is_blank,
    read_parameters,
    without_blanks,
)

FORM = "application/x-www-form-urlencoded"
NAMES = [parameter.name for parameter in PARAMETERS]
# What can be told apart from a careless decoder's leavings.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), max_size=50)
GIVEN = st.dictionaries(st.sampled_from(NAMES), TEXTS)


async def read(query: bytes = b"", body: bytes = b"", content_type: str = FORM) -> Values:
    scope = {
        "type": "http",
        "method": "POST",
        "query_string": query,
        "headers": [(b"content-type", content_type.encode("latin-1"))],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return await read_parameters(Request(scope, receive))


def as_multipart(given: dict[str, str], boundary: str) -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in given.items()
    ]
    return "".join([*parts, f"--{boundary}--\r\n"]).encode()


@given(given=GIVEN)
async def test_what_is_given_arrives_wherever_it_stands(given: dict[str, str]) -> None:
    encoded = urllib.parse.urlencode(given).encode()
    # No text of the strategy is long enough to hold this.
    boundary = "b" * 60
    assert await read(encoded) == given
    assert await read(body=encoded) == given
    assert await read(body=json.dumps(given).encode(), content_type="application/json") == given
    assert (
        await read(
            body=as_multipart(given, boundary), content_type=f"multipart/form-data; boundary={boundary}"
        )
        == given
    )


@given(query=GIVEN, body=GIVEN)
async def test_the_query_comes_before_the_body(query: dict[str, str], body: dict[str, str]) -> None:
    encoded = urllib.parse.urlencode(query).encode()
    expected = {**body, **query}
    assert await read(encoded, urllib.parse.urlencode(body).encode()) == expected
    assert await read(encoded, json.dumps(body).encode(), "application/json; charset=utf-8") == expected


@given(
    query=st.binary(max_size=200),
    body=st.binary(max_size=200),
    content_type=st.sampled_from(
        [FORM, "", "application/json", "multipart/form-data; boundary=b", "multipart/form-data", "text/plain"]
    ),
)
async def test_any_bytes_are_read_or_refused(query: bytes, body: bytes, content_type: str) -> None:
    answer: Any
    try:
        answer = await read(query, body, content_type)
    except Failure as failure:
        answer = failure.code
    assert answer in (MALFORMED, NO_SUCH_TYPE) or set(answer) <= set(NAMES)


@given(value=st.binary(max_size=100))
async def test_bytes_are_a_text_exactly_when_they_are_utf_8(value: bytes) -> None:
    try:
        expected: str | None = value.decode()
    except UnicodeDecodeError:
        expected = None
    if expected is not None and "\ufffd" in expected:
        expected = None
    quoted = urllib.parse.quote_from_bytes(value, safe="").encode()
    assert (await read(b"name=" + quoted))["name"] == expected


@given(length=st.integers(65_530, 65_545), value=st.sampled_from(["%E5%AD%97", "+", "a%2", "%%41", "%zz"]))
async def test_long_values_are_decoded_as_short_ones_are(length: int, value: str) -> None:
    quoted = "x" * length + value * 20_000
    assert (await read(body=f"html={quoted}".encode()))["html"] == urllib.parse.unquote_plus(quoted)


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (b"name", {"name": ""}),
        (b"name=", {"name": ""}),
        (b"name==", {"name": "="}),
        (b"name=a=b", {"name": "a=b"}),
        (b"%6Eame=a", {"name": "a"}),
        (b"Name=a&na+me=b&name%00=c", {}),
        (b"name=%zz%4&html=100%", {"name": "%zz%4", "html": "100%"}),
        (b"name=a;html=b", {"name": "a;html=b"}),
        (b"&&name=a&", {"name": "a"}),
        (b"name=%FF&name=a", {"name": None}),
    ],
)
async def test_fields_of_a_query(query: bytes, values: Values) -> None:
    assert await read(query) == values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1", "1"),
        ("-0", "0"),
        ("1.0", "1.0"),
        ("1e2", "1e2"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("true", "true"),
        ("false", "false"),
        ('""', ""),
        ("[]", None),
        ("{}", None),
        ('"\\ufffd"', None),
    ],
)
async def test_scalars_of_json_are_texts(value: str, text: str | None) -> None:
    body = f'{{"name":{value}}}'.encode()
    assert await read(body=body, content_type="application/json") == {"name": text}


async def test_null_is_absent() -> None:
    assert await read(body=b'{"name":null}', content_type="application/json") == {}


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "APPLICATION/JSON", "text/json", "application/vnd.x+json; charset=gbk"],
)
async def test_json_by_its_names(content_type: str) -> None:
    assert await read(body=b'{"name":"a"}', content_type=content_type) == {"name": "a"}


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "text/plain", "x"])
@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
async def test_an_empty_body_may_be_of_any_type(body: bytes, content_type: str) -> None:
    assert await read(b"name=a", body, content_type) == {"name": "a"}


@pytest.mark.parametrize("text", ["", " ", "\t\r\n\f\v "])
def test_ascii_white_space_is_blank(text: str) -> None:
    assert is_blank(text)
    assert without_blanks({"name": text, "html": "a", "text": None}) == {"html": "a", "text": None}


@pytest.mark.parametrize("text", ["a", "\u3000", "\u00a0", "\u200b", "0", None])
def test_other_white_space_is_not(text: str | None) -> None:
    assert not is_blank(text)


NUMBER = PARAMETERS[5]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        (" 5 ", 5),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("-1", None),
        ("+1", None),
        ("1_0", None),
        ("1.0", None),
        ("0x1", None),
        ("１", None),
        ("1" * 5000, None),
    ],
)
def test_numbers(text: str, number: int | None) -> None:
    reading = Reading({NUMBER.name: text})
    assert reading.number(NUMBER) == number
    assert (NUMBER in reading.faults) is (number is None)
