"""The garbage collector of a serving process."""

from __future__ import annotations

import gc


def settle_memory() -> None:
    """Takes what was made at start out of the collector's rounds, and makes the rounds rarer.

    A server's objects die by reference counting; what the collector finds are rare cycles, and looking for
    them through everything that was imported took a tenth of a busy server's time (docs/why/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
