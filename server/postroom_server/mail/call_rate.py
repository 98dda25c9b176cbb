"""Call rate: how many calls one token may still make."""

from __future__ import annotations


class CallRate:
    """A bucket that holds a minute's calls and refills evenly. Each process counts for itself."""

    __slots__ = ("_filled_at", "_left", "per_minute")

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._left = float(per_minute)
        self._filled_at = float("-inf")

    def take(self, monotonic: float) -> float:
        """Takes one call. Returns 0, or the seconds until there is one to take."""
        each = 60.0 / self.per_minute
        self._left = min(self.per_minute, self._left + (monotonic - self._filled_at) / each)
        self._filled_at = monotonic
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) * each
