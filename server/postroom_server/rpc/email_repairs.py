"""RetryEmail, ReleaseEmail and ReportBounce: what happens to mail after it has come to a stop."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import grpc.aio

from postroom.v1 import email_service_pb2, email_service_pb2_grpc, recipient_pb2
from postroom_server.mail.bounces import BounceForm, Bounces
from postroom_server.mail.retries import Retries
from postroom_server.mail.tenancy import tenant_of
from postroom_server.refusals import Violation
from postroom_server.rpc.call import current_caller
from postroom_server.rpc.convert.enums import number_of
from postroom_server.rpc.convert.named_tenant import named_tenant
from postroom_server.rpc.convert.times import is_time, millis_of
from postroom_server.store.unit import Store

_Context = grpc.aio.ServicerContext[Any, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Repairing:
    """The use cases. `on_due` is called once what was set going again is durable."""

    retries: Retries
    bounces: Bounces
    on_due: Callable[[object], None]


class EmailRepairs(email_service_pb2_grpc.EmailServiceServicer):
    def __init__(self, store: Store, repairing: Repairing) -> None:
        self._store = store
        self._retries = repairing.retries
        self._bounces = repairing.bounces
        self._on_due = repairing.on_due

    async def RetryEmail(
        self, request: email_service_pb2.RetryEmailRequest, context: _Context
    ) -> email_service_pb2.RetryEmailResponse:
        unit = functools.partial(self._retries.retry, _tenant(request), request.id)
        reopened = await self._store.write_then(self._on_due, unit)
        return email_service_pb2.RetryEmailResponse(reopened_count=reopened)

    async def ReleaseEmail(
        self, request: email_service_pb2.ReleaseEmailRequest, context: _Context
    ) -> email_service_pb2.ReleaseEmailResponse:
        unit = functools.partial(self._retries.release, _tenant(request), request.id)
        released = await self._store.write_then(self._on_due, unit)
        return email_service_pb2.ReleaseEmailResponse(released_count=released)

    async def ReportBounce(
        self, request: email_service_pb2.ReportBounceRequest, context: _Context
    ) -> email_service_pb2.ReportBounceResponse:
        tenant_id = _tenant(request)
        bounce = self._bounces.check(_bounce_form(request))
        reported = await self._store.write(self._bounces.report, tenant_id, bounce)
        return email_service_pb2.ReportBounceResponse(
            email_id=reported.email_id,
            recipient_id=reported.recipient_id,
            recipient_state=number_of(recipient_pb2.RecipientState, "RECIPIENT_STATE_", reported.state.value),
            changed=reported.changed,
        )


def _bounce_form(request: email_service_pb2.ReportBounceRequest) -> BounceForm:
    time, unreadable = None, []
    if request.HasField("bounce_time"):
        time = millis_of(request.bounce_time)
        if not is_time(request.bounce_time):
            unreadable.append(Violation("bounce_time", "is no time of the years 1 to 9999"))
    return BounceForm(
        delivery_id=request.delivery_id if request.WhichOneof("target") == "delivery_id" else None,
        message_id=request.message_id,
        address=request.address,
        code=request.code,
        enhanced_code=request.enhanced_code,
        reply=request.reply,
        time=time,
        unreadable=tuple(unreadable),
    )


def _tenant(request: Any) -> int:
    return tenant_of(current_caller(), named_tenant(request))
