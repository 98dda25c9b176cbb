"""What tests of delivery share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from delivery.carrying import World
from postroom_server.sender.ways import Use


@pytest.fixture(params=["own", "beside"])
def sender(request: pytest.FixtureRequest) -> str:
    """Who speaks to mail servers: the process itself, or a sender beside it."""
    return str(request.param)


@pytest.fixture
async def world(sender: str) -> AsyncIterator[World]:
    """A transmission, which has to end when its test does."""
    world = World(Use.ALWAYS if sender == "beside" else Use.NEVER)
    if sender == "beside":
        await world.until_sender()
    yield world
    async with asyncio.timeout(10):
        await world.transmission.close(0)
