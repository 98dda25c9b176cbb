"""Lists the recipients of one email."""

from __future__ import annotations

import peewee

from postroom_server.mail import pages
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Listing, Page, PageRequest
from postroom_server.mail.recipient_record import COLUMNS, RecipientRecord, of_row
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.filters import Field
from postroom_server.store.models import Delivery, Email, MemberCopy, Recipient, RecipientState, Role
from postroom_server.store.operands import Type
from postroom_server.store.ordering import Sortable
from postroom_server.store.statement import Statement, as_list, bind, one_of

FIELDS = {
    "id": Field(Type.ID, Recipient.id),
    "address": Field(Type.STRING, Recipient.address),
    "role": Field(Type.ENUM, Recipient.role, words={role.value: role.value for role in Role}),
    "state": Field(Type.ENUM, Recipient.state, words={state.value: state.value for state in RecipientState}),
    "code": Field(Type.NUMBER, Recipient.last_code, nullable=True),
    "enhanced_code": Field(Type.STRING, Recipient.last_enhanced, nullable=True),
    "settle_time": Field(Type.TIME, Recipient.settle_time, nullable=True),
}
_SORTABLE = {"id": Sortable(Recipient.id), "settle_time": Sortable(Recipient.settle_time, nullable=True)}
_IS_VISIBLE = Statement(
    lambda: Email.select(Email.id).where(
        (Email.id == bind("id")) & (Email.tenant_id == bind("tenant_id")) & Email.delete_time.is_null()
    )
)
_LOAD = Statement(
    lambda: (
        Recipient.select(*COLUMNS)
        .join(Delivery, on=(Delivery.id == Recipient.delivery_id))
        .join(MemberCopy, peewee.JOIN.LEFT_OUTER, on=(MemberCopy.delivery_id == Recipient.delivery_id))
        .where(one_of(Recipient.id, "ids"))
    )
)


def no_such_email(email_id: int) -> Refusal:
    return Refusal(
        Reason.EMAIL_NOT_FOUND, f"there is no email {email_id}", metadata={"email_id": str(email_id)}
    )


class Recipients:
    """`page` is a unit that reads."""

    def __init__(self, tokens: PageTokens) -> None:
        self._listing = Listing(
            method="ListRecipients",
            model=Recipient,
            sortable=_SORTABLE,
            default_order="id",
            default_size=100,
            most_size=1000,
            tokens=tokens,
        )

    def page(self, tenant_id: int, email_id: int, request: PageRequest) -> Page[RecipientRecord]:
        """A page of the recipients of one email. EMAIL_NOT_FOUND when the tenant has none of this id."""
        place = self._listing.check(
            request,
            FIELDS,
            (tenant_id, email_id),
            [Recipient.tenant_id == tenant_id],
            pinned=[(Recipient.email_id, email_id)],
        )
        if not _IS_VISIBLE.rows(id=email_id, tenant_id=tenant_id):
            raise no_such_email(email_id)
        found = pages.find(place)
        rows = {row[0]: row for row in _LOAD.rows(ids=as_list(found.ids))}
        return self._listing.page(place, found, [of_row(rows[i]) for i in found.ids])
