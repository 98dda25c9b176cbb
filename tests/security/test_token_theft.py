"""Row E1: what a thief finds in the database, and how long a stolen token lasts."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any

import grpc
import grpc.aio
import pytest

from fakes import ManualClock
from postroom.v1 import email_service_pb2, email_service_pb2_grpc, token_pb2
from postroom_server.clock import MINUTE
from postroom_server.mail.caller import Scope
from postroom_server.store.models import ALL, Token
from serving import ACME, Served, served, serving

__all__ = ["served"]


def _everything() -> list[Any]:
    return [value for model in ALL for row in model.select().tuples() for value in row]


async def test_e1_no_secret_is_in_the_database(served: Served) -> None:
    admin = await served.token("admin", ACME, {Scope.ADMIN, Scope.SEND})
    told = await served.call(
        "TokenService.CreateToken",
        admin,
        token=token_pb2.Token(name="pair", scopes=[token_pb2.TOKEN_SCOPE_SEND], api_user="user"),
    )
    pair = told.message.secret
    assert len(pair) == len(admin) == 46
    stored = await served.store.read(_everything)
    texts = [
        bytes(value) if isinstance(value, memoryview | bytes) else str(value).encode() for value in stored
    ]
    for secret in (admin, pair):
        found = [text for text in texts if secret.encode() in text or secret[3:].encode() in text]
        assert found == []
        assert hashlib.sha256(secret.encode()).digest() in texts
    listed = await served.call("TokenService.ListTokens", admin)
    assert pair not in str(listed.message)


async def test_e1_a_revoked_token_ends_within_five_seconds(served: Served) -> None:
    admin = await served.token("admin", ACME, {Scope.ADMIN, Scope.READ})
    told = await served.call(
        "TokenService.CreateToken",
        admin,
        token=token_pb2.Token(name="lost", scopes=[token_pb2.TOKEN_SCOPE_READ]),
    )
    lost, token_id = told.message.secret, told.message.token.id
    assert (await served.call("EmailService.ListEmails", lost)).code == "OK"
    assert (await served.call("TokenService.RevokeToken", admin, id=token_id)).code == "OK"
    revoked_at = time.monotonic()
    async with asyncio.timeout(5):
        while (answer := await served.call("EmailService.ListEmails", lost)).code == "OK":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert answer.reason == "TOKEN_INVALID"
    assert time.monotonic() - revoked_at < 5


async def test_e1_a_token_ends_when_it_expires(database: str) -> None:
    clock = ManualClock()
    async with serving(database, clock=clock) as served:
        served.clock = clock
        secret = await served.token("short", ACME, {Scope.READ}, expire_time=clock.now() + MINUTE)
        clock.advance(MINUTE - 1)
        assert (await served.call("EmailService.ListEmails", secret)).code == "OK"
        clock.advance(1)
        told = await served.call("EmailService.ListEmails", secret)
        assert (told.code, told.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID")


@pytest.mark.parametrize("guess", ["", "pr_", "x" * 46, "字", "'; DROP TABLE token; --", "%", "a:b:c"])
async def test_e1_guesses_are_no_tokens(served: Served, guess: str) -> None:
    secret = await served.token("right", ACME, {Scope.READ})
    for wrong in (guess, secret[:-1], secret + "x", secret.upper(), f"user:{secret}", f" {secret}"):
        header = f"Bearer {wrong}".encode().decode("latin-1")
        if not header.isascii():
            continue
        told = await served.call("EmailService.ListEmails", None, metadata=(("authorization", header),))
        assert told.code == "UNAUTHENTICATED", wrong
    assert len(await served.store.read(lambda: list(Token.select()))) == 1


async def test_e1_a_stream_ends_with_its_token(served: Served) -> None:
    admin = await served.token("admin", ACME, {Scope.ADMIN, Scope.READ})
    told = await served.call(
        "TokenService.CreateToken",
        admin,
        token=token_pb2.Token(name="lost", scopes=[token_pb2.TOKEN_SCOPE_READ]),
    )
    lost, token_id = told.message.secret, told.message.token.id
    stub = email_service_pb2_grpc.EmailServiceStub(served.socket)
    stream = stub.WatchEvents(
        email_service_pb2.WatchEventsRequest(), metadata=[("authorization", f"Bearer {lost}")]
    )
    assert (await stream.read()).HasField("heartbeat")
    assert (await served.call("TokenService.RevokeToken", admin, id=token_id)).code == "OK"
    async with asyncio.timeout(5):
        assert await stream.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_e7_one_stale_token_does_not_lock_out_who_was_let_in_before(served: Served) -> None:
    reader = await served.token("reader", ACME, {Scope.READ})
    newcomer = await served.token("newcomer", ACME, {Scope.READ})
    assert (await served.call("EmailService.ListEmails", reader)).code == "OK"
    told = [await served.call("EmailService.ListEmails", "pr_stale") for _ in range(25)]
    assert told[-1].reason == "RATE_LIMITED"
    assert (await served.call("EmailService.ListEmails", reader)).code == "OK"
    assert (await served.call("EmailService.ListEmails", newcomer)).reason == "RATE_LIMITED"
