"""Lists of tokens, without their secrets. A unit of work."""

from __future__ import annotations

from postroom_server.mail.caller import Caller
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Listing, Page, PageRequest, find
from postroom_server.mail.tenancy import tenant_of
from postroom_server.mail.tokens import TokenRecord, record_of
from postroom_server.store.filters import Field, Fields
from postroom_server.store.models import Token
from postroom_server.store.operands import Type
from postroom_server.store.ordering import Sortable

_FIELDS: Fields = {
    "id": Field(Type.ID, Token.id),
    "name": Field(Type.STRING, Token.name),
    "user_id": Field(Type.ID, Token.user_id, no_value=0),
    "test": Field(Type.BOOLEAN, Token.test),
    "api_user": Field(Type.STRING, Token.api_user, nullable=True),
    "create_time": Field(Type.TIME, Token.create_time),
    "expire_time": Field(Type.TIME, Token.expire_time, nullable=True),
    "revoke_time": Field(Type.TIME, Token.revoke_time, nullable=True),
    "last_used_time": Field(Type.TIME, Token.last_used_time, nullable=True),
}


class TokenList:
    def __init__(self, tokens: PageTokens) -> None:
        self._listing = Listing(
            method="ListTokens",
            model=Token,
            sortable={
                "id": Sortable(Token.id),
                "name": Sortable(Token.name),
                "create_time": Sortable(Token.create_time),
                "last_used_time": Sortable(Token.last_used_time, nullable=True),
            },
            default_order="id desc",
            default_size=100,
            most_size=1000,
            tokens=tokens,
        )

    def list(self, caller: Caller, tenant_id: int | None, request: PageRequest) -> Page[TokenRecord]:
        owner = tenant_of(caller, tenant_id)
        place = self._listing.check(request, _FIELDS, [owner], [Token.tenant_id == owner])
        found = find(place)
        return self._listing.page(place, found, [record_of(row) for row in self._listing.rows(found)])
