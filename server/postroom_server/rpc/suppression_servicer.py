"""SuppressionService: read, call, write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from postroom.v1 import suppression_service_pb2, suppression_service_pb2_grpc
from postroom_server.mail.suppression_list import SuppressionList
from postroom_server.mail.suppressions import Suppressions
from postroom_server.mail.unsubscribing import Unsubscribing
from postroom_server.rpc.call import current_caller
from postroom_server.rpc.convert.filters import page_request_of
from postroom_server.rpc.convert.lists import filled
from postroom_server.rpc.convert.named_tenant import named_tenant
from postroom_server.rpc.convert.suppression import (
    suppression_form,
    suppression_message,
    unsubscription_message,
)
from postroom_server.store.unit import Store


class SuppressionServicer(suppression_service_pb2_grpc.SuppressionServiceServicer):
    """`count_unsubscribed` is told how many addresses a link has put on the list: one, or none."""

    def __init__(
        self,
        store: Store,
        suppressions: Suppressions,
        suppression_list: SuppressionList,
        unsubscribing: Unsubscribing,
        count_unsubscribed: Callable[[int], None],
    ) -> None:
        self._store = store
        self._suppressions = suppressions
        self._list = suppression_list
        self._unsubscribing = unsubscribing
        self._count_unsubscribed = count_unsubscribed

    async def AddSuppressions(
        self, request: suppression_service_pb2.AddSuppressionsRequest, _context: Any
    ) -> suppression_service_pb2.AddSuppressionsResponse:
        forms = self._suppressions.check_new(list(map(suppression_form, request.suppressions)))
        added = await self._store.write(
            self._suppressions.add, current_caller(), named_tenant(request), forms
        )
        return suppression_service_pb2.AddSuppressionsResponse(
            added_count=added.added_count, existing_count=added.existing_count
        )

    async def ListSuppressions(
        self, request: suppression_service_pb2.ListSuppressionsRequest, _context: Any
    ) -> suppression_service_pb2.ListSuppressionsResponse:
        page = await self._store.read(
            self._list.list, current_caller(), named_tenant(request), page_request_of(request)
        )
        return filled(
            suppression_service_pb2.ListSuppressionsResponse(), "suppressions", page, suppression_message
        )

    async def RemoveSuppressions(
        self, request: suppression_service_pb2.RemoveSuppressionsRequest, _context: Any
    ) -> suppression_service_pb2.RemoveSuppressionsResponse:
        keys = self._suppressions.check_addresses(request.addresses)
        removed = await self._store.write(
            self._suppressions.remove, current_caller(), named_tenant(request), keys
        )
        return suppression_service_pb2.RemoveSuppressionsResponse(removed_count=removed)

    async def DescribeUnsubscription(
        self, request: suppression_service_pb2.DescribeUnsubscriptionRequest, _context: Any
    ) -> suppression_service_pb2.DescribeUnsubscriptionResponse:
        subscriber = self._unsubscribing.read(request.token)
        told = await self._store.read(self._unsubscribing.describe, subscriber)
        return suppression_service_pb2.DescribeUnsubscriptionResponse(
            unsubscription=unsubscription_message(told)
        )

    async def Unsubscribe(
        self, request: suppression_service_pb2.UnsubscribeRequest, _context: Any
    ) -> suppression_service_pb2.UnsubscribeResponse:
        subscriber = self._unsubscribing.read(request.token)
        done = await self._store.write(self._unsubscribing.unsubscribe, subscriber)
        self._count_unsubscribed(done.added_count)
        return suppression_service_pb2.UnsubscribeResponse(
            unsubscription=unsubscription_message(done.unsubscription)
        )
