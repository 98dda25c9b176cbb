"""Lists of tenants, for the platform's operators. A unit of work."""

from __future__ import annotations

from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Listing, Page, PageRequest, find
from postroom_server.mail.tenants import TenantRecord, record_of
from postroom_server.store.filters import Field, Fields
from postroom_server.store.models import PLATFORM_TENANT, Tenant, TenantState
from postroom_server.store.operands import Type
from postroom_server.store.ordering import Sortable

_FIELDS: Fields = {
    "id": Field(Type.ID, Tenant.id),
    "name": Field(Type.STRING, Tenant.name),
    "state": Field(Type.ENUM, Tenant.state, words={state.value: state.value for state in TenantState}),
    "create_time": Field(Type.TIME, Tenant.create_time),
    "update_time": Field(Type.TIME, Tenant.update_time),
}


class TenantList:
    def __init__(self, tokens: PageTokens) -> None:
        self._listing = Listing(
            method="ListTenants",
            model=Tenant,
            sortable={
                "id": Sortable(Tenant.id),
                "name": Sortable(Tenant.name),
                "create_time": Sortable(Tenant.create_time),
            },
            default_order="id",
            default_size=100,
            most_size=1000,
            tokens=tokens,
        )

    def list(self, request: PageRequest) -> Page[TenantRecord]:
        place = self._listing.check(request, _FIELDS, [], [Tenant.id >= PLATFORM_TENANT])
        found = find(place)
        return self._listing.page(place, found, [record_of(row) for row in self._listing.rows(found)])
