"""Everything that reads emails and events back, and what takes emails back."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import grpc.aio

from postroom.v1 import email_service_pb2, email_service_pb2_grpc
from postroom_server.mail.changes import Cancelled, Changes, Deleted
from postroom_server.mail.email_record import View
from postroom_server.mail.events import Events
from postroom_server.mail.recipients import Recipients
from postroom_server.mail.records import Records
from postroom_server.mail.tenancy import tenant_of
from postroom_server.rpc.authentication import credential_of
from postroom_server.rpc.call import current_call, current_caller
from postroom_server.rpc.convert.email_out import email_message, emails_response, recipients_response, view_of
from postroom_server.rpc.convert.events import event_filter_of, events_response
from postroom_server.rpc.convert.filters import page_request_of
from postroom_server.rpc.convert.times import millis_of, millis_of_duration
from postroom_server.rpc.event_stream import EventStream
from postroom_server.store.unit import Store

_Context = grpc.aio.ServicerContext[Any, Any]


class EmailReads(email_service_pb2_grpc.EmailServiceServicer):
    """`notice_cancel` is told of leased deliveries that are to be cancelled, on a thread of the store."""

    def __init__(
        self,
        store: Store,
        records: Records,
        recipients: Recipients,
        changes: Changes,
        events: Events,
        event_stream: EventStream,
        *,
        notice_cancel: Callable[[Sequence[int]], None],
    ) -> None:
        self._store = store
        self._records = records
        self._recipients = recipients
        self._changes = changes
        self._events = events
        self._event_stream = event_stream
        self._notice_cancel = notice_cancel

    async def GetEmail(
        self, request: email_service_pb2.GetEmailRequest, context: _Context
    ) -> email_service_pb2.GetEmailResponse:
        view = view_of(request.view, View.DETAIL)
        email = await self._store.read(
            self._records.get, current_caller(), _tenant(request), request.id, view
        )
        return email_service_pb2.GetEmailResponse(email=email_message(email))

    async def ListEmails(
        self, request: email_service_pb2.ListEmailsRequest, context: _Context
    ) -> email_service_pb2.ListEmailsResponse:
        view = view_of(request.view, View.BASIC)
        page = await self._store.read(
            self._records.page, current_caller(), _tenant(request), page_request_of(request), view
        )
        return emails_response(page)

    async def ListRecipients(
        self, request: email_service_pb2.ListRecipientsRequest, context: _Context
    ) -> email_service_pb2.ListRecipientsResponse:
        page = await self._store.read(
            self._recipients.page, _tenant(request), request.email_id, page_request_of(request)
        )
        return recipients_response(page)

    async def BatchDeleteEmails(
        self, request: email_service_pb2.BatchDeleteEmailsRequest, context: _Context
    ) -> email_service_pb2.BatchDeleteEmailsResponse:
        tenant_id = _tenant(request)
        deleted = 0
        for part in await self._store.read(self._changes.delete_parts, tenant_id, request.ids):
            done = await self._store.write_then(
                self._notice, functools.partial(self._changes.delete, tenant_id, part)
            )
            while done.rest is not None:
                unit = functools.partial(self._changes.delete, tenant_id, part, done.rest)
                done = await self._store.write_then(self._notice, unit)
            deleted += done.count
        return email_service_pb2.BatchDeleteEmailsResponse(deleted_count=deleted)

    async def CancelEmail(
        self, request: email_service_pb2.CancelEmailRequest, context: _Context
    ) -> email_service_pb2.CancelEmailResponse:
        tenant_id = _tenant(request)
        unit = functools.partial(self._changes.cancel, tenant_id, request.id)
        cancelled = await self._store.write_then(self._notice, unit)
        while cancelled.rest is not None:
            unit = functools.partial(self._changes.cancel, tenant_id, request.id, cancelled.rest)
            cancelled = await self._store.write_then(self._notice, unit)
        return email_service_pb2.CancelEmailResponse(
            cancelled_count=cancelled.cancelled_count,
            in_flight_count=cancelled.in_flight_count,
            too_late_count=cancelled.too_late_count,
        )

    async def RescheduleEmail(
        self, request: email_service_pb2.RescheduleEmailRequest, context: _Context
    ) -> email_service_pb2.RescheduleEmailResponse:
        time = millis_of(request.schedule_time) if request.HasField("schedule_time") else None
        email = await self._store.write(self._changes.reschedule, _tenant(request), request.id, time)
        return email_service_pb2.RescheduleEmailResponse(email=email_message(email))

    async def ListEvents(
        self, request: email_service_pb2.ListEventsRequest, context: _Context
    ) -> email_service_pb2.ListEventsResponse:
        wanted = event_filter_of(request.filter)
        batch = await self._store.read(
            self._events.page,
            _tenant(request),
            request.cursor,
            request.from_latest,
            request.page_size,
            wanted,
        )
        return events_response(batch, self._events.cursors.write(batch.position))

    # Written to rather than yielded from, so that a write can time out.
    async def WatchEvents(  # type: ignore[override]
        self, request: email_service_pb2.WatchEventsRequest, context: _Context
    ) -> None:
        tenant_id = _tenant(request)
        interval = request.heartbeat_interval
        watch = self._events.watch(
            request.cursor,
            request.from_latest,
            event_filter_of(request.filter),
            millis_of_duration(interval) if request.HasField("heartbeat_interval") else None,
        )
        await self._event_stream.run(tenant_id, watch, context.write, credential_of(current_call()))

    def _notice(self, changed: Cancelled | Deleted) -> None:
        if changed.leased:
            self._notice_cancel(changed.leased)


def _tenant(request: Any) -> int:
    return tenant_of(current_caller(), request.tenant_id if request.HasField("tenant_id") else None)
