"""The socket: where it may listen, TLS, health, reflection, floods, garbage, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from postroom_server.rpc.endpoint import ConfigurationError, is_private
from postroom_server.rpc.in_flight import InFlight
from postroom_server.rpc.listener import Listener, ListenerSettings
from postroom_server.rpc.services import Services

from .conftest import Parrot, ParrotStub, World, add_parrot, failure_of

SERVING = health_pb2.HealthCheckResponse.SERVING
SOON = 5
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
PING = bytes.fromhex("000008060000000000") + b"12345678"
PING_ACK = bytes.fromhex("000008060100000000") + b"12345678"
SETTINGS_ACK = bytes.fromhex("000000040100000000")


def listener(**settings: Any) -> Listener:
    services = Services([])
    services.add(add_parrot, Parrot())
    return Listener(services, InFlight(), ListenerSettings(**settings))


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("127.0.0.1:50051", True),
        ("127.8.9.1:0", True),
        ("[::1]:50051", True),
        ("localhost:50051", True),
        ("unix:/tmp/x", True),
        ("unix-abstract:x", True),
        ("0.0.0.0:50051", False),
        ("[::]:50051", False),
        ("10.0.0.1:50051", False),
        ("mail.example:50051", False),
        ("localhost.example:50051", False),
        (":50051", False),
        ("127.0.0.1.example:50051", False),
    ],
)
def test_f5_what_only_this_machine_reaches(address: str, private: bool) -> None:
    assert is_private(address) is private


def test_f5_plaintext_on_a_public_interface_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigurationError, match=r"grpc_tls_cert.*127\.0\.0\.1.*grpc_plaintext_ok") as caught:
        listener(address="0.0.0.0:0")
    assert "\n" not in str(caught.value)


async def test_f5_plaintext_is_possible_when_it_is_meant() -> None:
    open_to_all = listener(address="0.0.0.0:0", grpc_plaintext_ok=True)
    await open_to_all.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{open_to_all.port}") as channel:
        assert (await ParrotStub(channel).say("echo x")).value == "x"
    await open_to_all.stop()


@pytest.mark.parametrize("missing", ["grpc_tls_cert", "grpc_tls_key"])
def test_f5_half_of_tls_is_refused(missing: str, tmp_path: Path) -> None:
    given = {"grpc_tls_cert": tmp_path, "grpc_tls_key": tmp_path} | {missing: None}
    with pytest.raises(ConfigurationError, match="needs both"):
        listener(**given)


def test_f5_an_unreadable_key_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*key\.pem: No such file"):
        listener(grpc_tls_cert=tmp_path / "cert.pem", grpc_tls_key=tmp_path / "key.pem")


async def test_f5_tls_and_mutual_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    ours, theirs = authority.issue_cert("localhost"), authority.issue_cert("client@example.org")
    ours.private_key_pem.write_to_path(tmp_path / "key.pem")
    ours.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    secure = listener(
        address="0.0.0.0:0",
        grpc_tls_cert=tmp_path / "cert.pem",
        grpc_tls_key=tmp_path / "key.pem",
        grpc_tls_client_ca=tmp_path / "ca.pem",
    )
    await secure.start()
    root = authority.cert_pem.bytes()
    known = grpc.ssl_channel_credentials(
        root, theirs.private_key_pem.bytes(), theirs.cert_chain_pems[0].bytes()
    )
    async with grpc.aio.secure_channel(f"localhost:{secure.port}", known) as channel:
        assert (await ParrotStub(channel).say("echo x")).value == "x"
    stranger = grpc.ssl_channel_credentials(root)
    async with grpc.aio.secure_channel(f"localhost:{secure.port}", stranger) as channel:
        assert (await failure_of(ParrotStub(channel).say("echo x", timeout=5))).code == "UNAVAILABLE"
    async with grpc.aio.insecure_channel(f"localhost:{secure.port}") as channel:
        assert (await failure_of(ParrotStub(channel).say("echo x", timeout=5))).code == "UNAVAILABLE"
    await secure.stop()


async def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    local = listener(address=f"unix:{tmp_path}/s")
    await local.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel:
        assert (await ParrotStub(channel).say("echo x")).value == "x"
    await local.stop()


async def test_a_port_that_is_taken_is_one_line(socket_world: World) -> None:
    # Without so_reuseport=0 both would listen, and share the calls.
    second = listener(address=f"127.0.0.1:{socket_world.listener.port}")
    with pytest.raises(ConfigurationError, match="cannot listen on"):
        await second.start()


async def test_health_needs_no_token(socket_world: World) -> None:
    stub = health_pb2_grpc.HealthStub(socket_world.channel)
    for name in ("", "test.Parrot", "grpc.health.v1.Health"):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == SERVING
    unknown = await failure_of(stub.Check(health_pb2.HealthCheckRequest(service="nobody")))
    assert unknown.code == "NOT_FOUND"


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_needs_no_token(socket_world: World, version: str) -> None:
    ask = socket_world.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    call = ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    names = [service.name async for answer in call for service in answer.list_services_response.service]
    assert {"test.Parrot", "grpc.health.v1.Health"} <= set(names)


async def test_reflection_can_be_switched_off() -> None:
    silent = listener(address="127.0.0.1:0", reflection=False)
    await silent.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{silent.port}") as channel:
        method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        call = channel.stream_stream(method)(iter([b""]))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    await silent.stop()


async def test_drain_tells_health_first_and_lets_calls_finish(socket_world: World) -> None:
    watch = health_pb2_grpc.HealthStub(socket_world.channel).Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == SERVING
    held = asyncio.ensure_future(_awaited(socket_world.stub.say("hold on", timeout=5)))
    await socket_world.parrot.began.wait()
    draining = asyncio.ensure_future(socket_world.listener.drain(timedelta(seconds=5)))
    assert (await watch.read()).status == NOT_SERVING
    assert (await failure_of(socket_world.stub.say("echo x"))).reason == "SHUTTING_DOWN"
    socket_world.parrot.release.set()
    assert (await held).value == "on"
    assert await draining
    with pytest.raises(grpc.aio.AioRpcError):
        await watch.read()


async def test_drain_does_not_wait_for_ever(socket_world: World) -> None:
    held = asyncio.ensure_future(failure_of(socket_world.stub.say("hang", timeout=20)))
    await socket_world.parrot.began.wait()
    assert not await socket_world.listener.drain(timedelta(milliseconds=100))
    assert (await held).code in ("UNAVAILABLE", "CANCELLED")
    await asyncio.wait_for(socket_world.parrot.cancelled.wait(), 5)


async def test_f1_the_server_announces_its_limits(socket_world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", socket_world.listener.port)
    writer.write(PREFACE)
    kind, payload = await _frame(reader)
    settings = dict(struct.iter_unpack(">HI", payload))
    assert kind == 4
    assert settings[3] == 100  # SETTINGS_MAX_CONCURRENT_STREAMS
    assert settings[6] == 4096  # SETTINGS_MAX_HEADER_LIST_SIZE, as these tests set it
    writer.close()


async def test_f1_a_ping_flood_is_disconnected(socket_world: World) -> None:
    # A bare socket: a StreamReader forgets the server's last words when a write fails.
    loop = asyncio.get_running_loop()
    heard = b""
    with socket.socket() as line, contextlib.suppress(ConnectionError):
        line.setblocking(False)
        await loop.sock_connect(line, ("127.0.0.1", socket_world.listener.port))
        await loop.sock_sendall(line, PREFACE)
        async with asyncio.timeout(SOON):
            while part := await loop.sock_recv(line, 4096):
                heard += part
                with contextlib.suppress(ConnectionError):
                    await loop.sock_sendall(line, PING)
    assert heard.endswith(bytes.fromhex("0000000b") + b"too_many_pings")  # ENHANCE_YOUR_CALM
    assert 1 <= heard.count(PING_ACK) <= 6


async def test_f1_a_burst_beyond_the_limit_on_a_new_channel_waits_its_turn(socket_world: World) -> None:
    answers = await asyncio.gather(*(socket_world.stub.say(f"echo {n}") for n in range(1000)))
    assert [answer.value for answer in answers] == [str(n) for n in range(1000)]


async def test_f1_a_crowd_of_clients_waits_its_turn(socket_world: World) -> None:
    address = f"127.0.0.1:{socket_world.listener.port}"
    own_connection = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, own_connection) for _ in range(40)]
    calls = [ParrotStub(channel).say("echo x", timeout=60) for channel in channels for _ in range(100)]
    assert {answer.value for answer in await asyncio.gather(*calls)} == {"x"}
    for channel in channels:
        await channel.close()


async def test_f1_streams_beyond_the_limit_are_refused_to_clients_that_do_not_wait(
    socket_world: World,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", socket_world.listener.port)
    writer.write(PREFACE)
    while (await _frame(reader))[0] != 4:
        pass
    writer.write(SETTINGS_ACK)
    for number in range(150):
        writer.write(_headers(2 * number + 1))
    refused = set()
    while len(refused) < 50:
        head = await asyncio.wait_for(reader.readexactly(9), SOON)
        payload = await reader.readexactly(int.from_bytes(head[:3]))
        if head[3] == 3:
            assert payload == bytes.fromhex("00000007")  # REFUSED_STREAM
            refused.add(int.from_bytes(head[5:]))
    assert refused == {2 * number + 1 for number in range(100, 150)}
    writer.close()
    assert (await socket_world.stub.say("echo alive")).value == "alive"


async def test_f1_streams_that_are_reset_at_once_do_no_harm(socket_world: World) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", socket_world.listener.port)
    writer.write(PREFACE + SETTINGS_ACK)
    for number in range(5000):
        stream = 2 * number + 1
        writer.write(_headers(stream) + b"\0\0\x04\x03\0" + stream.to_bytes(4) + bytes(3) + b"\x08")
    answer = await socket_world.stub.say("echo alive", timeout=SOON)
    assert answer.value == "alive"
    writer.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello",
        b"\x00" * 5000,
        PREFACE + b"\xff" * 64,
    ],
)
async def test_f3_garbage_on_the_wire_ends_its_connection_only(socket_world: World, garbage: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", socket_world.listener.port)
    writer.write(garbage)
    async with asyncio.timeout(5):
        while await _read(reader):
            pass
    writer.close()
    assert (await socket_world.stub.say("echo alive")).value == "alive"


def _headers(stream: int) -> bytes:
    """A HEADERS frame that begins a call of Parrot.Say and leaves it open."""
    block = b"\x83\x86"  # :method POST, :scheme http
    for name, value in (
        (b":path", b"/test.Parrot/Say"),
        (b":authority", b"x"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ):
        block += b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
    return len(block).to_bytes(3) + b"\x01\x04" + stream.to_bytes(4) + block


async def _frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(9)
    return head[3], await reader.readexactly(int.from_bytes(head[:3]))


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(4096)
    except ConnectionResetError:
        return b""


async def _awaited(call: Any) -> Any:
    return await call
