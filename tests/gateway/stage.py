"""What cases are played on: a server, the gateway before it, and for each case a tenant of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import grpc.aio

from conftest import DATA_KEY
from gateway.truth import Truth, document_of
from postroom_server import assembly
from postroom_server.catcher import Catcher
from postroom_server.clock import Clock
from postroom_server.mail import tokens
from postroom_server.mail.caller import Scope
from postroom_server.mail.limits import Limits
from postroom_server.mail.server_form import ServerForm, TlsMode
from postroom_server.mail.servers import Servers
from postroom_server.mail.tenants import TenantForm, Tenants
from postroom_server.remote_gateway import Target, running_gateway
from postroom_server.settings import Settings
from postroom_server.store.ids import IdMint
from postroom_server.store.sealing import DataKey, Sealer

FROM_ADDRESS = "postroom@example.com"
GATEWAY_TOKEN = "gateway-token-of-the-tests"
EVERYTHING = frozenset(Scope) - {Scope.PLATFORM}
LOOPBACK = ("127.0.0.1",)
# Only what the server's own node makes is numbered by it.
MINT = IdMint(Clock(), node=1023)


@dataclasses.dataclass(frozen=True)
class Stage:
    """A server that is up, and where its REST face is."""

    running: assembly.Running
    channel: grpc.aio.Channel
    http_port: int
    truth: Truth

    async def furnish(self, unit: Callable[[], None]) -> None:
        """Runs what makes rows, such as the functions below, in one transaction."""
        await self.running.store.write(unit)


def new_tenant() -> int:
    tenant_id = 1000 + secrets.randbelow(2**30)
    Tenants(Clock(), MINT).create(tenant_id, TenantForm(name=f"t{tenant_id}"))
    return tenant_id


def new_token(tenant_id: int, name: str, *, scopes: Iterable[Scope] = EVERYTHING, **form: Any) -> str:
    """Its secret."""
    wanted = tokens.TokenForm(name=name, scopes=tuple(scopes), **form)
    return tokens.create(tenant_id, wanted, Clock().now(), MINT).secret


def new_server(tenant_id: int, catcher: Catcher) -> int:
    form = ServerForm(
        name="catcher", host="127.0.0.1", port=catcher.port, tls_mode=TlsMode.OFF, from_address=FROM_ADDRESS
    )
    return Servers(Clock(), MINT, Sealer(DataKey.from_text(DATA_KEY)), Limits()).add(tenant_id, form).id


@contextlib.asynccontextmanager
async def staged(database: str, transport: str, settings: Mapping[str, Any]) -> AsyncIterator[Stage]:
    """The dialects in the server itself, over LocalChannel, or in a gateway before it, over a network."""
    is_local = transport == "local"
    values: dict[str, Any] = {
        "database_url": database, "data_key": DATA_KEY, "grpc_address": "127.0.0.1:0", "metrics_address": "",
        "http_trusted_proxies": LOOPBACK, "gateway_token": GATEWAY_TOKEN, "poll_ms": 20, "drain_seconds": 5,
        **settings,
    }  # fmt: skip
    wanted = Settings(**{"http_address": "127.0.0.1:0" if is_local else "", **values})
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(assembly.running(wanted))
        if is_local:
            channel: grpc.aio.Channel = running.channel
            port = running.http_port
        else:
            address = f"127.0.0.1:{running.grpc_port}"
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
            before = Settings(**{**values, "http_address": "127.0.0.1:0"})
            port = (await stack.enter_async_context(running_gateway(before, Target(address)))).port
        yield Stage(running, channel, port, Truth(await document_of(port)))


class Stages:
    """One stage at a time: a process opens one database."""

    def __init__(self, database: str, transport: str) -> None:
        self._database, self._transport = database, transport
        self._stack = contextlib.AsyncExitStack()
        self._settings: Mapping[str, Any] | None = None
        self._stage: Stage | None = None

    async def with_settings(self, settings: Mapping[str, Any]) -> Stage:
        if self._stage is None or settings != self._settings:
            await self.close()
            self._stage = await self._stack.enter_async_context(
                staged(self._database, self._transport, settings)
            )
            self._settings = settings
        return self._stage

    async def close(self) -> None:
        self._stage = None
        await self._stack.aclose()
        self._stack = contextlib.AsyncExitStack()
