"""Security row E7 behind a gateway: whose word about a client's address is taken."""

from __future__ import annotations

import pytest

from .conftest import World, build, failure_of


async def guess(world: World, *metadata: tuple[str, str]) -> str:
    return (await failure_of(world.stub.say("echo x", token="guess", metadata=metadata))).reason


def address(host: str) -> tuple[str, str]:
    return ("x-postroom-client-address", host)


@pytest.mark.parametrize(
    ("over", "proof"),
    [("local", ()), ("socket", (("x-postroom-gateway-token", "the gateway"),))],
)
async def test_e7_a_gateways_clients_have_buckets_of_their_own(
    over: str, proof: tuple[tuple[str, str], ...]
) -> None:
    world = await build(over)
    for _ in range(3):
        assert await guess(world, address("192.0.2.1"), *proof) == "TOKEN_INVALID"
    assert await guess(world, address("192.0.2.1"), *proof) == "RATE_LIMITED"
    assert await guess(world, address("192.0.2.2"), *proof) == "TOKEN_INVALID"
    await world.channel.close()
    await world.listener.stop()


@pytest.mark.parametrize("proof", [(), (("x-postroom-gateway-token", "both"),)])
async def test_e7_a_stranger_cannot_choose_a_bucket(
    socket_world: World, proof: tuple[tuple[str, str], ...]
) -> None:
    reasons = [await guess(socket_world, address(f"192.0.2.{n}"), *proof) for n in range(4)]
    assert reasons == ["TOKEN_INVALID"] * 3 + ["RATE_LIMITED"]
