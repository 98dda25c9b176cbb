"""An alarm: ends, from any thread, the rest of a loop that waits for something to do."""

from __future__ import annotations

import asyncio

import structlog

log = structlog.get_logger()


class Alarm:
    """Belongs to the event loop that arms it. `ring` may be called from any thread, also before that."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()

    def arm(self) -> None:
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        """Cheap. Heard by the rest under way, or by the next one."""
        if self._loop is None or self._rung.is_set():
            return
        try:
            self._loop.call_soon_threadsafe(self._rung.set)
        except RuntimeError:
            log.debug("alarm_of_a_closed_loop")

    def silence(self) -> None:
        """What rang until now is seen to."""
        self._rung.clear()

    async def rest(self, seconds: float) -> bool:
        """Whether it rang within so many seconds; returns as soon as it does."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        return True
