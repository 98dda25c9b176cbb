"""Connections: what is slow, too big, cut short, strange or many, and what clients may do all the same."""

from __future__ import annotations

import asyncio
import socket

import pytest
from starlette.requests import Request
from starlette.responses import Response

from gateway.face import Gate, listening
from gateway.wire import PATIENCE, Wire, connected, fetch, request_bytes
from postroom_server.gateway.connection import Bounds

QUICK = Bounds(head_seconds=0.2, keep_alive_seconds=0.2, discard_seconds=0.2, stall_seconds=0.2)
LONG = 64 << 20
POST = b"POST /api/x HTTP/1.1\r\nHost: h\r\n"


async def test_f6_a_slow_head_is_answered_408_and_closed() -> None:
    async with listening(bounds=QUICK) as face, connected(face.port) as wire:
        wire.send(b"GET /api/x HTTP/1.1\r\nHost: h\r\n")
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert answer.json == {"error": {"status": 408, "message": "Request Timeout"}}
        assert await wire.rest() == b""


async def test_f6_a_head_that_drips_is_late_all_the_same() -> None:
    async with listening(bounds=QUICK) as face, connected(face.port) as wire:
        dripping = asyncio.create_task(_drip(wire, b"GET /api/x HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 1000))
        assert (await wire.answer()).status == 408
        assert await wire.rest() == b""
        dripping.cancel()


@pytest.mark.parametrize("before", [b"", b"\r\n", request_bytes("GET", "/api/x")])
async def test_f6_who_says_nothing_is_closed_without_a_word(before: bytes) -> None:
    async with listening(bounds=QUICK) as face, connected(face.port) as wire:
        wire.send(before)
        if len(before) > 2:
            assert (await wire.answer()).status == 200
        assert (await wire.rest()).count(b"HTTP/1.1 200") == 0


async def test_f6_blank_lines_keep_no_connection_open() -> None:
    async with listening(bounds=QUICK) as face, connected(face.port) as wire:
        wire.send(request_bytes("GET", "/api/x"))
        assert (await wire.answer()).status == 200
        dripping = asyncio.create_task(_drip(wire, b"\r\n" * 100))
        await wire.rest()
        dripping.cancel()


async def test_f6_a_slow_body_is_refused_and_its_connection_closed() -> None:
    async with listening(bounds=QUICK) as face, connected(face.port) as wire:
        wire.send(POST + b"Content-Length: 10\r\n\r\nabc")
        answer = await wire.answer()
        assert (answer.status, answer.json["error"]["message"]) == (400, "the body took too long to arrive")
        assert await wire.rest() == b""


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 10\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc"]
)
async def test_a_body_cut_short_is_answered_to_who_still_listens(framing: bytes) -> None:
    async with listening() as face, connected(face.port) as wire:
        wire.send(POST + framing)
        wire.end()
        answer = await wire.answer()
        assert (answer.status, answer.json["error"]["message"]) == (400, "the body was cut short")
        assert await wire.rest() == b""


async def test_a_client_that_ends_its_sending_gets_its_answer() -> None:
    gate = Gate()
    async with listening(gate) as face, connected(face.port) as wire:
        wire.send(request_bytes("GET", "/api/x"))
        wire.end()
        await gate.entered.wait()
        gate.open.set()
        assert (await wire.answer()).json == {"path": "/api/x"}
        assert await wire.rest() == b""


@pytest.mark.parametrize("broken", [b"zz\r\n", b"5\r\nabcdefgh\r\n"])
async def test_a_body_that_breaks_is_answered_by_its_dialect(broken: bytes) -> None:
    async with listening() as face, connected(face.port) as wire:
        wire.send(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" + broken)
        answer = await wire.answer()
        assert (answer.status, answer.json["error"]["message"]) == (400, "the body was cut short")
        assert await wire.rest() == b""


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"\x00" * 1000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        b"GET /api/x HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
        b"FOO /api/x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /api/\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET api HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
        POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_f3_garbage_is_answered_400_and_harms_nobody(garbage: bytes) -> None:
    async with listening() as face:
        async with connected(face.port) as wire:
            wire.send(garbage)
            answer = await wire.answer()
            assert (answer.status, answer.json) == (400, {"error": {"status": 400, "message": "Bad Request"}})
            assert await wire.rest() == b""
        assert (await fetch(face.port, "GET", "/healthz")).status == 200


async def test_garbage_after_a_request_does_not_take_its_answer_away() -> None:
    gate = Gate()
    async with listening(gate) as face, connected(face.port) as wire:
        wire.send(request_bytes("GET", "/api/x") + b"\x00\x01garbage\r\n\r\n")
        await gate.entered.wait()
        gate.open.set()
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await wire.rest() == b""


@pytest.mark.parametrize(("size", "status"), [(32 * 1024 - 300, 200), (32 * 1024 + 200, 431), (1 << 20, 431)])
@pytest.mark.parametrize("part", ["header", "target", "many"])
async def test_f1_a_head_has_a_limit(part: str, size: int, status: int) -> None:
    async with listening() as face, connected(face.port) as wire:
        match part:
            case "header":
                request = request_bytes("GET", "/api/x", [("X", "x" * size)])
            case "target":
                request = request_bytes("GET", f"/api/x?{'x' * size}")
            case _:
                request = request_bytes(
                    "GET", "/api/x", [(f"X-{i:03}", "x" * 92) for i in range(size // 101)]
                )
        wire.send(request)
        assert (await wire.answer()).status == status


async def test_f1_a_head_without_end_is_not_collected() -> None:
    async with listening() as face, connected(face.port) as wire:
        wire.send(b"GET /api/x HTTP/1.1\r\nX: ")
        flooding = asyncio.create_task(_flood(wire))
        assert (await wire.answer()).status == 431
        flooding.cancel()


async def test_a_refused_body_is_let_go_by_and_the_connection_lives() -> None:
    async with listening() as face, connected(face.port) as wire:
        wire.send(request_bytes("POST", "/api/x", (), b"x" * ((1 << 20) + 1)))
        assert (await wire.answer()).status == 413
        wire.send(request_bytes("POST", "/api/x", (), b"again"))
        assert (await wire.answer()).json["body"] == "again"


async def test_a_refused_body_that_never_ends_ends_its_connection() -> None:
    async with listening(bounds=QUICK) as face, connected(face.port) as wire:
        wire.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        flooding = asyncio.create_task(_flood(wire, b"10000\r\n" + b"x" * 0x10000 + b"\r\n"))
        assert (await wire.answer()).status == 413
        await wire.rest()
        flooding.cancel()


async def test_a_body_of_the_limit_arrives_and_one_byte_more_does_not() -> None:
    async with listening() as face:
        for size, status in ((1 << 20, 200), ((1 << 20) + 1, 413)):
            assert (await fetch(face.port, "POST", "/api/x", (), b"x" * size)).status == status


async def test_expect_is_answered_before_the_body_is_sent() -> None:
    async with listening() as face, connected(face.port) as wire:
        wire.send(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert await wire.line() == b"HTTP/1.1 100 Continue\r\n"
        assert await wire.line() == b"\r\n"
        wire.send(b"hello")
        assert (await wire.answer()).json["body"] == "hello"
        wire.send(request_bytes("GET", "/api/again"))
        assert (await wire.answer()).json["path"] == "/api/again"


async def test_a_refused_expectation_closes_for_the_body_may_come_or_not() -> None:
    async with listening() as face, connected(face.port) as wire:
        wire.send(POST + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n")
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert await wire.rest() == b""


async def test_what_stands_behind_a_body_is_no_header() -> None:
    """A proxy has removed or checked the headers that it knows, and passes trailers on."""

    async def names(request: Request) -> Response:
        body = await request.body()
        return Response(b",".join(name for name, _ in request.scope["headers"]) + b" " + body)

    trailers = b"authorization: Bearer t\r\nx-forwarded-for: 192.0.2.1\r\nx-request-id: theirs\r\n"
    for pause in (0, 0.02):
        async with listening(names) as face, connected(face.port) as wire:
            wire.send(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n")
            await asyncio.sleep(pause)
            wire.send(trailers + b"\r\n" + request_bytes("POST", "/api/y", (), b"again"))
            first, second = await wire.answer(), await wire.answer()
            assert first.body == b"host,transfer-encoding hi"
            assert first.headers["x-request-id"] != "theirs"
            assert second.body.endswith(b" again")


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_who_will_close_gets_the_refusal_of_a_body_that_is_still_coming(version: bytes) -> None:
    head = b"POST /api/x " + version + b"\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    async with listening() as face, connected(face.port) as wire:
        wire.send(head % LONG)
        for _ in range(LONG >> 20):
            wire.send(b"x" * (1 << 20))
            await wire.drain()
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert await wire.rest() == b""


async def test_who_will_close_and_sends_no_more_is_not_waited_for() -> None:
    async with listening(bounds=QUICK) as face, connected(face.port) as wire:
        wire.send(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % LONG)
        assert (await wire.answer()).status == 413
        assert await wire.rest() == b""


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.0"])
@pytest.mark.parametrize("cut", [0, 3])
async def test_a_wish_to_upgrade_loses_no_body(upgrade: str, cut: int) -> None:
    asked = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", upgrade), ("HTTP2-Settings", "AAMAAABk")]
    request = request_bytes("POST", "/api/x?a=b", asked, b"hello")
    async with listening() as face, connected(face.port) as wire:
        wire.send(request[: len(request) - cut])
        await wire.drain()
        await asyncio.sleep(0.02 if cut else 0)
        wire.send(request[len(request) - cut :])
        answer = (await wire.answer()).json
        assert (answer["method"], answer["query"], answer["body"]) == ("POST", "a=b", "hello")
        wire.send(request_bytes("GET", "/api/again", asked))
        wire.send(request_bytes("POST", "/api/third", asked[:0], b"third"))
        assert (await wire.answer()).json["path"] == "/api/again"
        assert (await wire.answer()).json["body"] == "third"


async def test_absolute_targets_and_foreign_hosts_are_served() -> None:
    async with listening() as face:
        headers = [("Host", "api.sendcloud.net"), ("Proxy-Connection", "keep-alive")]
        answer = await fetch(face.port, "POST", "http://api.sendcloud.net/api/x?a=b", headers, b"hello")
        assert (answer.json["path"], answer.json["query"], answer.json["body"]) == ("/api/x", "a=b", "hello")
        assert (await fetch(face.port, "GET", "http://api.sendcloud.net/nothing")).status == 404


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with listening() as face, connected(face.port) as wire:
        wire.send(b"".join(request_bytes("POST", f"/api/{i}", (), b"x" * i) for i in range(20)))
        assert [(await wire.answer()).json["path"] for _ in range(20)] == [f"/api/{i}" for i in range(20)]


async def test_head_is_answered_without_a_body() -> None:
    async with listening() as face, connected(face.port) as wire:
        wire.send(request_bytes("HEAD", "/api/x") + request_bytes("GET", "/api/y"))
        head = await wire.answer(method="HEAD")
        assert (head.status, int(head.headers["content-length"]) > 0) == (200, True)
        assert (await wire.answer()).json["path"] == "/api/y"


async def test_more_connections_than_allowed_are_refused_at_once() -> None:
    async with listening(bounds=Bounds(connections=2)) as face:
        async with connected(face.port) as one, connected(face.port) as other, connected(face.port) as third:
            assert (await third.answer()).status == 503
            assert await third.rest() == b""
            for wire in (one, other):
                wire.send(request_bytes("GET", "/api/x"))
                assert (await wire.answer()).status == 200
        async with connected(face.port) as fourth:
            fourth.send(request_bytes("GET", "/api/x"))
            assert (await fourth.answer()).status == 200


@pytest.mark.parametrize(("pause", "arrives"), [(None, False), (0.05, True)])
async def test_a_reader_that_stops_is_cut_off_and_a_slow_one_is_not(
    pause: float | None, arrives: bool
) -> None:
    """The answer is more than the kernel's buffers take."""

    async def long(_: Request) -> Response:
        return Response(b"x" * LONG)

    loop = asyncio.get_running_loop()
    async with listening(long, bounds=QUICK) as face:
        with socket.create_connection(("127.0.0.1", face.port)) as reader:
            reader.setblocking(False)
            await loop.sock_sendall(reader, request_bytes("GET", "/api/x"))
            got = 0
            async with asyncio.timeout(PATIENCE):
                while not face.connections:  # noqa: ASYNC110 - it reports to nobody
                    await asyncio.sleep(0.001)
                while pause is None and face.connections:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                while got < LONG:
                    try:
                        piece = await loop.sock_recv(reader, 4 << 20)
                    except ConnectionError:
                        break
                    if not piece:
                        break
                    got += len(piece)
                    await asyncio.sleep(pause or 0)
        assert (got >= LONG) is arrives


async def _drip(wire: Wire, data: bytes) -> None:
    for byte in data:
        wire.send(bytes([byte]))
        await asyncio.sleep(0.01)


async def _flood(wire: Wire, piece: bytes = b"x" * 65536) -> None:
    while True:
        wire.send(piece)
        await wire.drain()
        await asyncio.sleep(0)
