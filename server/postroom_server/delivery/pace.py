"""A pace: what comes alone begins at once, and what comes often begins at intervals, together."""

from __future__ import annotations

import asyncio
import math


class Pace:
    """For one coroutine at a time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = -math.inf

    async def wait(self) -> None:
        """Returns at once, but not sooner than so many seconds after it last did."""
        loop = asyncio.get_running_loop()
        left = self._last + self._seconds - loop.time()
        if left > 0:
            await asyncio.sleep(left)
        self._last = loop.time()
