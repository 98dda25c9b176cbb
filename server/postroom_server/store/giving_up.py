"""Reads that nobody waits for any more are stopped, or a few slow ones would hold every thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

AGAIN_SECONDS = 0.02


class Reading:
    """One read on its thread. Giving it up stops the statement under way, and never the next read's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None
        self._given_up = False

    def begin(self, interrupt: Callable[[], None]) -> bool:
        """Called by the thread that reads; False when the caller has gone already."""
        with self._lock:
            self._interrupt = interrupt
            return not self._given_up

    def end(self) -> None:
        with self._lock:
            self._interrupt = None

    def give_up(self) -> None:
        """Returns when the read has ended. Blocks, so it is not for the event loop; safe from any thread."""
        while self._interrupt_once():
            # An interrupt between two statements meets neither: the next one is interrupted then.
            time.sleep(AGAIN_SECONDS)

    def _interrupt_once(self) -> bool:
        with self._lock:
            self._given_up = True
            if self._interrupt is None:
                return False
            self._interrupt()
            return True
