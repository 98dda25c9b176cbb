"""The HTTP socket: TLS, what is refused at start, and its end."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta

import pytest

from gateway.conftest import Certificates
from gateway.face import Gate, listening
from gateway.wire import connected, fetch, request_bytes


async def test_f5_tls_serves_those_who_know_its_authority(certificates: Certificates) -> None:
    async with listening(tls=certificates.server()) as face:
        answer = await fetch(face.port, "POST", "/api/x", (), b"hello", tls=certificates.client())
        assert answer.json["body"] == "hello"
        with pytest.raises(ssl.SSLCertVerificationError):
            await fetch(face.port, "GET", "/api/x", tls=ssl.create_default_context())
        async with connected(face.port) as wire:
            wire.send(request_bytes("GET", "/api/x"))
            assert await wire.rest() == b""


async def test_a_body_cut_short_over_tls_harms_nobody(certificates: Certificates) -> None:
    async with listening(tls=certificates.server()) as face:
        async with connected(face.port, certificates.client()) as wire:
            wire.send(b"POST /api/x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
            await wire.drain()
        assert (await fetch(face.port, "GET", "/api/x", tls=certificates.client())).status == 200


async def test_drain_finishes_what_is_under_way_and_takes_nothing_new() -> None:
    gate = Gate()
    async with listening(gate) as face, connected(face.port) as busy, connected(face.port) as idle:
        busy.send(request_bytes("GET", "/api/x"))
        await gate.entered.wait()
        draining = asyncio.create_task(face.drain(timedelta(seconds=5)))
        assert await idle.rest() == b""
        with pytest.raises(OSError):
            await fetch(face.port, "GET", "/api/y")
        assert not draining.done()
        gate.open.set()
        answer = await busy.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await draining
        assert face.connections == 0


async def test_drain_cuts_off_what_does_not_end(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    async with listening(gate) as face, connected(face.port) as busy:
        busy.send(request_bytes("GET", "/api/x"))
        await gate.entered.wait()
        assert not await face.drain(timedelta(seconds=0.05))
        assert await busy.rest() == b""
        assert face.connections == 0
    assert caplog.records == []


async def test_drain_waits_for_no_request_that_has_not_come_whole() -> None:
    async with listening() as face, connected(face.port) as wire:
        wire.send(b"GET /api/x HTTP/1.1\r\nHos")
        await wire.drain()
        while not face.connections:  # noqa: ASYNC110 - it reports to nobody
            await asyncio.sleep(0.001)
        assert await face.drain(timedelta(seconds=5))
        assert await wire.rest() == b""


async def test_answers_are_dated() -> None:
    async with listening() as face:
        headers = (await fetch(face.port, "GET", "/api/x")).headers
        assert headers["date"].endswith("GMT")
        assert "server" not in headers
