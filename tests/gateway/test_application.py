"""The application: whom it hands requests to, what it tells them, what it logs, and what it never tells."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response

from gateway.face import echo, listening
from gateway.wire import PATIENCE, connected, fetch, request_bytes
from postroom_server.gateway.application import loggable
from postroom_server.gateway.body import Bodies, BodyError, BodyFault, read_body
from postroom_server.gateway.visitor import visitor_of

LONG = 64 << 20
SECRET = "pr_" + "Ab1-" * 10 + "xyz"


async def test_a_dialect_has_what_lies_below_its_first_segment_and_nothing_else() -> None:
    async with listening() as face:
        for path in ("/api", "/api/", "/api/x/y", "/api/../x", "/api/%2e%2e/x"):
            assert (await fetch(face.port, "GET", path)).status == 200
        for path in ("/apix", "/xapi/", "//api/x", "/%61pi2", "/API/x"):
            answer = await fetch(face.port, "GET", path)
            assert (answer.status, answer.json["error"]["message"]) == (404, "Not Found")


async def test_the_root_leads_to_the_description() -> None:
    async with listening() as face:
        answer = await fetch(face.port, "GET", "/")
        assert (answer.status, answer.headers["location"]) == (307, "/docs")


async def test_e8_what_a_dialect_does_not_expect_is_told_to_the_log_alone() -> None:
    async def breaks(_: Request) -> Response:
        raise RuntimeError("the secret inside")

    with structlog.testing.capture_logs() as logs:
        async with listening(breaks) as face:
            answer = await fetch(face.port, "GET", "/api/x", [("X-Request-Id", "find-me")])
    assert (answer.status, answer.json) == (
        500,
        {"error": {"status": 500, "message": "Internal Server Error"}},
    )
    assert b"secret" not in answer.body
    (line,) = (line for line in logs if line["event"] == "unanswered")
    assert line["correlation_id"] == answer.headers["x-request-id"] == "find-me"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        ((), ["192.0.2.1"], "127.0.0.1"),
        (("127.0.0.1",), [], "127.0.0.1"),
        (("127.0.0.1",), ["192.0.2.1"], "192.0.2.1"),
        (("127.0.0.1",), ["10.9.9.9, 192.0.2.1"], "192.0.2.1"),
        (("127.0.0.1", "192.0.2.0/24"), ["10.9.9.9, 203.0.113.7", "192.0.2.1"], "203.0.113.7"),
        (("127.0.0.0/8",), ["::ffff:192.0.2.1"], "192.0.2.1"),
        (("127.0.0.1",), ["[2001:db8::1]:443"], "2001:db8::1"),
        (("127.0.0.1",), ["192.0.2.1:5000"], "192.0.2.1"),
        (("127.0.0.1",), ["192.0.2.1, nonsense"], "127.0.0.1"),
        (("127.0.0.1",), ["192.0.2.1\r\n"], "192.0.2.1"),
        (("127.0.0.1",), [""], "127.0.0.1"),
        (("198.51.100.1",), ["192.0.2.1"], "127.0.0.1"),
        (("0.0.0.0/0",), ["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
    ],
)  # fmt: skip
async def test_e7_a_client_is_who_calls_and_only_known_proxies_name_others(
    proxies: tuple[str, ...], forwarded: list[str], client: str
) -> None:
    async with listening(proxies=proxies) as face:
        headers = [("X-Forwarded-For", value.strip()) for value in forwarded]
        assert (await fetch(face.port, "GET", "/api/x", headers)).json["client"] == client


async def test_a_visitor_has_its_address_and_its_request_id() -> None:
    seen: list[Any] = []

    async def look(request: Request) -> Response:
        seen.append(visitor_of(request, "credential"))
        return await echo(request)

    async with listening(look) as face:
        await fetch(face.port, "GET", "/api/x", [("X-Request-Id", "r-1")])
        answer = await fetch(face.port, "GET", "/api/x", [("X-Request-Id", "r\x01")])
    assert (seen[0].credential, seen[0].address, seen[0].request_id) == ("credential", "127.0.0.1", "r-1")
    assert "credential" not in repr(seen[0])
    assert answer.status == 400


@pytest.mark.parametrize("logs_everything", [True, False])
async def test_e8_the_log_has_refusals_and_no_secrets(logs_everything: bool) -> None:
    async def refuses(request: Request) -> Response:
        return Response(status_code=int(request.query_params["status"]))

    with structlog.testing.capture_logs() as logs:
        async with listening(refuses, logs_everything=logs_everything) as face:
            for status in ("200", "404"):
                target = f"/api/v1/email?status={status}&apiUser=u&apiKey={SECRET}"
                await fetch(face.port, "GET", target, [("Authorization", f"Bearer {SECRET}")])
            await fetch(face.port, "GET", f"/apiv2/template/list&apiKey={SECRET}")
            await fetch(face.port, "GET", f"/apiv2/{SECRET}")
    lines = [line for line in logs if line["event"] == "http"]
    assert SECRET not in str(lines)
    told = [(line["method"], line["path"], line["status"]) for line in lines]
    refused = [("GET", "/api/v1/email", 404), ("GET", "(other)", 404), ("GET", "(other)", 404)]
    assert told == [*([("GET", "/api/v1/email", 200)] if logs_everything else []), *refused]


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/api/v1/email/123", "/api/v1/email/123"),
        ("/api/v1/email/", "/api/v1/email/"),
        ("/a\nb", "(other)"),
        ("/a b", "(other)"),
        ("/a\u2028b", "(other)"),
        ("/" + "x" * 33, "(other)"),
        ("/x" * 9, "(other)"),
    ],
)
def test_e8_a_path_is_logged_when_it_is_a_plain_one(path: str, logged: str) -> None:
    assert loggable(path) == logged


async def test_e6_a_large_answer_counts_until_it_is_read() -> None:
    seen: list[Bodies] = []

    async def large(request: Request) -> Response:
        seen.append(request.scope["bodies"])
        seen[0].take(request.scope, LONG)
        return Response(b"0123456789abcdef" * (LONG // 16))

    async with listening(large) as face, connected(face.port) as wire:
        wire.send(request_bytes("GET", "/api/x"))
        async with asyncio.timeout(PATIENCE):
            while not seen:  # noqa: ASYNC110 - it reports to nobody
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert seen[0].bytes == LONG
        answer = await wire.answer()
        assert answer.body == b"0123456789abcdef" * (LONG // 16)
        wire.send(request_bytes("HEAD", "/api/x"))
        assert (await wire.answer(method="HEAD")).headers["content-length"] == str(LONG)
    assert seen[0].bytes == 0


async def test_e6_all_bodies_together_have_a_limit_which_is_given_back() -> None:
    bodies = Bodies(max_bytes=100)
    one: dict[str, Any] = {}
    other: dict[str, Any] = {}
    bodies.take(one, 60)
    bodies.take(other, 40)
    with pytest.raises(BodyError) as refused:
        bodies.take(one, 1)
    assert refused.value.kind is BodyFault.OVERLOADED
    bodies.free(one)
    bodies.take(other, 60)
    bodies.free(other)
    assert bodies.bytes == 0


async def test_e6_a_request_gives_back_what_its_body_took() -> None:
    taken: list[int] = []

    async def reads(request: Request) -> Response:
        await read_body(request)
        taken.append(request.scope["bodies"].bytes)
        return Response()

    async with listening(reads) as face, connected(face.port) as wire:
        for _ in range(3):
            wire.send(request_bytes("POST", "/api/x", (), b"x" * 300_000))
            await wire.answer()
    assert taken == [300_000] * 3
