"""Lists of mail servers, in their order of use unless asked otherwise. A unit of work."""

from __future__ import annotations

from postroom_server.mail.caller import Caller
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Listing, Page, PageRequest, find
from postroom_server.mail.server_form import TlsMode
from postroom_server.mail.servers import ServerRecord, record_of
from postroom_server.mail.tenancy import tenant_of
from postroom_server.store.filters import Field, Fields
from postroom_server.store.models import MailServer, MailServerState
from postroom_server.store.operands import Type
from postroom_server.store.ordering import Sortable

_FIELDS: Fields = {
    "id": Field(Type.ID, MailServer.id),
    "name": Field(Type.STRING, MailServer.name),
    "host": Field(Type.STRING, MailServer.host),
    "port": Field(Type.NUMBER, MailServer.port),
    "state": Field(
        Type.ENUM, MailServer.state, words={state.value: state.value for state in MailServerState}
    ),
    "tls_mode": Field(Type.ENUM, MailServer.tls_mode, words={mode.value: mode.value for mode in TlsMode}),
    "priority": Field(Type.NUMBER, MailServer.priority),
}


class ServerList:
    def __init__(self, tokens: PageTokens) -> None:
        self._listing = Listing(
            method="ListMailServers",
            model=MailServer,
            sortable={
                "id": Sortable(MailServer.id),
                "name": Sortable(MailServer.name),
                "priority": Sortable(MailServer.priority),
            },
            default_order="priority, id",
            default_size=100,
            most_size=1000,
            tokens=tokens,
        )

    def list(self, caller: Caller, tenant_id: int | None, request: PageRequest) -> Page[ServerRecord]:
        owner = tenant_of(caller, tenant_id)
        place = self._listing.check(request, _FIELDS, [owner], [MailServer.tenant_id == owner])
        found = find(place)
        return self._listing.page(place, found, [record_of(row) for row in self._listing.rows(found)])
