"""A directory over a test's database: members are stored, listed and deleted as the servicer does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fakes import ManualClock
from peers.configuration import AUTHOR, Configuration
from postroom_server.mail.caller import Caller
from postroom_server.mail.member_form import MemberForm, MemberRecord
from postroom_server.mail.member_list import MemberList
from postroom_server.mail.members import Members, RefusedMember, Stored
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Page, PageRequest
from postroom_server.store.filters import Filter, Operator
from postroom_server.store.opening import OpenDatabase

LIST = MemberList(PageTokens(b"k" * 32))


def form(user_id: int, address: str | None = None, **fields: Any) -> MemberForm:
    return MemberForm(user_id, f"user{user_id}@example.com" if address is None else address, **fields)


def where(field: str, operator: Operator, *values: str) -> Filter:
    return Filter(field, operator, values)


class Directory(Configuration):
    def __init__(self, opened: OpenDatabase) -> None:
        super().__init__(opened, ManualClock())
        self.members = Members(self.clock, self.mint)

    async def put(
        self, *forms: MemberForm, caller: Caller = AUTHOR, tenant_id: int | None = None
    ) -> tuple[Stored, list[RefusedMember]]:
        batch = self.members.check(len(forms), forms)
        stored = Stored()
        for part in batch.parts:
            stored += await self.store.write(self.members.put, caller, tenant_id, part)
        return stored, batch.refused

    async def delete(self, *user_ids: int, caller: Caller = AUTHOR, tenant_id: int | None = None) -> int:
        parts = await self.store.read(self.members.delete_parts, caller, tenant_id, user_ids)
        return sum([await self.store.write(self.members.delete, caller, tenant_id, part) for part in parts])

    async def page(
        self, *filters: Filter, caller: Caller = AUTHOR, tenant_id: int | None = None, **request: Any
    ) -> Page[MemberRecord]:
        asked = PageRequest(filters=filters, **request)
        return await self.store.read(LIST.list, caller, tenant_id, asked)

    async def listed(self, *filters: Filter, **request: Any) -> Sequence[MemberRecord]:
        return (await self.page(*filters, **request)).items

    async def users(self, *filters: Filter, **request: Any) -> list[int]:
        return [record.user_id for record in await self.listed(*filters, **request)]
