"""The services that configure a deployment, behind the layers and over a LocalChannel, with real tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc.aio
import prometheus_client
from google.rpc import error_details_pb2, status_pb2

from peers.configuration import Configuration
from postroom.v1 import (
    mail_server_service_pb2_grpc,
    template_service_pb2_grpc,
    tenant_service_pb2_grpc,
    token_service_pb2_grpc,
)
from postroom_server.mail.caller import Scope
from postroom_server.mail.recognition import Tokens
from postroom_server.mail.servers import BreakerFacts
from postroom_server.mail.tokens import TokenForm
from postroom_server.rpc.in_flight import InFlight
from postroom_server.rpc.local_channel import LocalChannel
from postroom_server.rpc.mail_server_servicer import MailServerServicer
from postroom_server.rpc.metrics import Metrics
from postroom_server.rpc.scope_table import SCOPES
from postroom_server.rpc.services import Services
from postroom_server.rpc.stack import stack
from postroom_server.rpc.template_servicer import TemplateServicer, TemplateUses
from postroom_server.rpc.tenant_servicer import TenantServicer
from postroom_server.rpc.token_servicer import TokenServicer


class ConfigurationServices:
    """Stubs, and the metadata of those whom `let_in` has given tokens."""

    def __init__(
        self, configured: Configuration, breaker_of: Callable[[int], BreakerFacts | None] = lambda _: None
    ) -> None:
        c = self.configured = configured
        self.tokens = Tokens(c.store, c.clock)
        self._secrets: dict[str, str] = {}
        services = Services(
            stack(
                clock=c.clock,
                metrics=Metrics(prometheus_client.CollectorRegistry()),
                in_flight=InFlight(max_bytes=64 << 20),
                authenticate=self.tokens.authenticate,
                scopes=SCOPES,
            )
        )
        uses = TemplateUses(
            c.templates, c.template_list, c.versions, c.reviews, c.bindings, c.rendering, c.memory
        )
        services.add(
            template_service_pb2_grpc.add_TemplateServiceServicer_to_server, TemplateServicer(c.store, uses)
        )
        services.add(
            mail_server_service_pb2_grpc.add_MailServerServiceServicer_to_server,
            MailServerServicer(c.store, c.servers, c.server_list, breaker_of),
        )
        services.add(
            tenant_service_pb2_grpc.add_TenantServiceServicer_to_server,
            TenantServicer(c.store, c.tenants, c.tenant_list),
        )
        services.add(
            token_service_pb2_grpc.add_TokenServiceServicer_to_server,
            TokenServicer(c.store, c.clock, c.mint, c.token_list),
        )
        self.channel = LocalChannel(services)
        self.templates = template_service_pb2_grpc.TemplateServiceStub(self.channel)
        self.servers = mail_server_service_pb2_grpc.MailServerServiceStub(self.channel)
        self.tenants = tenant_service_pb2_grpc.TenantServiceStub(self.channel)
        self.access = token_service_pb2_grpc.TokenServiceStub(self.channel)

    async def let_in(self, name: str, tenant_id: int, *scopes: Scope) -> None:
        made = await self.configured.new_token(TokenForm(name=name, scopes=scopes), tenant_id)
        self._secrets[name] = made.secret

    def as_(self, name: str) -> Any:
        """The metadata of a call by that token."""
        return self.bearing(self._secrets[name])

    def bearing(self, credential: str) -> Any:
        return (("authorization", f"Bearer {credential}"),)

    async def close(self) -> None:
        await self.channel.close()
        await self.tokens.close()


class Told:
    """What an error status tells."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        status = status_pb2.Status.FromString(
            dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
        )
        self.code = error.code().name
        self.fields: list[str] = []
        info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        for detail in status.details:
            detail.Unpack(info)
            if detail.Unpack(bad_request):
                self.fields = [violation.field for violation in bad_request.field_violations]
        self.reason = info.reason


async def told(call: Any) -> Told:
    """Awaits a call that must be refused."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return Told(error)
    raise AssertionError(f"not refused: {answer}")
