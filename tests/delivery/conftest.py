"""What tests of delivery share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from delivery.carrying import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A transmission, which has to end when its test does."""
    world = World()
    yield world
    async with asyncio.timeout(10):
        await world.transmission.close(0)
