"""Waiting for what no event of this process tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PATIENCE = 10.0


async def until(
    truth: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None, *, seconds: float = PATIENCE
) -> None:
    """Waits for something to become true, and does something again and again until then."""
    async with asyncio.timeout(seconds):
        while not truth():
            meanwhile()
            await asyncio.sleep(0.005)
