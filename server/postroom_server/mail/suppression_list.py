"""Lists of suppressed addresses. A unit of work."""

from __future__ import annotations

from postroom_server.mail.caller import Caller
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Listing, Page, PageRequest, find
from postroom_server.mail.suppressions import SuppressionRecord, record_of
from postroom_server.mail.tenancy import tenant_of
from postroom_server.store.filters import Field, Fields
from postroom_server.store.models import Suppression, SuppressionReason
from postroom_server.store.operands import Type
from postroom_server.store.ordering import Sortable

_FIELDS: Fields = {
    "id": Field(Type.ID, Suppression.id),
    "address": Field(Type.STRING, Suppression.address, nullable=True),
    "reason": Field(
        Type.ENUM, Suppression.reason, words={reason.value: reason.value for reason in SuppressionReason}
    ),
    "email_id": Field(Type.ID, Suppression.email_id, nullable=True),
    "create_time": Field(Type.TIME, Suppression.create_time, id_column=Suppression.id),
}


class SuppressionList:
    def __init__(self, tokens: PageTokens) -> None:
        self._listing = Listing(
            method="ListSuppressions",
            model=Suppression,
            sortable={
                "id": Sortable(Suppression.id),
                "address": Sortable(Suppression.address, nullable=True),
                "create_time": Sortable(Suppression.id),
            },
            default_order="id desc",
            default_size=100,
            most_size=1000,
            tokens=tokens,
        )

    def list(self, caller: Caller, tenant_id: int | None, request: PageRequest) -> Page[SuppressionRecord]:
        owner = tenant_of(caller, tenant_id)
        place = self._listing.check(request, _FIELDS, [owner], [], pinned=[(Suppression.tenant_id, owner)])
        found = find(place)
        return self._listing.page(place, found, [record_of(row) for row in self._listing.rows(found)])
