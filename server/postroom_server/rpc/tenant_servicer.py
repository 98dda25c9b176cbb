"""TenantService: read, call, write. DKIM keys and EraseAddress are not implemented yet."""

from __future__ import annotations

from typing import Any

from postroom.v1 import tenant_service_pb2
from postroom_server.mail.tenant_list import TenantList
from postroom_server.mail.tenants import Tenants
from postroom_server.rpc.convert.filters import page_request_of
from postroom_server.rpc.convert.lists import filled
from postroom_server.rpc.convert.tenant import tenant_form, tenant_message, tenant_paths
from postroom_server.rpc.unserved import UnservedTenant
from postroom_server.store.unit import Store


class TenantServicer(UnservedTenant):
    def __init__(self, store: Store, tenants: Tenants, tenant_list: TenantList) -> None:
        self._store = store
        self._tenants = tenants
        self._list = tenant_list

    async def CreateTenant(
        self, request: tenant_service_pb2.CreateTenantRequest, _context: Any
    ) -> tenant_service_pb2.CreateTenantResponse:
        tenant = await self._store.write(self._tenants.create, request.tenant.id, tenant_form(request.tenant))
        return tenant_service_pb2.CreateTenantResponse(tenant=tenant_message(tenant))

    async def GetTenant(
        self, request: tenant_service_pb2.GetTenantRequest, _context: Any
    ) -> tenant_service_pb2.GetTenantResponse:
        tenant = await self._store.read(self._tenants.get, request.id)
        return tenant_service_pb2.GetTenantResponse(tenant=tenant_message(tenant))

    async def ListTenants(
        self, request: tenant_service_pb2.ListTenantsRequest, _context: Any
    ) -> tenant_service_pb2.ListTenantsResponse:
        page = await self._store.read(self._list.list, page_request_of(request))
        return filled(tenant_service_pb2.ListTenantsResponse(), "tenants", page, tenant_message)

    async def UpdateTenant(
        self, request: tenant_service_pb2.UpdateTenantRequest, _context: Any
    ) -> tenant_service_pb2.UpdateTenantResponse:
        tenant = await self._store.write(
            self._tenants.update, request.tenant.id, tenant_form(request.tenant), tenant_paths(request)
        )
        return tenant_service_pb2.UpdateTenantResponse(tenant=tenant_message(tenant))
