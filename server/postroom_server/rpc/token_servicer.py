"""TokenService: read, call, write."""

from __future__ import annotations

from typing import Any

from postroom.v1 import token_service_pb2, token_service_pb2_grpc
from postroom_server.clock import Clock
from postroom_server.mail import tokens
from postroom_server.mail.token_list import TokenList
from postroom_server.rpc.call import current_caller
from postroom_server.rpc.convert.filters import page_request_of
from postroom_server.rpc.convert.lists import filled
from postroom_server.rpc.convert.named_tenant import named_tenant
from postroom_server.rpc.convert.token import token_form, token_message
from postroom_server.store.ids import IdMint
from postroom_server.store.unit import Store


class TokenServicer(token_service_pb2_grpc.TokenServiceServicer):
    def __init__(self, store: Store, clock: Clock, mint: IdMint, token_list: TokenList) -> None:
        self._store = store
        self._clock = clock
        self._mint = mint
        self._list = token_list

    async def CreateToken(
        self, request: token_service_pb2.CreateTokenRequest, _context: Any
    ) -> token_service_pb2.CreateTokenResponse:
        new = await self._store.write(
            tokens.grant,
            current_caller(),
            named_tenant(request),
            token_form(request.token),
            self._clock.now(),
            self._mint,
        )
        return token_service_pb2.CreateTokenResponse(token=token_message(new.token), secret=new.secret)

    async def ListTokens(
        self, request: token_service_pb2.ListTokensRequest, _context: Any
    ) -> token_service_pb2.ListTokensResponse:
        page = await self._store.read(
            self._list.list, current_caller(), named_tenant(request), page_request_of(request)
        )
        return filled(token_service_pb2.ListTokensResponse(), "tokens", page, token_message)

    async def RevokeToken(
        self, request: token_service_pb2.RevokeTokenRequest, _context: Any
    ) -> token_service_pb2.RevokeTokenResponse:
        token = await self._store.write(
            tokens.revoke, current_caller(), named_tenant(request), request.id, self._clock.now()
        )
        return token_service_pb2.RevokeTokenResponse(token=token_message(token))
