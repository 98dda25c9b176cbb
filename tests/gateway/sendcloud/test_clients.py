"""What public client libraries put on the wire, byte for byte in their manner: they work unchanged."""

from __future__ import annotations

import json
import urllib.parse

from gateway.sendcloud.face import ADDED, Face, code_of, info_of, request
from gateway.wire import connected

HTML = '<p>你好 %name%，<a href="https://example.com/?a=1&b=%E4%BD%A0">查看</a></p>'


def encoded(parameters: dict[str, str]) -> str:
    return urllib.parse.urlencode(parameters)


async def test_a_go_client_with_everything_in_the_query_of_a_post_behind_a_proxy(face: Face) -> None:
    async def post(call: str, **parameters: str) -> bytes:
        # net/url's Encode sorts by name; HTTP_PROXY makes the target absolute and keeps the vendor's Host.
        query = encoded(dict(sorted({**face.credentials, **parameters}.items())))
        head = (
            f"POST http://api.sendcloud.net/apiv2/template/{call}?{query} HTTP/1.1\r\n"
            "Host: api.sendcloud.net\r\n"
            "User-Agent: Go-http-client/1.1\r\n"
            "Content-Length: 0\r\n"
            "Content-Type: application/x-www-form-urlencoded;charset=utf-8\r\n"
            "Accept-Encoding: gzip\r\n\r\n"
        )
        answer = await face.raw(head.encode())
        info_of(answer)
        return answer.body

    await post("add", **{**ADDED, "html": HTML, "isSubmitAudit": "1"})
    await post("list", start="0", limit="10")
    # Its update sends every parameter, those that were not set blank.
    await post(
        "update",
        invokeName="testtemplate",
        name="新名称",
        html="",
        subject="",
        templateType="",
        isSubmitAudit="",
    )
    data = await face.data()
    assert (data["name"], data["html"], data["subject"], data["templateType"]) == (
        "新名称",
        HTML,
        "test_subject",
        1,
    )
    assert "新名称".encode() in await post("get", invokeName="testtemplate")
    await post("delete", invokeName="testtemplate")
    assert await face.is_empty()


async def test_a_go_client_that_posts_forms_over_one_connection(face: Face) -> None:
    async with connected(face.port) as wire:
        for call, parameters in (
            ("add", {**ADDED, "html": HTML, "isSubmitAudit": "0"}),
            ("update", {"invokeName": "testtemplate", **ADDED, "subject": "S", "isSubmitAudit": "1"}),
            ("list", {"invokeName": "testtemplate", "templateStat": "1", "start": "0", "limit": "1"}),
            ("delete", {"invokeName": "testtemplate"}),
        ):
            body = encoded({**face.credentials, **parameters}).encode()
            wire.send(request(call, body) + body)
            answer = await wire.answer()
            assert info_of(answer).get("count", 1) == 1


async def test_a_java_client_that_sends_multipart_with_charsets_and_without_filenames(face: Face) -> None:
    boundary = "Vx7Yb2qPzR-_k3nTfW9sLcE1mJdG5hUaQoXi"
    parts = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n'
        "Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        f"{value}\r\n"
        for name, value in {**face.credentials, **ADDED, "name": "模版", "html": HTML}.items()
    )
    body = f"{parts}--{boundary}--\r\n".encode()
    # Apache's client asks before it sends, and names the charset of the whole.
    head = request(
        "add", body, f"multipart/form-data; boundary={boundary}; charset=UTF-8", {"Expect": "100-continue"}
    )
    async with connected(face.port) as wire:
        wire.send(head)
        assert await wire.line() == b"HTTP/1.1 100 Continue\r\n"
        assert await wire.line() == b"\r\n"
        wire.send(body)
        data = info_of(await wire.answer())["data"]
    assert (data["name"], data["html"]) == ("模版", HTML)


async def test_a_java_client_whose_multipart_says_latin_1_sends_utf_8_all_the_same(face: Face) -> None:
    fields = {**face.credentials, **ADDED, "name": "模版"}
    body = (
        "".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n'
            f"Content-Type: text/plain; charset=ISO-8859-1\r\n\r\n{value}\r\n"
            for name, value in fields.items()
        )
        + "--b--"
    ).encode()
    data = info_of(await face.post("add", body, "multipart/form-data; boundary=b"))["data"]
    assert data["name"] == "模版"


async def test_a_node_client_that_joins_its_query_without_encoding(face: Face) -> None:
    await face.add()
    query = "&".join(
        f"{name}={value}" for name, value in {**face.credentials, "start": 0, "limit": 100}.items()
    )
    head = (
        f"GET http://api.sendcloud.net/apiv2/template/list?{query} HTTP/1.1\r\n"
        "accept: application/json\r\nhost: api.sendcloud.net\r\nConnection: close\r\n\r\n"
    )
    assert info_of(await face.raw(head.encode()))["total"] == 1


async def test_a_node_client_that_asks_for_an_undefined_name(face: Face) -> None:
    query = "&".join(
        f"{name}={value}" for name, value in {**face.credentials, "invokeName": "undefined"}.items()
    )
    head = f"GET /apiv2/template/get?{query} HTTP/1.1\r\nhost: api.sendcloud.net\r\n\r\n"
    assert code_of(await face.raw(head.encode())) == 40216


async def test_a_php_client_that_posts_an_array(face: Face) -> None:
    boundary = "------------------------d74496d66958873e"
    fields = {**face.credentials, **ADDED, "name": "模版", "html": HTML}
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    body += f"--{boundary}--\r\n"
    answer = await face.post("add", body.encode(), f"multipart/form-data; boundary={boundary}")
    assert info_of(answer)["data"]["html"] == HTML


async def test_a_ruby_client_with_an_empty_query(face: Face) -> None:
    body = encoded({**face.credentials, **ADDED, "name": "模版", "html": "<p>a & b + c</p>"}).encode()
    head = (
        "POST /apiv2/template/add? HTTP/1.1\r\nAccept: */*\r\nAccept-Encoding: gzip;q=1.0,deflate;q=0.6\r\n"
        f"Content-Length: {len(body)}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        "Host: api.sendcloud.net\r\n\r\n"
    )
    assert info_of(await face.raw(head.encode() + body))["data"]["html"] == "<p>a & b + c</p>"


async def test_a_python_client_that_posts_json_in_chunks(face: Face) -> None:
    body = json.dumps({**face.credentials, **ADDED, "templateType": 1, "name": "模版"}).encode()
    pieces = [body[:7], body[7:100], body[100:]]
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    head = (
        b"POST /apiv2/template/add HTTP/1.1\r\nHost: api.sendcloud.net\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert info_of(await face.raw(head + chunked))["data"]["name"] == "模版"
