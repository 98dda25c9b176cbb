"""The backend: what goes along with a call, what is made again, and what a refusal says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest

from postroom.v1 import email_pb2, email_service_pb2, email_service_pb2_grpc
from postroom_server.gateway.backend import Backend, Visitor
from postroom_server.gateway.refused import Refused, Violation
from postroom_server.refusals import Reason, Refusal
from postroom_server.refusals import Violation as Rule
from postroom_server.rpc import status

Found = email_service_pb2.GetEmailResponse
VISITOR = Visitor("secret", "192.0.2.1", "r-1")
Answer = Callable[[Any], Awaitable[Found]]


class Scripted(email_service_pb2_grpc.EmailServiceServicer):
    """Answers GetEmail as it is told, call by call; the last answer goes on."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [_ok]
        self.metadata: list[dict[str, str | bytes]] = []

    async def GetEmail(self, request: Any, context: Any) -> Found:  # noqa: N802
        self.metadata.append(dict(context.invocation_metadata()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(context)


async def _ok(_: Any) -> Found:
    return Found(email=email_pb2.Email(id=7))


def refusing(refusal: Refusal) -> Answer:
    async def refuse(context: Any) -> Found:
        return await context.abort(*status.of_refusal(refusal))  # type: ignore[no-any-return]

    return refuse


def ending(code: grpc.StatusCode, *trailers: tuple[str, bytes]) -> Answer:
    async def end(context: Any) -> Found:
        return await context.abort(code, "transport text", trailers)  # type: ignore[no-any-return]

    return end


AWAY = ending(grpc.StatusCode.UNAVAILABLE)
LEAVING = refusing(Refusal(Reason.SHUTTING_DOWN, "this server is shutting down"))
FULL = refusing(Refusal(Reason.DISK_FULL, "the disk is full"))


class World:
    def __init__(self, scripted: Scripted, channel: grpc.aio.Channel) -> None:
        self.scripted, self.channel = scripted, channel

    async def get(self, visitor: Visitor = VISITOR, *, remote: bool = True, **options: Any) -> Found:
        backend = Backend(self.channel, is_remote=remote, gateway_token=options.pop("token", ""))
        request = email_service_pb2.GetEmailRequest(id=7)
        answer: Found = await backend.call(backend.email.GetEmail, request, visitor, **options)
        return answer

    async def refused(self, **options: Any) -> Refused:
        with pytest.raises(Refused) as caught:
            await self.get(**options)
        return caught.value


@pytest.fixture
async def world() -> AsyncIterator[World]:
    scripted = Scripted()
    server = grpc.aio.server()
    email_service_pb2_grpc.add_EmailServiceServicer_to_server(scripted, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield World(scripted, channel)
    await server.stop(None)


async def test_a_call_carries_its_visitor_and_nothing_of_the_gateways_own(world: World) -> None:
    assert (await world.get()).email.id == 7
    (metadata,) = world.scripted.metadata
    assert metadata["authorization"] == "Bearer secret"
    assert metadata["x-postroom-client-address"] == "192.0.2.1"
    assert metadata["x-request-id"] == "r-1"
    assert "x-postroom-gateway-token" not in metadata


async def test_a_gateways_token_goes_beside_the_callers_credential(world: World) -> None:
    await world.get(token="gateway")
    (metadata,) = world.scripted.metadata
    assert (metadata["authorization"], metadata["x-postroom-gateway-token"]) == ("Bearer secret", "gateway")


async def test_no_credential_is_no_header(world: World) -> None:
    await world.get(Visitor("", "192.0.2.1", "r-1"))
    assert "authorization" not in world.scripted.metadata[0]


@pytest.mark.parametrize("credential", ["a\nb", "ключ", "x" * 5000, "\x00", " a", "a ", "a\x7f"])
async def test_a_credential_that_cannot_travel_is_a_wrong_one(world: World, credential: str) -> None:
    refused = await world.refused(visitor=Visitor(credential, "192.0.2.1", "r-1"))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
    assert world.scripted.metadata == []


@pytest.mark.parametrize("away", [AWAY, LEAVING])
async def test_a_repeatable_call_finds_a_server_that_was_away(world: World, away: Answer) -> None:
    world.scripted.answers = [away, away, away, _ok]
    assert (await world.get(repeatable=True)).email.id == 7
    assert len(world.scripted.metadata) == 4


@pytest.mark.parametrize(
    ("answer", "options", "calls"),
    [
        (AWAY, {"repeatable": True}, 4),
        (AWAY, {"repeatable": False}, 1),
        (AWAY, {"repeatable": True, "remote": False}, 1),
        (FULL, {"repeatable": True}, 1),
        (ending(grpc.StatusCode.INTERNAL), {"repeatable": True}, 1),
    ],
)
async def test_only_what_was_away_and_may_be_repeated_is_repeated(
    world: World, answer: Answer, options: dict[str, Any], calls: int
) -> None:
    world.scripted.answers = [answer]
    await world.refused(**options)
    assert len(world.scripted.metadata) == calls


async def test_repeating_ends_with_the_time_of_the_call(world: World) -> None:
    world.scripted.answers = [AWAY]
    began = time.monotonic()
    refused = await world.refused(repeatable=True, timeout=0.1)
    assert refused.code is grpc.StatusCode.UNAVAILABLE
    assert time.monotonic() - began < 0.5


async def test_a_call_ends_with_its_time(world: World) -> None:
    async def never(_: Any) -> Found:
        await asyncio.sleep(60)
        raise AssertionError

    world.scripted.answers = [never]
    assert (await world.refused(timeout=0.05)).code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_refusal_says_everything_it_said(world: World) -> None:
    refusal = Refusal(
        Reason.INVALID_FIELD,
        "to[0]: 没有 (and 1 more)",
        violations=[Rule("to[0]", "没有"), Rule("cc[1]", "b", Reason.UNSAFE_CONTENT)],
        metadata={"limit": "3"},
    )
    world.scripted.answers = [refusing(refusal)]
    refused = await world.refused()
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refused.message == "to[0]: 没有 (and 1 more)"
    assert refused.violations == (
        Violation("to[0]", "没有", "INVALID_FIELD"), Violation("cc[1]", "b", "UNSAFE_CONTENT")
    )  # fmt: skip
    assert (dict(refused.metadata), refused.retry_after) == ({"limit": "3"}, None)


async def test_a_refusal_says_when_to_come_back(world: World) -> None:
    refusal = Refusal(Reason.RATE_LIMITED, "slowly", retry_after=timedelta(seconds=1.5))
    world.scripted.answers = [refusing(refusal)]
    assert (await world.refused()).retry_after == 1.5


@pytest.mark.parametrize("trailers", [(), (("grpc-status-details-bin", b"\xff\xff\xff"),)])
async def test_an_error_without_readable_details_is_its_code(
    world: World, trailers: tuple[tuple[str, bytes], ...]
) -> None:
    world.scripted.answers = [ending(grpc.StatusCode.FAILED_PRECONDITION, *trailers)]
    refused = await world.refused()
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "")
    assert refused.violations == ()


async def test_a_closed_channel_says_that_this_server_leaves(world: World) -> None:
    await world.channel.close()
    refused = await world.refused(remote=False)
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
