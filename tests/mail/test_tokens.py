"""Making, granting, listing and revoking tokens (security.md E1, E3)."""

from __future__ import annotations

import hashlib
import re

import pytest

from fakes import NOON, ManualClock
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, STRANGER, Configuration
from postroom_server.clock import DAY, MINUTE
from postroom_server.mail import tokens
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.pages import PageRequest
from postroom_server.mail.tokens import TokenForm
from postroom_server.refusals import Reason
from postroom_server.store.filters import Filter, Operator
from postroom_server.store.known import read_generation
from postroom_server.store.models import Token
from postroom_server.store.opening import OpenDatabase
from refusing import refusal_of

SENDER = TokenForm(name="shop", scopes=(Scope.SEND,))


@pytest.fixture
async def configured(opened: OpenDatabase) -> Configuration:
    return await Configuration(opened, ManualClock()).fill()


async def test_a_secret_has_32_random_bytes_and_only_its_sha_256_is_stored(
    configured: Configuration,
) -> None:
    first = await configured.new_token(SENDER)
    second = await configured.new_token(TokenForm(name="blog", scopes=(Scope.SEND,)))
    rows = await configured.store.read(lambda: list(Token.select().order_by(Token.id).dicts()))
    assert re.fullmatch(r"pr_[A-Za-z0-9_-]{43}", first.secret)
    assert first.secret != second.secret
    assert bytes(rows[0]["secret_hash"]) == hashlib.sha256(first.secret.encode()).digest()
    assert first.secret not in repr(rows)
    assert first.secret not in repr(first)


async def test_a_token_is_told_as_it_was_asked_for(configured: Configuration) -> None:
    form = TokenForm(
        name="shop",
        scopes=(Scope.SEND_ALL, Scope.SEND, Scope.SEND),
        user_id=12,
        test=True,
        api_user="shop.user",
        calls_per_minute=60,
        expire_time=NOON + DAY,
    )
    token = (await configured.new_token(form)).token
    assert (token.tenant_id, token.name, token.user_id, token.test) == (ACME, "shop", 12, True)
    assert token.scopes == (Scope.SEND, Scope.SEND_ALL)
    assert (token.api_user, token.calls_per_minute) == ("shop.user", 60)
    assert (token.create_time, token.expire_time) == (NOON, NOON + DAY)
    assert (token.revoke_time, token.last_used_time) == (None, None)


async def test_every_violation_is_named_at_once(configured: Configuration) -> None:
    form = TokenForm(
        name="a\nb", scopes=(), user_id=-1, api_user="a b", calls_per_minute=-1, expire_time=NOON
    )
    refusal = await refusal_of(configured.new_token(form))
    assert refusal.reason is Reason.INVALID_FIELD
    assert [violation.field for violation in refusal.violations] == [
        "token.name",
        "token.scopes",
        "token.user_id",
        "token.api_user",
        "token.calls_per_minute",
        "token.expire_time",
    ]


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
async def test_a_name_has_1_to_100_characters(configured: Configuration, name: str) -> None:
    refusal = await refusal_of(configured.new_token(TokenForm(name=name, scopes=(Scope.SEND,))))
    assert [violation.field for violation in refusal.violations] == ["token.name"]


async def test_a_tenant_that_is_not_there_has_no_tokens(configured: Configuration) -> None:
    refusal = await refusal_of(configured.new_token(SENDER, tenant_id=99))
    assert refusal.reason is Reason.TENANT_NOT_FOUND


async def test_a_name_is_taken_while_its_token_is_in_force(configured: Configuration) -> None:
    first = await configured.new_token(SENDER)
    assert (await refusal_of(configured.new_token(SENDER))).reason is Reason.TOKEN_EXISTS
    assert (await configured.new_token(SENDER, tenant_id=OTHER)).token.tenant_id == OTHER
    await configured.store.write(tokens.revoke, AUTHOR, None, first.token.id, NOON)
    assert (await configured.new_token(SENDER)).token.id != first.token.id


async def test_an_expired_token_leaves_its_name(configured: Configuration) -> None:
    await configured.new_token(TokenForm(name="shop", scopes=(Scope.SEND,), expire_time=NOON + MINUTE))
    assert isinstance(configured.clock, ManualClock)
    configured.clock.advance(MINUTE)
    assert (await configured.new_token(SENDER)).token.name == "shop"


async def test_an_api_user_is_taken_for_ever_and_in_every_tenant(configured: Configuration) -> None:
    pair = TokenForm(name="old", scopes=(Scope.SEND,), api_user="user")
    first = await configured.new_token(pair)
    await configured.store.write(tokens.revoke, AUTHOR, None, first.token.id, NOON)
    again = TokenForm(name="new", scopes=(Scope.SEND,), api_user="user")
    refusal = await refusal_of(configured.new_token(again, tenant_id=OTHER))
    assert (refusal.reason, refusal.metadata) == (Reason.TOKEN_EXISTS, {"api_user": "user"})


async def test_nobody_gives_a_scope_it_lacks(configured: Configuration) -> None:
    admin = Caller(ACME, 9, "admin", frozenset({Scope.ADMIN, Scope.SEND}))
    form = TokenForm(name="too much", scopes=(Scope.SEND, Scope.READ, Scope.PLATFORM))
    refusal = await refusal_of(configured.store.write(tokens.grant, admin, None, form, NOON, configured.mint))
    assert (refusal.reason, refusal.metadata) == (Reason.SCOPE_MISSING, {"scope": "platform"})
    assert await configured.store.read(Token.select().count) == 0
    granted = await configured.store.write(tokens.grant, admin, None, SENDER, NOON, configured.mint)
    assert granted.token.tenant_id == ACME


async def test_scope_platform_gives_any_scope_in_any_tenant(configured: Configuration) -> None:
    platform = Caller(0, 9, "platform", frozenset({Scope.ADMIN, Scope.PLATFORM}))
    granted = await configured.store.write(tokens.grant, platform, OTHER, SENDER, NOON, configured.mint)
    assert granted.token.tenant_id == OTHER


async def test_e4_an_admin_names_no_other_tenant(configured: Configuration) -> None:
    refusal = await refusal_of(
        configured.store.write(tokens.grant, AUTHOR, OTHER, SENDER, NOON, configured.mint)
    )
    assert refusal.reason is Reason.TENANT_FORBIDDEN


async def test_revoking_twice_answers_the_same_token(configured: Configuration) -> None:
    made = await configured.new_token(SENDER)
    first = await configured.store.write(tokens.revoke, AUTHOR, None, made.token.id, NOON + 1)
    second = await configured.store.write(tokens.revoke, AUTHOR, None, made.token.id, NOON + 2)
    assert first.revoke_time == NOON + 1
    assert second == first


async def test_e2_a_foreign_token_is_not_found(configured: Configuration) -> None:
    made = await configured.new_token(SENDER)
    refusal = await refusal_of(configured.store.write(tokens.revoke, STRANGER, None, made.token.id, NOON))
    assert refusal.reason is Reason.TOKEN_NOT_FOUND
    listed = await configured.store.read(configured.token_list.list, STRANGER, None, PageRequest())
    assert listed.items == []


async def test_changes_raise_the_generation(configured: Configuration) -> None:
    before = await configured.store.read(read_generation)
    made = await configured.new_token(SENDER)
    between = await configured.store.read(read_generation)
    await configured.store.write(tokens.revoke, AUTHOR, None, made.token.id, NOON)
    assert before < between < await configured.store.read(read_generation)


async def test_lists_are_newest_first_and_filtered(configured: Configuration) -> None:
    names = ["a", "b", "c"]
    made = [await configured.new_token(TokenForm(name=name, scopes=(Scope.SEND,))) for name in names]
    await configured.store.write(tokens.revoke, AUTHOR, None, made[1].token.id, NOON)
    everything = await configured.store.read(configured.token_list.list, OPERATOR, ACME, PageRequest())
    in_force = PageRequest(filters=(Filter("revoke_time", Operator.IS_NULL),), order_by="name")
    kept = await configured.store.read(configured.token_list.list, OPERATOR, ACME, in_force)
    assert [token.name for token in everything.items] == ["c", "b", "a"]
    assert [token.name for token in kept.items] == ["a", "c"]
    assert everything.total_size == 3
