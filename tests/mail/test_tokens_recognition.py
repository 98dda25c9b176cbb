"""Recognising callers by their secrets (security.md E1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, ParamSpec, TypeVar

import pytest

from fakes import NOON, ManualClock
from peers.configuration import ACME, AUTHOR, Configuration
from postroom_server.clock import MINUTE
from postroom_server.mail import tokens
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.recognition import Tokens
from postroom_server.mail.tokens import TokenForm
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Token
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.unit import Store, unavailable

P = ParamSpec("P")
T = TypeVar("T")
SENDER = TokenForm(name="shop", scopes=(Scope.SEND, Scope.READ), user_id=5, test=True)


class WatchedStore(Store):
    """Counts units, and can be made to fail or to wait."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reads = 0
        self.writes = 0
        self.down = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.reads += 1
        await self.gate.wait()
        if self.down:
            raise unavailable("down")
        return await self._store.read(unit, *args, **kwargs)

    async def write(self, unit: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.writes += 1
        if self.down:
            raise unavailable("down")
        return await self._store.write(unit, *args, **kwargs)

    async def write_then(self, after: Callable[[T], None], unit: Callable[[], T]) -> T:
        return await self._store.write_then(after, unit)

    def close(self) -> None:
        self._store.close()


class World:
    def __init__(self, configured: Configuration, clock: ManualClock) -> None:
        self.configured, self.clock = configured, clock
        self.store = WatchedStore(configured.store)
        self.tokens = Tokens(self.store, clock)

    async def secret(self, form: TokenForm = SENDER) -> str:
        return (await self.configured.new_token(form)).secret

    async def revoke(self, name: str) -> None:
        id_ = await self.configured.store.read(lambda: Token.get(Token.name == name).id)
        await self.configured.store.write(tokens.revoke, AUTHOR, None, id_, self.clock.now())

    async def last_used(self) -> Any:
        return await self.configured.store.read(lambda: Token.get(Token.name == "shop").last_used_time)


@pytest.fixture
async def world(opened: OpenDatabase) -> AsyncIterator[World]:
    clock = ManualClock()
    made = World(await Configuration(opened, clock).fill(), clock)
    yield made
    await made.tokens.close()


async def test_a_secret_tells_who_calls(world: World) -> None:
    secret = await world.secret()
    caller = await world.tokens.authenticate(secret)
    assert isinstance(caller, Caller)
    assert (caller.tenant_id, caller.name, caller.user_id, caller.test) == (ACME, "shop", 5, True)
    assert caller.scopes == {Scope.SEND, Scope.READ}


@pytest.mark.parametrize("guess", ["", "pr_", "pr_" + "A" * 43, ":", "é\udcff"])
async def test_a_guess_is_nobody(world: World, guess: str) -> None:
    await world.secret()
    assert await world.tokens.authenticate(guess) is None


async def test_a_known_secret_asks_the_database_once_a_second(world: World) -> None:
    secret = await world.secret()
    await world.tokens.authenticate(secret)
    reads = world.store.reads
    for _ in range(100):
        await world.tokens.authenticate(secret)
    assert world.store.reads == reads
    world.clock.advance(1000)
    await world.tokens.authenticate(secret)
    assert world.store.reads == reads + 1


async def test_callers_who_come_together_ask_the_database_once(world: World) -> None:
    secret = await world.secret()
    callers = await asyncio.gather(*(world.tokens.authenticate(secret) for _ in range(50)))
    assert {caller.name for caller in callers if caller} == {"shop"}
    assert len(callers) == 50
    assert world.store.reads == 2  # the generation, and the token


async def test_a_caller_who_goes_away_takes_nobody_along(world: World) -> None:
    secret = await world.secret()
    world.store.gate.clear()
    first = asyncio.ensure_future(world.tokens.authenticate(secret))
    second = asyncio.ensure_future(world.tokens.authenticate(secret))
    await asyncio.sleep(0)
    first.cancel()
    world.store.gate.set()
    caller = await second
    assert caller is not None
    assert first.cancelled()


async def test_a_revoked_token_ends_within_a_second(world: World) -> None:
    secret = await world.secret()
    assert await world.tokens.authenticate(secret) is not None
    await world.revoke("shop")
    world.clock.advance(1000)
    assert await world.tokens.authenticate(secret) is None


async def test_a_token_ends_at_its_expire_time_though_it_is_remembered(world: World) -> None:
    secret = await world.secret(TokenForm(name="short", scopes=(Scope.SEND,), expire_time=NOON + 500))
    assert await world.tokens.authenticate(secret) is not None
    world.clock.advance(499)
    assert await world.tokens.authenticate(secret) is not None
    world.clock.advance(1)
    assert await world.tokens.authenticate(secret) is None


async def test_guesses_are_not_remembered(world: World) -> None:
    await world.tokens.authenticate("pr_wrong")
    reads = world.store.reads
    for _ in range(20):
        assert await world.tokens.authenticate("pr_wrong") is None
    assert world.store.reads == reads + 20


async def test_a_pair_needs_its_own_user(world: World) -> None:
    key = await world.secret(TokenForm(name="pair", scopes=(Scope.SEND,), api_user="shop.user"))
    bearer = await world.secret()
    presented = [f"shop.user:{key}", key, f"other:{key}", f":{key}", f"shop.user:{bearer}", f"x:y:{key}"]
    callers = [await world.tokens.authenticate(credential) for credential in presented]
    assert [caller.name if caller else None for caller in callers] == ["pair", None, None, None, None, None]


async def test_the_last_use_is_written_once_a_minute_and_later(world: World) -> None:
    secret = await world.secret()
    await world.tokens.authenticate(secret)
    await world.tokens.close()
    for _ in range(59):
        world.clock.advance(1000)
        await world.tokens.authenticate(secret)
    await world.tokens.close()
    assert (await world.last_used(), world.store.writes) == (NOON, 1)
    world.clock.advance(1000)
    await world.tokens.authenticate(secret)
    await world.tokens.close()
    assert (await world.last_used(), world.store.writes) == (NOON + MINUTE, 2)


async def test_a_use_that_cannot_be_written_keeps_nobody_out(world: World) -> None:
    secret = await world.secret()
    await world.tokens.authenticate(secret)
    await world.tokens.close()
    world.clock.advance(MINUTE)
    await world.tokens.authenticate(secret)
    world.store.down = True
    assert await world.tokens.authenticate(secret) is not None
    await world.tokens.close()
    assert await world.last_used() == NOON


async def test_a_token_makes_its_calls_of_the_minute(world: World) -> None:
    secret = await world.secret(TokenForm(name="slow", scopes=(Scope.SEND,), calls_per_minute=3))
    for _ in range(3):
        assert await world.tokens.authenticate(secret) is not None
    with pytest.raises(Refusal) as caught:
        await world.tokens.authenticate(secret)
    assert caught.value.reason is Reason.RATE_LIMITED
    assert caught.value.retry_after is not None
    assert caught.value.retry_after.total_seconds() == 20
    world.clock.advance(20_000)
    assert await world.tokens.authenticate(secret) is not None


async def test_other_changes_do_not_give_a_token_more_calls(world: World) -> None:
    secret = await world.secret(TokenForm(name="slow", scopes=(Scope.SEND,), calls_per_minute=1))
    assert await world.tokens.authenticate(secret) is not None
    await world.secret()
    world.clock.advance(1000)
    with pytest.raises(Refusal, match="1 calls a minute"):
        await world.tokens.authenticate(secret)


async def test_without_a_database_nobody_is_recognised_and_everybody_is_told_why(world: World) -> None:
    secret = await world.secret()
    await world.tokens.authenticate(secret)
    world.store.down = True
    world.clock.advance(1000)
    with pytest.raises(Refusal) as caught:
        await world.tokens.authenticate(secret)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    world.store.down = False
    assert await world.tokens.authenticate(secret) is not None
