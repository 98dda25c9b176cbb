"""A whole server over a test's database: its channels, tokens, and a catcher for its mail."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from conftest import DATA_KEY
from postroom.v1 import (
    directory_service_pb2,
    email_service_pb2,
    mail_server_service_pb2,
    suppression_service_pb2,
    template_service_pb2,
    tenant_service_pb2,
    token_service_pb2,
)
from postroom_server import assembly
from postroom_server.catcher import Catcher, CaughtMail
from postroom_server.clock import Clock, Millis
from postroom_server.mail import tokens
from postroom_server.mail.caller import Scope
from postroom_server.mail.limits import Limits
from postroom_server.mail.server_form import ServerForm, TlsMode
from postroom_server.mail.servers import Servers
from postroom_server.mail.tenants import TenantForm, Tenants
from postroom_server.settings import Settings
from postroom_server.store.ids import IdMint
from postroom_server.store.sealing import DataKey, Sealer
from waiting import until

ACME, OTHER = 7, 8
TENANTS = {ACME: "acme", OTHER: "other"}
WITHOUT_PLATFORM = frozenset(Scope) - {Scope.PLATFORM}
PATIENCE = 10.0

METHODS: dict[str, MethodDescriptor] = {
    f"{service.name}.{method.name}": method
    for file in (
        email_service_pb2,
        template_service_pb2,
        mail_server_service_pb2,
        directory_service_pb2,
        suppression_service_pb2,
        tenant_service_pb2,
        token_service_pb2,
    )
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


@dataclasses.dataclass(frozen=True)
class Told:
    """An answer as a caller sees it: messages, or a status with what is in its details."""

    messages: tuple[Message, ...] = ()
    code: str = "OK"
    details: str = ""
    reason: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    violations: tuple[tuple[str, str, str], ...] = ()
    retry_after: float | None = None

    @property
    def message(self) -> Any:
        """The one message of an answer that must be OK."""
        assert self.code == "OK", self
        (message,) = self.messages
        return message

    @property
    def fields(self) -> list[str]:
        return [field for field, _, _ in self.violations]


def _refused(error: grpc.aio.AioRpcError, messages: Iterable[Message]) -> Told:
    told = Told(tuple(messages), error.code().name, error.details() or "")
    packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if packed is None:
        return told
    status = status_pb2.Status.FromString(packed)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    found: dict[str, Any] = {}
    for detail in status.details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            assert info.domain == "postroom"
            found |= {"reason": info.reason, "metadata": tuple(sorted(info.metadata.items()))}
        elif detail.Unpack(bad):
            found["violations"] = tuple((v.field, v.description, v.reason) for v in bad.field_violations)
        elif detail.Unpack(retry):
            found["retry_after"] = retry.retry_delay.ToTimedelta().total_seconds()
    return dataclasses.replace(told, **found)


class Served:
    """`call("EmailService.GetEmail", secret, id=1)`, over LocalChannel unless another channel is given."""

    def __init__(self, running: assembly.Running, catcher: Catcher, socket: grpc.aio.Channel) -> None:
        self.running, self.store, self.catcher = running, running.store, catcher
        self.local: grpc.aio.Channel = running.channel
        self.socket = socket
        self.clock = Clock()
        # Only what the server's own node makes is numbered by it.
        self.mint = IdMint(self.clock, node=1023)

    async def token(
        self,
        name: str,
        tenant_id: int = ACME,
        scopes: Iterable[Scope] = WITHOUT_PLATFORM,
        **form: Any,
    ) -> str:
        """A new token's secret."""
        wanted = tokens.TokenForm(name=name, scopes=tuple(scopes), **form)
        made = await self.store.write(tokens.create, tenant_id, wanted, self.clock.now(), self.mint)
        return made.secret

    async def add_server(self, tenant_id: int, name: str = "catcher", **form: Any) -> int:
        """A mail server that is the catcher, unless the form says otherwise."""
        wanted = {"host": "127.0.0.1", "port": self.catcher.port, "tls_mode": TlsMode.OFF, **form}
        servers = Servers(self.clock, self.mint, Sealer(DataKey.from_text(DATA_KEY)), Limits())
        made = await self.store.write(servers.add, tenant_id, ServerForm(name=name, **wanted))
        return made.id

    async def change_tenant(self, tenant_id: int, **rules: Any) -> None:
        tenants = Tenants(self.clock, self.mint)
        await self.store.write(tenants.update, tenant_id, TenantForm(**rules), list(rules))

    async def call(
        self,
        method: str,
        secret: str | None,
        request: Message | None = None,
        /,
        *,
        channel: grpc.aio.Channel | None = None,
        metadata: tuple[tuple[str, str], ...] = (),
        most: int = 1,
        **fields: Any,
    ) -> Told:
        """Calls any method of the contract; of a stream it reads the first `most` messages but heartbeats."""
        described = METHODS[method]
        if request is None:
            request = GetMessageClass(described.input_type)(**fields)
        return await self.raw(
            method, secret, request.SerializeToString(), channel=channel, metadata=metadata, most=most
        )

    async def raw(
        self,
        method: str,
        secret: str | None,
        data: bytes,
        *,
        channel: grpc.aio.Channel | None = None,
        metadata: tuple[tuple[str, str], ...] = (),
        most: int = 1,
    ) -> Told:
        return await answer_of(
            channel or self.local, METHODS[method], secret, data, metadata=metadata, most=most
        )

    async def until_caught(self, count: int = 1) -> list[CaughtMail]:
        await self.until(lambda: len(self.catcher.mails) >= count)
        return list(self.catcher.mails)

    async def until(self, true: Callable[[], bool]) -> None:
        await until(true)


async def answer_of(
    channel: grpc.aio.Channel,
    described: MethodDescriptor,
    secret: str | None,
    data: bytes | dict[str, Any],
    *,
    metadata: tuple[tuple[str, str], ...] = (),
    most: int = 1,
) -> Told:
    """Calls a method with the bytes of a request, or with its fields."""
    if isinstance(data, dict):
        data = GetMessageClass(described.input_type)(**data).SerializeToString()
    if secret is not None:
        metadata = (("authorization", f"Bearer {secret}"), *metadata)
    make: Any = channel.unary_stream if described.server_streaming else channel.unary_unary
    path = f"/{described.containing_service.full_name}/{described.name}"
    answer = GetMessageClass(described.output_type)
    call = make(path, response_deserializer=answer.FromString)(data, metadata=metadata, timeout=PATIENCE)
    return await (_answers(call, most) if described.server_streaming else _answer(call))


async def _answer(call: Any) -> Told:
    try:
        return Told((await call,))
    except grpc.aio.AioRpcError as error:
        return _refused(error, ())


async def _answers(call: Any, most: int) -> Told:
    messages: list[Message] = []
    try:
        async for message in call:
            if message.WhichOneof("message") == "heartbeat":
                continue
            messages.append(message)
            if len(messages) == most:
                call.cancel()
                return Told(tuple(messages))
    except grpc.aio.AioRpcError as error:
        return _refused(error, messages)
    return Told(tuple(messages))


@contextlib.asynccontextmanager
async def serving(database: str, *, clock: Clock | None = None, **settings: Any) -> AsyncIterator[Served]:
    """A server with two tenants beside the platform, over this database, on LocalChannel and a socket."""
    values: dict[str, Any] = {
        "database_url": database,
        "data_key": DATA_KEY,
        "grpc_address": "127.0.0.1:0",
        "http_address": "",
        "metrics_address": "",
        "poll_ms": 20,
        "drain_seconds": 5,
        **settings,
    }
    wanted = Settings(**values)
    async with Catcher(lambda _: None) as catcher, assembly.running(wanted, clock=clock) as running:
        socket = grpc.aio.insecure_channel(f"127.0.0.1:{running.grpc_port}")
        served = Served(running, catcher, socket)
        tenants = Tenants(served.clock, served.mint)
        for tenant_id, name in TENANTS.items():
            await served.store.write(tenants.create, tenant_id, TenantForm(name=name))
        try:
            yield served
        finally:
            await socket.close()


@pytest.fixture
async def served(database: str) -> AsyncIterator[Served]:
    async with serving(database) as made:
        yield made


def later(seconds: int = 3600) -> Millis:
    return Clock().now() + seconds * 1000
