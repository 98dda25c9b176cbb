"""64-bit ids that grow with time: 41 bits of milliseconds since 2024, 10 bits node, 12 bits counter.

They order rows by time roughly, not by commit; no cursor rests on them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from postroom_server.clock import Clock, Millis
from postroom_server.store.unit import unavailable

EPOCH: Millis = 1_704_067_200_000  # 2024-01-01T00:00:00Z
NODE_BITS = 10
COUNTER_BITS = 12
_COUNTERS = 1 << COUNTER_BITS
_SHIFT = NODE_BITS + COUNTER_BITS


def first_id_at(time: Millis) -> int:
    """The smallest id that a row made at `time` can have; what turns a range of time into a range of ids."""
    return max(0, time - EPOCH) << _SHIFT


class IdMint:
    """Makes ids for one node. A clock set back keeps the last millisecond; a full counter takes the next."""

    def __init__(self, clock: Clock, *, node: int = 0, may_mint: Callable[[], bool] = lambda: True) -> None:
        if not 0 <= node < 1 << NODE_BITS:
            raise ValueError(f"node must be 0..{(1 << NODE_BITS) - 1}, not {node}")
        self._clock = clock
        self._node = node << COUNTER_BITS
        self._may_mint = may_mint
        self._lock = threading.Lock()
        self._millisecond = 0
        self._counter = 1  # a clock that was never set stays at millisecond 0, and 0 is not an id

    def one(self) -> int:
        return self.many(1)[0]

    def many(self, count: int) -> list[int]:
        """Makes `count` ids in growing order. Refuses while this node's lease on its number is in doubt."""
        if not self._may_mint():
            raise unavailable("this process has lost touch with the database")
        with self._lock:
            now = self._clock.now() - EPOCH
            if now > self._millisecond:
                self._millisecond, self._counter = now, 0
            if self._counter + count <= _COUNTERS:
                first = (self._millisecond << _SHIFT) | self._node | self._counter
                self._counter += count
                return list(range(first, first + count))
            ids = []
            for _ in range(count):
                if self._counter == _COUNTERS:
                    self._millisecond, self._counter = self._millisecond + 1, 0
                ids.append((self._millisecond << _SHIFT) | self._node | self._counter)
                self._counter += 1
            return ids
