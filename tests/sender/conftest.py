"""What tests of the sender share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from postroom_server.sender.remote import Sender
from sender.sending import started


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    """A sender, which has to end when its test does."""
    sender = await started()
    yield sender
    async with asyncio.timeout(10):
        await sender.close(0)
