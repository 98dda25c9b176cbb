"""TokenService as its callers see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf import timestamp_pb2

from fakes import NOON, ManualClock
from peers.configuration import ACME, OTHER, Configuration
from peers.configuration_services import ConfigurationServices, told
from postroom.v1 import token_pb2
from postroom.v1 import token_service_pb2 as api
from postroom_server.mail.caller import Scope
from postroom_server.store.opening import OpenDatabase


@pytest.fixture
async def world(opened: OpenDatabase) -> AsyncIterator[ConfigurationServices]:
    services = ConfigurationServices(await Configuration(opened, ManualClock()).fill())
    await services.let_in("admin", ACME, Scope.ADMIN, Scope.SEND, Scope.SERVER)
    await services.let_in("stranger", OTHER, Scope.ADMIN)
    await services.let_in("operator", 0, Scope.ADMIN, Scope.PLATFORM)
    yield services
    await services.close()


class Admin:
    def __init__(self, world: ConfigurationServices) -> None:
        self._world = world

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._world.access, method)
        message = getattr(api, f"{method}Request")
        return lambda as_="admin", **fields: call(message(**fields), metadata=self._world.as_(as_))


@pytest.fixture
def admin(world: ConfigurationServices) -> Admin:
    return Admin(world)


def token(name: str = "shop", **fields: Any) -> token_pb2.Token:
    return token_pb2.Token(name=name, **({"scopes": [token_pb2.TOKEN_SCOPE_ADMIN]} | fields))


async def test_a_token_is_told_with_its_secret_once_and_opens_the_door(
    admin: Admin, world: ConfigurationServices
) -> None:
    asked = token(
        scopes=[token_pb2.TOKEN_SCOPE_ADMIN, token_pb2.TOKEN_SCOPE_SEND],
        user_id=5,
        test=True,
        calls_per_minute=100,
        expire_time=timestamp_pb2.Timestamp(seconds=NOON // 1000 + 60),
    )
    answer = await admin.CreateToken(token=asked)
    listed = (
        await world.access.ListTokens(api.ListTokensRequest(), metadata=world.bearing(answer.secret))
    ).tokens
    assert sorted(answer.token.scopes) == [token_pb2.TOKEN_SCOPE_SEND, token_pb2.TOKEN_SCOPE_ADMIN]
    assert (answer.token.user_id, answer.token.test, answer.token.calls_per_minute) == (5, True, 100)
    assert answer.token.expire_time == asked.expire_time
    assert listed[0] == answer.token
    assert answer.secret.encode() not in b"".join(one.SerializeToString() for one in listed)


async def test_a_pair_opens_the_door_together(admin: Admin, world: ConfigurationServices) -> None:
    key = (await admin.CreateToken(token=token(api_user="shop.user"))).secret
    request = api.ListTokensRequest()
    opened = await world.access.ListTokens(request, metadata=world.bearing(f"shop.user:{key}"))
    alone = await told(world.access.ListTokens(request, metadata=world.bearing(key)))
    assert opened.total_size > 0
    assert (alone.code, alone.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID")


async def test_a_revoked_token_is_refused_within_a_second(admin: Admin, world: ConfigurationServices) -> None:
    made = await admin.CreateToken(token=token())
    metadata = world.bearing(made.secret)
    await world.access.ListTokens(api.ListTokensRequest(), metadata=metadata)
    revoked = (await admin.RevokeToken(id=made.token.id)).token
    again = (await admin.RevokeToken(id=made.token.id)).token
    assert isinstance(world.configured.clock, ManualClock)
    world.configured.clock.advance(1000)
    refused = await told(world.access.ListTokens(api.ListTokensRequest(), metadata=metadata))
    # The last use is written in its own time, so it may show in the second answer only.
    assert (revoked.id, revoked.revoke_time) == (again.id, again.revoke_time)
    assert revoked.HasField("revoke_time")
    assert refused.reason == "TOKEN_INVALID"


async def test_refusals(admin: Admin) -> None:
    empty = await told(admin.CreateToken())
    unspecified = await told(admin.CreateToken(token=token(scopes=[0])))
    newer = await told(admin.CreateToken(token=token(scopes=[1, 99])))
    escalated = await told(admin.CreateToken(token=token(scopes=[token_pb2.TOKEN_SCOPE_PLATFORM])))
    await admin.CreateToken(token=token())
    twice = await told(admin.CreateToken(token=token()))
    assert empty.fields == ["token.name", "token.scopes"]
    assert (unspecified.fields, newer.fields) == (["token.scopes[0]"], ["token.scopes[1]"])
    assert (escalated.code, escalated.reason) == ("PERMISSION_DENIED", "SCOPE_MISSING")
    assert (twice.code, twice.reason) == ("ALREADY_EXISTS", "TOKEN_EXISTS")


async def test_every_scope_of_the_contract_can_be_given(admin: Admin) -> None:
    scopes = [number for number in token_pb2.TokenScope.values() if number]
    made = (await admin.CreateToken("operator", token=token(scopes=scopes), tenant_id=ACME)).token
    assert sorted(made.scopes) == sorted(scopes)
    assert len(scopes) == len(Scope)


async def test_e2_e4_others_keep_out(admin: Admin) -> None:
    made = (await admin.CreateToken(token=token())).token
    foreign = await told(admin.RevokeToken("stranger", id=made.id))
    named = await told(admin.ListTokens("stranger", tenant_id=ACME))
    listed = (await admin.ListTokens("stranger")).tokens
    assert (foreign.reason, named.reason) == ("TOKEN_NOT_FOUND", "TENANT_FORBIDDEN")
    assert [one.name for one in listed] == ["stranger"]
