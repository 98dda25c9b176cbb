"""CheckVerificationCode."""

from __future__ import annotations

from typing import Any

import grpc.aio

from postroom.v1 import email_service_pb2, email_service_pb2_grpc
from postroom_server.mail.codes import CodeChecks
from postroom_server.mail.tenancy import tenant_of
from postroom_server.rpc.call import current_caller
from postroom_server.rpc.convert.enums import number_of
from postroom_server.store.unit import Store

_Context = grpc.aio.ServicerContext[Any, Any]


class EmailCodes(email_service_pb2_grpc.EmailServiceServicer):
    def __init__(self, store: Store, codes: CodeChecks) -> None:
        self._store = store
        self._codes = codes

    async def CheckVerificationCode(
        self, request: email_service_pb2.CheckVerificationCodeRequest, context: _Context
    ) -> email_service_pb2.CheckVerificationCodeResponse:
        named = request.tenant_id if request.HasField("tenant_id") else None
        tenant_id = tenant_of(current_caller(), named)
        guess = self._codes.read(request.biz_key, request.address, request.code)
        outcome = await self._store.write(self._codes.check, tenant_id, guess)
        return email_service_pb2.CheckVerificationCodeResponse(
            outcome=number_of(email_service_pb2.VerificationOutcome, "VERIFICATION_OUTCOME_", outcome.value)
        )
