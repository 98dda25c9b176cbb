"""The dialect in front of a server, on every database and transport."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.sendcloud.face import Face, facing


@pytest.fixture
async def face(database: str, transport: str) -> AsyncIterator[Face]:
    async with facing(database, transport) as face:
        yield face
