"""Random bytes from the system, drawn in larger sips: a system call for each mail adds up."""

from __future__ import annotations

import os
import threading

from postroom_server.clock import Millis

_SIP = 4096


class Randomness:
    """Hands out bytes of os.urandom, none of them twice. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool = b""
        self._used = 0

    def take(self, count: int) -> bytes:
        with self._lock:
            if self._used + count > len(self._pool):
                self._pool, self._used = os.urandom(max(_SIP, count)), 0
            start = self._used
            self._used += count
            return self._pool[start : self._used]


randomness = Randomness()


def ordered_uuid(now: Millis) -> str:
    """A UUID version 7 (RFC 9562 §5.7): its first bits are the time, so that indexes grow at their end."""
    # By text, because uuid.UUID takes longer than drawing the bytes.
    bits = int.from_bytes(randomness.take(10))
    tail = f"{bits & ~(0x3 << 62) | 2 << 62:020x}"
    return f"{now >> 16 & 0xFFFFFFFF:08x}-{now & 0xFFFF:04x}-7{tail[1:4]}-{tail[4:8]}-{tail[8:]}"
