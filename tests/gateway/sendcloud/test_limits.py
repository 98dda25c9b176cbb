"""Sizes, times and garbage: an answer in the envelope, and nothing stored."""

from __future__ import annotations

import asyncio
import functools
import urllib.parse

import pytest

from gateway.sendcloud.face import ADDED, FORM, Face, code_of, info_of, request
from gateway.wire import connected
from postroom_server.gateway.body import MAX_BODY_BYTES, read_body
from postroom_server.gateway.sendcloud import parameters

MIB = 1 << 20
# Three bytes of UTF-8, and its size in them is what counts.
CHARACTER = "字"


@pytest.mark.parametrize(("part", "code"), [("html", 40212), ("text", 40214)])
async def test_a_part_has_a_mebibyte_of_utf_8(face: Face, part: str, code: int) -> None:
    at_the_limit = CHARACTER * (MIB // 3) + "x" * (MIB % 3)
    too_large = at_the_limit + "x"
    refused = await face.call("add", **{**ADDED, part: too_large})
    assert code_of(refused) == code
    assert await face.is_empty()
    await face.add(**{part: at_the_limit})
    assert code_of(await face.call("update", invokeName="testtemplate", **{part: too_large})) == code
    assert (await face.data())["html"] == (at_the_limit if part == "html" else ADDED["html"])


async def test_a_body_over_26_mib_is_413(face: Face) -> None:
    body = b"html=" + b"x" * (MAX_BODY_BYTES - 4)
    async with connected(face.port) as wire:
        # Known by its length: the answer does not wait for the rest.
        wire.send(request("add", body))
        answer = await wire.answer()
    assert (answer.status, code_of(answer)) == (413, 413)
    assert answer.json["message"] == "请求体过大"


async def test_a_chunked_body_over_26_mib_is_413(face: Face) -> None:
    head = (
        f"POST /apiv2/template/add HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    async with connected(face.port) as wire:
        wire.send(head.encode())
        for _ in range(27):
            wire.send(b"100000\r\n" + b"x" * MIB + b"\r\n")
            await wire.drain()
        wire.send(b"0\r\n\r\n")
        answer = await wire.answer()
    assert (answer.status, code_of(answer)) == (413, 413)


async def test_a_body_of_26_mib_is_read_and_its_html_refused(face: Face) -> None:
    start = urllib.parse.urlencode({**face.credentials, **ADDED, "html": ""}).encode() + b"&html="
    start = start.replace(b"&html=&", b"&")
    answer = await face.post("add", start + b"x" * (MAX_BODY_BYTES - len(start)))
    assert code_of(answer) == 40212
    assert await face.is_empty()


async def test_megabytes_of_escapes_do_not_hold_up_others(face: Face) -> None:
    now = asyncio.get_running_loop().time
    slow = asyncio.create_task(face.post("list", b"html=" + b"%41" * (8 * MIB)))
    began, longest = now(), 0.0
    while not slow.done():
        before = now()
        await asyncio.sleep(0.001)
        longest = max(longest, now() - before)
    assert code_of(slow.result()) == 40005
    # Decoding is most of it, and takes seconds.
    assert longest < (now() - began) / 3


async def test_a_body_that_comes_too_slowly_is_408(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "read_body", functools.partial(read_body, seconds=0.1))
    async with connected(face.port) as wire:
        wire.send(request("add", b"x" * 100) + b"html=")
        answer = await wire.answer()
    assert (answer.status, code_of(answer), answer.json["message"]) == (408, 408, "请求超时")


async def test_a_body_that_is_cut_short_stores_nothing(face: Face) -> None:
    body = urllib.parse.urlencode({**face.credentials, **ADDED}).encode()
    async with connected(face.port) as wire:
        wire.send(request("add", body) + body[:-1])
        wire.end()
        assert b'"statusCode":400' in await wire.rest()
    assert await face.is_empty()


async def test_more_fields_than_anybody_means_are_malformed(face: Face) -> None:
    credentials = urllib.parse.urlencode(face.credentials).encode()
    assert code_of(await face.post("list", b"a&" * 998 + credentials)) == 200
    assert code_of(await face.post("list", b"a&" * 999 + credentials)) == 400
    part = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n"
    multipart = "multipart/form-data; boundary=b"
    assert code_of(await face.post("list", part * 1000 + b"--b--", multipart)) == 40005
    assert code_of(await face.post("list", part * 1001 + b"--b--", multipart)) == 400


GARBAGE = [
    (b"\x00\xff\xfe", FORM, 40005),
    (b"%", FORM, 40005),
    (b"{", "application/json", 400),
    (b"\xff\xfe{\x00}\x00", "application/json", 400),
    (b'{"name":NaN}', "application/json", 400),
    (b'{"name":1e999}', "application/json", 400),
    (b"[" * 100_000, "application/json", 400),
    (b'{"name":' + b"1" * 5000 + b"}", "application/json", 400),
    (b'"apiUser"', "application/json", 400),
    (b"null", "application/json", 400),
    (b"x", "multipart/form-data; boundary=b", 400),
    (b"--b\r\n\r\n", "multipart/form-data; boundary=b", 400),
    (b"--b\r\nContent-Disposition\r\n\r\nx\r\n--b--", "multipart/form-data; boundary=b", 400),
    (b"--b\r\nX: " + b"x" * 10_000 + b"\r\n\r\nx\r\n--b--", "multipart/form-data; boundary=b", 400),
    (b"--b\r\n\r\nx\r\n--b--", "multipart/form-data; boundary=" + "b" * 500, 400),
    (b"--b\r\n\r\nno name\r\n--b--", "multipart/form-data; boundary=b", 40005),
    (b"--b--", "multipart/form-data; boundary=b", 40005),
]


@pytest.mark.parametrize(("body", "content_type", "code"), GARBAGE)
async def test_garbage_is_answered(face: Face, body: bytes, content_type: str, code: int) -> None:
    assert code_of(await face.post("add", body, content_type)) == code


async def test_an_impossible_content_type_is_415(face: Face) -> None:
    for content_type in (
        "text/plain",
        "application/octet-stream",
        "multipart/mixed; boundary=b",
        "x",
    ):
        answer = await face.post("list", b"limit=1", content_type)
        assert (answer.status, code_of(answer)) == (415, 415), content_type


async def test_a_form_without_a_content_type_is_a_form(face: Face) -> None:
    body = urllib.parse.urlencode({**face.credentials, "limit": "1"}).encode()
    head = f"POST /apiv2/template/list HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    assert info_of(await face.raw(head.encode() + body)) == {"dataList": [], "total": 0, "count": 0}


async def test_garbage_is_answered_and_not_logged(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    for body in (b"--b\r\nX: a\r\rb\r\n\r\n--b--", b"--b\r\n\r\nx\r\n--b--and more", b"--b\r\n\x12: a"):
        await face.post("list", body, "multipart/form-data; boundary=b")
    assert caplog.records == []
