"""When the calls of an open loop are meant to begin: at random, at a rate, whatever the server does."""

from __future__ import annotations

import random


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Seconds from the start, ascending: a Poisson process, the same for the same seed."""
    if rate <= 0:
        raise ValueError("a rate is more than nothing")
    drawn = random.Random(seed)
    found: list[float] = []
    at = drawn.expovariate(rate)
    while at < seconds:
        found.append(at)
        at += drawn.expovariate(rate)
    return found
