"""Tokens as messages and back."""

from __future__ import annotations

from postroom.v1 import token_pb2
from postroom_server.mail.caller import Scope
from postroom_server.mail.tokens import TokenForm, TokenRecord
from postroom_server.refusals import Violation, refuse_all
from postroom_server.rpc.convert.enums import number_of, word_of
from postroom_server.rpc.convert.times import millis_of, optional_stamp, stamp_of

_PREFIX = "TOKEN_SCOPE_"


def token_form(message: token_pb2.Token) -> TokenForm:
    return TokenForm(
        name=message.name,
        scopes=tuple(_scope(i, number) for i, number in enumerate(message.scopes)),
        user_id=message.user_id,
        test=message.test,
        api_user=message.api_user,
        calls_per_minute=message.calls_per_minute,
        expire_time=millis_of(message.expire_time) if message.HasField("expire_time") else None,
    )


def token_message(token: TokenRecord) -> token_pb2.Token:
    return token_pb2.Token(
        id=token.id,
        tenant_id=token.tenant_id,
        name=token.name,
        scopes=[number_of(token_pb2.TokenScope, _PREFIX, scope.name) for scope in token.scopes],
        user_id=token.user_id,
        test=token.test,
        api_user=token.api_user,
        calls_per_minute=token.calls_per_minute,
        expire_time=optional_stamp(token.expire_time),
        last_used_time=optional_stamp(token.last_used_time),
        revoke_time=optional_stamp(token.revoke_time),
        create_time=stamp_of(token.create_time),
    )


def _scope(i: int, number: int) -> Scope:
    field = f"token.scopes[{i}]"
    word = word_of(token_pb2.TokenScope, _PREFIX, number, field)
    if not word:
        refuse_all([Violation(field, "is unspecified")])
    return Scope[word]
