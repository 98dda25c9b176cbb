"""MailServerService: read, call, write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from postroom.v1 import mail_server_pb2, mail_server_service_pb2, mail_server_service_pb2_grpc
from postroom_server.mail.server_list import ServerList
from postroom_server.mail.servers import BreakerFacts, ServerRecord, Servers
from postroom_server.rpc.call import current_caller
from postroom_server.rpc.convert.filters import page_request_of
from postroom_server.rpc.convert.lists import filled
from postroom_server.rpc.convert.mail_server import server_form, server_message, server_paths
from postroom_server.rpc.convert.named_tenant import named_tenant
from postroom_server.store.unit import Store


class MailServerServicer(mail_server_service_pb2_grpc.MailServerServiceServicer):
    """`breaker_of` tells how this process finds a server; None where it has not spoken to it."""

    def __init__(
        self,
        store: Store,
        servers: Servers,
        server_list: ServerList,
        breaker_of: Callable[[int], BreakerFacts | None],
    ) -> None:
        self._store = store
        self._servers = servers
        self._list = server_list
        self._breaker_of = breaker_of

    async def CreateMailServer(
        self, request: mail_server_service_pb2.CreateMailServerRequest, _context: Any
    ) -> mail_server_service_pb2.CreateMailServerResponse:
        server = await self._store.write(
            self._servers.create, current_caller(), named_tenant(request), server_form(request.mail_server)
        )
        return mail_server_service_pb2.CreateMailServerResponse(mail_server=self._message(server))

    async def GetMailServer(
        self, request: mail_server_service_pb2.GetMailServerRequest, _context: Any
    ) -> mail_server_service_pb2.GetMailServerResponse:
        server = await self._store.read(
            self._servers.get, current_caller(), named_tenant(request), request.id
        )
        return mail_server_service_pb2.GetMailServerResponse(mail_server=self._message(server))

    async def ListMailServers(
        self, request: mail_server_service_pb2.ListMailServersRequest, _context: Any
    ) -> mail_server_service_pb2.ListMailServersResponse:
        page = await self._store.read(
            self._list.list, current_caller(), named_tenant(request), page_request_of(request)
        )
        return filled(mail_server_service_pb2.ListMailServersResponse(), "mail_servers", page, self._message)

    async def UpdateMailServer(
        self, request: mail_server_service_pb2.UpdateMailServerRequest, _context: Any
    ) -> mail_server_service_pb2.UpdateMailServerResponse:
        server = await self._store.write(
            self._servers.update,
            current_caller(),
            named_tenant(request),
            request.mail_server.id,
            server_form(request.mail_server),
            server_paths(request),
        )
        return mail_server_service_pb2.UpdateMailServerResponse(mail_server=self._message(server))

    async def DeleteMailServer(
        self, request: mail_server_service_pb2.DeleteMailServerRequest, _context: Any
    ) -> mail_server_service_pb2.DeleteMailServerResponse:
        await self._store.write(self._servers.delete, current_caller(), named_tenant(request), request.id)
        return mail_server_service_pb2.DeleteMailServerResponse()

    def _message(self, server: ServerRecord) -> mail_server_pb2.MailServer:
        return server_message(server, self._breaker_of(server.id))
