"""What tests put in place of time: a clock whose hands they turn."""

from __future__ import annotations

from postroom_server.clock import Clock, Millis

NOON: Millis = 1_780_315_200_000  # 2026-06-01T12:00:00Z


class ManualClock(Clock):
    """Stands still until told otherwise. Both hands move together, but for `set_back`."""

    def __init__(self, now: Millis = NOON) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> Millis:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, milliseconds: Millis) -> None:
        self._now += milliseconds
        self._monotonic += milliseconds / 1000

    def set_back(self, milliseconds: Millis) -> None:
        """What an operator or NTP does: the wall clock jumps, the monotonic one does not."""
        self._now -= milliseconds
