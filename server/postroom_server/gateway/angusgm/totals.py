"""Exact totals of lists, remembered for two seconds: people turn pages faster than tables change."""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Hashable

from postroom_server.clock import Clock

KEPT_SECONDS = 2.0
_MOST_CREDENTIALS = 1000
_MOST_QUERIES = 64


class Totals:
    """By credential and conditions. Whoever sends or deletes is not told what was true before."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: collections.OrderedDict[bytes, dict[Hashable, tuple[int, float]]] = (
            collections.OrderedDict()
        )

    def recall(self, credential: str, conditions: Hashable) -> int | None:
        total, until = self._kept.get(_key(credential), {}).get(conditions, (0, 0.0))
        return total if self._clock.monotonic() < until else None

    def remember(self, credential: str, conditions: Hashable, total: int) -> None:
        mine = self._kept.setdefault(_key(credential), {})
        if len(mine) >= _MOST_QUERIES:
            mine.clear()
        mine[conditions] = (total, self._clock.monotonic() + KEPT_SECONDS)
        if len(self._kept) > _MOST_CREDENTIALS:
            self._kept.popitem(last=False)

    def forget(self, credential: str) -> None:
        if self._kept:
            self._kept.pop(_key(credential), None)


def _key(credential: str) -> bytes:
    # Not the credential itself: what is kept may be seen in a dump.
    return hashlib.sha256(credential.encode("utf-8", "replace")).digest()
