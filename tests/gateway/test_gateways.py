"""Gateways before a whole server: in its own process and elsewhere; who they trust, and who trusts them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from conftest import DATA_KEY
from gateway.conftest import Certificates
from gateway.wire import Answer, connected, fetch, request_bytes
from postroom_server import assembly
from postroom_server.remote_gateway import Target, running_gateway
from postroom_server.rest import gateway_trust, http_settings
from postroom_server.rpc.endpoint import ConfigurationError
from postroom_server.settings import Settings
from postroom_server.store.known import read_generation
from serving import ACME, Served, serving

TOKEN = "a-gateway-token-of-16"
JSON = ("Content-Type", "application/json")
PLAIN = {"html": False, "verificationCode": False}
LOOPBACK = ("127.0.0.1",)


@contextlib.asynccontextmanager
async def gateway(served: Served, **settings: Any) -> AsyncIterator[int]:
    """The port of a gateway elsewhere."""
    values = {"http_address": "127.0.0.1:0", **settings}
    async with running_gateway(
        Settings(**values), Target(f"127.0.0.1:{served.running.grpc_port}")
    ) as listener:
        yield listener.port


async def until_closed(port: int) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while True:
            await fetch(port, "GET", "/healthz")


async def guess(port: int, address: str, secret: str = "wrong") -> Answer:
    headers = [("Authorization", f"Bearer {secret}"), ("X-Forwarded-For", address)]
    return await fetch(port, "GET", "/api/v1/email", headers)


async def test_e7_wrong_tokens_are_counted_by_the_client_not_by_the_gateway(database: str) -> None:
    settings: dict[str, Any] = {"http_address": "127.0.0.1:0", "http_trusted_proxies": LOOPBACK}
    async with serving(database, **settings) as served:
        secret = await served.token("t")
        port = served.running.http_port
        statuses = [(await guess(port, "192.0.2.1")).status for _ in range(21)]
        assert statuses == [401] * 20 + [429]
        assert int((await guess(port, "192.0.2.1", secret)).headers["retry-after"]) in range(1, 62)
        assert (await guess(port, "192.0.2.2", secret)).status == 200


@pytest.mark.parametrize(("theirs", "other_client"), [(TOKEN, 401), ("not-the-gateways-token", 429)])
async def test_e7_the_word_of_a_gateway_elsewhere_is_taken_when_its_token_is_known(
    database: str, theirs: str, other_client: int
) -> None:
    async with serving(database, gateway_token=TOKEN) as served:
        async with gateway(served, gateway_token=theirs, http_trusted_proxies=LOOPBACK) as port:
            for _ in range(20):
                assert (await guess(port, "192.0.2.1")).status == 401
            assert (await guess(port, "192.0.2.1")).status == 429
            assert (await guess(port, "192.0.2.2")).status == other_client


async def test_e7_a_client_does_not_choose_its_address_by_a_header(database: str) -> None:
    async with serving(database, http_address="127.0.0.1:0") as served:
        port = served.running.http_port
        statuses = [(await guess(port, f"192.0.2.{n}")).status for n in range(21)]
        assert statuses == [401] * 20 + [429]
        spoofed = [("X-Postroom-Client-Address", "192.0.2.99"), ("Authorization", "Bearer wrong")]
        assert (await fetch(port, "GET", "/api/v1/email", spoofed)).status == 429


async def test_a_gateways_token_opens_nothing_by_itself(database: str) -> None:
    async with serving(database, gateway_token=TOKEN) as served, gateway(served, gateway_token=TOKEN) as port:
        assert (await fetch(port, "GET", "/api/v1/email")).status == 401
        assert (await guess(port, "192.0.2.1", TOKEN)).status == 401


async def test_readyz_follows_the_server_and_its_database(sqlite_database: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        server = contextlib.AsyncExitStack()
        served = await server.enter_async_context(serving(sqlite_database, http_address="127.0.0.1:0"))
        port = await stack.enter_async_context(gateway(served))
        assert (await fetch(port, "GET", "/readyz")).json == {"status": "ready"}
        await server.aclose()
        answer = await fetch(port, "GET", "/readyz")
        assert (answer.status, answer.json) == (503, {"status": "not ready"})
        assert (await fetch(port, "GET", "/healthz")).json == {"status": "ok"}
        answer = await guess(port, "192.0.2.1")
        assert (answer.status, "retry-after" in answer.headers) == (503, True)


async def test_readyz_says_when_the_database_is_out_of_reach(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach = {"database": True}

    def look() -> int:
        if not reach["database"]:
            raise OSError("the disk is gone")
        return read_generation()

    monkeypatch.setattr(assembly, "read_generation", look)
    monkeypatch.setattr("postroom_server.rpc.health._FRESH_SECONDS", 0.0)
    async with serving(sqlite_database, http_address="127.0.0.1:0") as served:
        for there, status in ((True, 200), (False, 503), (True, 200)):
            reach["database"] = there
            assert (await fetch(served.running.http_port, "GET", "/readyz")).status == status


async def test_tls_on_both_sides_of_a_gateway(sqlite_database: str, certificates: Certificates) -> None:
    pair = {"cert": certificates.cert, "key": certificates.key}
    server = {f"grpc_tls_{name}": path for name, path in pair.items()}
    mine = {f"http_tls_{name}": path for name, path in pair.items()}
    settings = Settings(
        database_url=sqlite_database, data_key=DATA_KEY, grpc_address="127.0.0.1:0", http_address="",
        metrics_address="", **server,
    )  # fmt: skip
    async with assembly.running(settings) as running:
        address = f"localhost:{running.grpc_port}"
        knowing = grpc.ssl_channel_credentials(certificates.ca.read_bytes())
        for credentials, status in ((knowing, 200), (grpc.ssl_channel_credentials(), 503), (None, 503)):
            gateway_settings = Settings(http_address="127.0.0.1:0", **mine)
            async with running_gateway(gateway_settings, Target(address, credentials)) as listener:
                answer = await fetch(listener.port, "GET", "/readyz", tls=certificates.client())
                assert answer.status == status


async def test_both_faces_answer_the_same_over_both_channels(database: str) -> None:
    async with serving(database, http_address="127.0.0.1:0") as served, gateway(served) as remote:
        secret = await served.token("bearer")
        key = await served.token("pair", ACME, api_user="acme")
        for port in (served.running.http_port, remote):
            assert (await guess(port, "", secret)).json["data"] == {"total": "0", "list": []}
            listed = await fetch(port, "GET", f"/apiv2/template/list?apiUser=acme&apiKey={key}")
            assert listed.json["info"] == {"dataList": [], "total": 0, "count": 0}


@pytest.mark.parametrize(("more", "status"), [(0, 400), (1, 413)])
async def test_e6_a_body_of_26_mib_is_read_and_one_byte_more_is_not(
    sqlite_database: str, more: int, status: int
) -> None:
    """What is read is refused for what it says; either way nothing is stored."""
    async with serving(sqlite_database, http_address="127.0.0.1:0") as served, gateway(served) as remote:
        headers = [("Authorization", f"Bearer {await served.token('t')}"), JSON]
        body = b'{"type": "CUSTOM", "content": "' + b"x" * ((26 << 20) - 33 + more) + b'"}'
        assert len(body) == (26 << 20) + more
        for port in (served.running.http_port, remote):
            answer = await fetch(port, "POST", "/api/v1/email", headers, body)
            assert (answer.status, answer.json["code"]) == (status, "E0")
            assert answer.json["ext"]["eKey"] == ("payload_too_large" if more else "param_validation_error")
        told = await served.call("EmailService.ListEmails", await served.token("r"))
        assert list(told.message.emails) == []


async def test_a_server_that_stops_answers_what_is_still_arriving(sqlite_database: str) -> None:
    server = contextlib.AsyncExitStack()
    served = await server.enter_async_context(serving(sqlite_database, http_address="127.0.0.1:0"))
    secret = await served.token("t")
    await served.add_server(ACME, from_address="a@example.com")
    fields = {"type": "CUSTOM", "toAddress": ["b@example.com"], "subject": "s", "content": "c", **PLAIN}
    request = request_bytes(
        "POST", "/api/v1/email", [("Authorization", f"Bearer {secret}"), JSON], json.dumps(fields).encode()
    )
    async with connected(served.running.http_port) as wire:
        wire.send(request[:-10])
        await wire.drain()
        assert (await fetch(served.running.http_port, "GET", "/healthz")).status == 200
        stopping = asyncio.create_task(server.aclose())
        await until_closed(served.running.http_port)
        wire.send(request[-10:])
        answer = await wire.answer()
        assert (answer.json["code"], answer.headers["connection"]) == ("S", "close")
        await stopping


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"http_address": "0.0.0.0:0"},
            r"plaintext: set http_tls_cert .* 127\.0\.0\.1, or set http_plaintext_ok",
        ),
        ({"http_address": "[::]:0"}, "plaintext"),
        ({"http_address": ":0"}, "plaintext"),
        ({"http_address": "mail.example:80"}, "plaintext"),
        ({"http_address": "8080"}, "is not host:port"),
        ({"http_address": "127.0.0.1:99999"}, "there is no port 99999"),
        ({"http_address": "127.0.0.1:0", "http_tls_cert": "/nowhere"}, "needs both"),
        ({"http_tls_cert": "/nowhere", "http_tls_key": "/nowhere"}, "cannot read /nowhere"),
    ],
)
def test_f5_what_http_cannot_be_served_with_is_refused_in_one_line(
    settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        http_settings(Settings(**settings))
    assert "\n" not in str(refused.value)


def test_f5_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    nonsense = tmp_path / "x.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(ConfigurationError, match="holds no private key in PEM"):
        http_settings(Settings(http_tls_cert=nonsense, http_tls_key=nonsense))


def test_f5_plaintext_is_possible_when_it_is_meant() -> None:
    settings = Settings(http_address=":8080", http_plaintext_ok=True)
    assert http_settings(settings).host == "0.0.0.0"


async def test_f5_a_server_does_not_start_in_plaintext_on_a_public_address(sqlite_database: str) -> None:
    settings = Settings(
        database_url=sqlite_database, data_key=DATA_KEY, grpc_address="127.0.0.1:0", metrics_address="",
        http_address="0.0.0.0:0",
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="plaintext"):
        async with assembly.running(settings):
            raise AssertionError("it listens")


async def test_a_taken_address_is_refused_with_the_way_out(sqlite_database: str) -> None:
    async with serving(sqlite_database, http_address="127.0.0.1:0") as served:
        taken = Settings(http_address=f"127.0.0.1:{served.running.http_port}")
        with pytest.raises(ConfigurationError, match=r"is taken .* name another http_address"):
            async with running_gateway(taken, Target("127.0.0.1:1")):
                raise AssertionError("it listens")


async def test_nobody_is_trusted_without_a_token() -> None:
    assert gateway_trust(Settings()) is None
    trusts = gateway_trust(Settings(gateway_token=TOKEN))
    assert trusts is not None
    assert await trusts(TOKEN)
    assert not await trusts("")
    assert not await trusts(TOKEN + "x")
