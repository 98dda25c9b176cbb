"""DirectoryService: read, call, write."""

from __future__ import annotations

import asyncio
from typing import Any

from postroom.v1 import directory_service_pb2, directory_service_pb2_grpc
from postroom_server.mail.member_list import MemberList
from postroom_server.mail.members import Batch, Members, Stored
from postroom_server.rpc.call import current_caller
from postroom_server.rpc.convert.filters import page_request_of
from postroom_server.rpc.convert.lists import filled
from postroom_server.rpc.convert.member import member_form, member_message, stored_message
from postroom_server.rpc.convert.named_tenant import named_tenant
from postroom_server.store.unit import Store


class DirectoryServicer(directory_service_pb2_grpc.DirectoryServiceServicer):
    def __init__(self, store: Store, members: Members, member_list: MemberList) -> None:
        self._store = store
        self._members = members
        self._list = member_list

    async def BatchUpsertMembers(
        self, request: directory_service_pb2.BatchUpsertMembersRequest, _context: Any
    ) -> directory_service_pb2.BatchUpsertMembersResponse:
        caller, tenant_id = current_caller(), named_tenant(request)
        # Beside the loop: a thousand members take as long as hundreds of other calls.
        batch = await asyncio.to_thread(self._checked, request)
        stored = Stored()
        for part in batch.parts:
            stored += await self._store.write(self._members.put, caller, tenant_id, part)
        return stored_message(stored, batch.refused)

    async def ListMembers(
        self, request: directory_service_pb2.ListMembersRequest, _context: Any
    ) -> directory_service_pb2.ListMembersResponse:
        page = await self._store.read(
            self._list.list, current_caller(), named_tenant(request), page_request_of(request)
        )
        return filled(directory_service_pb2.ListMembersResponse(), "members", page, member_message)

    async def BatchDeleteMembers(
        self, request: directory_service_pb2.BatchDeleteMembersRequest, _context: Any
    ) -> directory_service_pb2.BatchDeleteMembersResponse:
        caller, tenant_id = current_caller(), named_tenant(request)
        parts = await self._store.read(self._members.delete_parts, caller, tenant_id, tuple(request.user_ids))
        deleted = 0
        for part in parts:
            deleted += await self._store.write(self._members.delete, caller, tenant_id, part)
        return directory_service_pb2.BatchDeleteMembersResponse(deleted_count=deleted)

    def _checked(self, request: directory_service_pb2.BatchUpsertMembersRequest) -> Batch:
        return self._members.check(len(request.members), map(member_form, request.members))
