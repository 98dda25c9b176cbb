"""Time, passed in wherever it matters, so that tests can turn the hands."""

from __future__ import annotations

import time

# Milliseconds since the Unix epoch, UTC. What every stored time is.
Millis = int

SECOND: Millis = 1000
MINUTE: Millis = 60 * SECOND
HOUR: Millis = 60 * MINUTE
DAY: Millis = 24 * HOUR


class Clock:
    """The machine's clock."""

    def now(self) -> Millis:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that only ever grow; for measuring how long something took."""
        return time.monotonic()


class SteeredClock(Clock):
    """Shows another clock's time, by which it is set now and then; in between the monotonic one counts.

    For processes that share a database: the database's clock is the one that they all have. The machine's own
    may be wrong, or jump.
    """

    def __init__(self) -> None:
        self._set = (super().now(), self.monotonic())

    def now(self) -> Millis:
        time_set, since = self._set
        return time_set + int(1000 * (self.monotonic() - since))

    def steer(self, time: Millis, monotonic: float) -> None:
        """Sets it: the other clock showed `time` when the monotonic one showed `monotonic`."""
        self._set = (time, monotonic)
