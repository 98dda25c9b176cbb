"""Which tokens may act for other tenants. Only theirs are heard when a request names a tenant or a user."""

from __future__ import annotations

import collections
import hashlib

import grpc

from postroom.v1 import tenant_service_pb2
from postroom_server.gateway.angusgm.exchange import Exchange
from postroom_server.gateway.backend import Backend
from postroom_server.gateway.refused import Refused

_MOST_KEPT = 10_000


class PlatformTokens:
    """The product lets tokens with scope platform alone ask for tenants, so it is asked for one.

    What a token may do never changes, so the answer is kept. It opens nothing: the product checks the token
    of every call again.
    """

    def __init__(self, backend: Backend) -> None:
        self._get_tenant = backend.tenants.GetTenant
        self._known: collections.OrderedDict[bytes, bool] = collections.OrderedDict()

    async def has(self, exchange: Exchange) -> bool:
        """Raises Refused where the token is no token."""
        key = hashlib.sha256(exchange.visitor.credential.encode("utf-8", "replace")).digest()
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = await self._ask(exchange)
            if len(self._known) > _MOST_KEPT:
                self._known.popitem(last=False)
        return known

    async def _ask(self, exchange: Exchange) -> bool:
        try:
            await exchange.call(self._get_tenant, tenant_service_pb2.GetTenantRequest(), repeatable=True)
        except Refused as refused:
            if refused.code is grpc.StatusCode.PERMISSION_DENIED:
                return False
            if refused.code is not grpc.StatusCode.NOT_FOUND:
                raise
        return True
