"""The last few values by key: what copies of one email share, for they come close together."""

from __future__ import annotations

import collections
import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The oldest is dropped first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: collections.OrderedDict[int, T] = collections.OrderedDict()
        self._lock = threading.Lock()  # long letters are written beside the loop

    def get(self, key: int) -> T | None:
        return self._values.get(key)

    def keep(self, key: int, value: T) -> None:
        with self._lock:
            self._values[key] = value
            if len(self._values) > self._most:
                self._values.popitem(last=False)
