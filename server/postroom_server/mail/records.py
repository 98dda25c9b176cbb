"""Reads emails back: one by its id, or a page of those that match."""

from __future__ import annotations

import dataclasses
from typing import Any

from postroom_server.mail import email_details, email_rows, pages
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.email_record import EmailRecord, View
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Listing, Page, PageRequest, Place
from postroom_server.mail.recipients import no_such_email
from postroom_server.refusals import Violation, refuse_all
from postroom_server.store.filters import Field, Fields, Related
from postroom_server.store.models import Email, EmailState, Recipient
from postroom_server.store.operands import Type
from postroom_server.store.ordering import Position, Sortable
from postroom_server.store.pages import Rows, by_id
from postroom_server.store.statement import Statement, bind

# A page ends early once it holds this much, so that no answer grows beyond 4 MiB and no call reads much more.
PAGE_ADDRESSES = 50_000
PAGE_BYTES = 4 << 20
_BEHIND_ALL_IDS = (1 << 63) - 1

_FIELDS: Fields = {
    "id": Field(Type.ID, Email.id),
    "out_id": Field(Type.STRING, Email.out_id),
    "biz_key": Field(Type.STRING, Email.biz_key, nullable=True),
    "body_kind": Field(Type.ENUM, Email.invoke_name.is_null(), words={"TEMPLATE": False, "CUSTOM": True}),
    "invoke_name": Field(Type.STRING, Email.invoke_name, nullable=True),
    "language": Field(Type.STRING, Email.language, nullable=True),
    "template_language": Field(Type.STRING, Email.template_language, nullable=True),
    "from_address": Field(Type.STRING, Email.from_address),
    "html": Field(Type.BOOLEAN, Email.html),
    "verification": Field(Type.BOOLEAN, Email.verification),
    "state": Field(Type.ENUM, Email.state, words={state.value: state.value for state in EmailState}),
    "accept_time": Field(Type.TIME, Email.accept_time, id_column=Email.id),
    "schedule_time": Field(Type.TIME, Email.schedule_time, nullable=True),
    "settle_time": Field(Type.TIME, Email.settle_time, nullable=True),
    "urgent": Field(Type.BOOLEAN, Email.urgent),
    "copy_mode": Field(Type.ENUM, Email.separate, words={"SHARED": False, "SEPARATE": True}),
    "test": Field(Type.BOOLEAN, Email.test),
    "tenant_id": Field(Type.ID, Email.tenant_id),
    "sender_user_id": Field(Type.ID, Email.sender_user_id, no_value=0),
}
_SORTABLE = {
    "id": Sortable(Email.id),
    # Ids are given at accept, in its order but for corrections of the clock; and they have the indexes.
    "accept_time": Sortable(Email.id),
    "schedule_time": Sortable(Email.schedule_time, nullable=True),
    "settle_time": Sortable(Email.settle_time, nullable=True),
}
_IS_VISIBLE = Email.delete_time.is_null()
# The list that nearly everyone asks for, compiled once.
_NEWEST = Statement(
    lambda: (
        by_id(
            Rows(Email, ((Email.tenant_id, bind("tenant_id")),), (_IS_VISIBLE,)),
            Email.id,
            descending=True,
            after=bind("before"),
        )
        .limit(bind("limit"))
        .offset(bind("skip"))
    )
)


class Records:
    """`get` and `page` are units that read."""

    def __init__(self, tokens: PageTokens) -> None:
        self._listing = Listing(
            method="ListEmails",
            model=Email,
            sortable=_SORTABLE,
            default_order="id desc",
            default_size=50,
            most_size=1000,
            tokens=tokens,
            indexed={"out_id": Email.out_id, "biz_key": Email.biz_key, "state": Email.state},
        )

    def get(self, caller: Caller, tenant_id: int, email_id: int, view: View | None) -> EmailRecord:
        """One email. Its content is told only to tokens with scope `read_content`."""
        refuse_all(_wrong(view))
        records = email_rows.load([email_id], tenant_id)
        if not records:
            raise no_such_email(email_id)
        return _viewed(records[0], caller, view)

    def page(
        self, caller: Caller, tenant_id: int, request: PageRequest, view: View | None
    ) -> Page[EmailRecord]:
        """A page of emails, newest first unless the request says otherwise. Deleted ones are not listed."""
        place = self._listing.check(
            request,
            _fields(tenant_id),
            (tenant_id,),
            [_IS_VISIBLE],
            _wrong(view),
            pinned=[(Email.tenant_id, tenant_id)],
        )
        found = pages.find(place, _newest(place, tenant_id))
        items: list[EmailRecord] = []
        room = PAGE_BYTES
        for record in email_rows.load(found.ids, tenant_id, most_addresses=PAGE_ADDRESSES):
            viewed = _viewed(record, caller, view)
            room -= email_details.weight(viewed)
            items.append(viewed)
            if room < 0:
                break
        return self._listing.page(place, found, items)


def _newest(place: Place, tenant_id: int) -> list[Position] | None:
    if not place.is_plain or not place.order[0].descending:
        return None
    before = _BEHIND_ALL_IDS if place.after is None else place.after[0]
    return _NEWEST.rows(tenant_id=tenant_id, before=before, limit=place.size + 1, skip=place.skip)


def _wrong(view: View | None) -> list[Violation]:
    return [] if view is not None else [Violation("view", "there is no such EmailView")]


def _viewed(record: EmailRecord, caller: Caller, view: View | None) -> EmailRecord:
    if view is View.BASIC:
        return record
    shows_content = Scope.READ_CONTENT in caller.scopes
    return dataclasses.replace(
        record,
        content=email_details.read_content(record) if shows_content else None,
        recipients=email_details.read_recipients(record.id),
        attempts=email_details.read_attempts(record.id),
    )


def _fields(tenant_id: int) -> Fields:
    of_tenant: Any = Recipient.tenant_id == tenant_id
    address = Related(
        id_column=Email.id,
        related=Recipient.select(Recipient.email_id),
        of_tenant=of_tenant,
        of_row=Recipient.email_id == Email.id,
        field=Field(Type.STRING, Recipient.address),
    )
    return {**_FIELDS, "recipient_address": address}
