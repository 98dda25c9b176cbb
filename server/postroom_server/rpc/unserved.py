"""The methods of the contract that this release does not serve yet. One test lists exactly these."""

from __future__ import annotations

from typing import Any, NoReturn

from postroom.v1 import tenant_service_pb2_grpc
from postroom_server.refusals import Reason, Refusal


async def _refuse(_self: object, _request: Any, _context: Any) -> NoReturn:
    raise Refusal(Reason.UNIMPLEMENTED, "this release does not serve this method yet")


_unserved: Any = _refuse


class UnservedTenant(tenant_service_pb2_grpc.TenantServiceServicer):
    CreateDkimKey = _unserved
    ListDkimKeys = _unserved
    DeleteDkimKey = _unserved
    EraseAddress = _unserved
