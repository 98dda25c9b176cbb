"""A server on every database and transport, and a peer that takes its mail."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from acceptance.world import LeapingClock, World, serving
from peers.smtp_peer import SmtpPeer
from postroom_server import assembly, outbound
from postroom_server.clock import Millis
from postroom_server.store.time import database_now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> LeapingClock:
    """Where the database's clock decides what is due, it leaps along."""
    clock = LeapingClock()

    def now() -> Millis:
        return database_now() + clock.ahead

    for module in (assembly, outbound):
        monkeypatch.setattr(module, "database_now", now)
    return clock


@pytest.fixture
async def peer() -> AsyncIterator[SmtpPeer]:
    async with SmtpPeer() as peer:
        yield peer


@pytest.fixture
async def world(database: str, transport: str, clock: LeapingClock) -> AsyncIterator[World]:
    """Without a mail server yet."""
    async with serving(database, transport, clock=clock) as world:
        await world.furnish()
        yield world


@pytest.fixture
async def postroom(world: World, peer: SmtpPeer) -> World:
    """With the peer as its mail server."""
    await world.add_server(peer.port)
    return world
