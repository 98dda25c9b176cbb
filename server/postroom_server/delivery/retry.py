"""When to try again (delivery.md §4)."""

from __future__ import annotations

from collections.abc import Callable

from postroom_server.clock import HOUR, MINUTE, SECOND, Millis

FIRST_DELAY: Millis = 60 * SECOND
LONGEST_DELAY: Millis = 4 * HOUR
AFTER_AMBIGUOUS: Millis = 5 * MINUTE
FIRST_PAUSE: Millis = 5 * SECOND
LONGEST_PAUSE: Millis = 15 * MINUTE
_CODE_DELAYS: tuple[Millis, ...] = (5 * SECOND, 15 * SECOND, 45 * SECOND, 120 * SECOND)


def delay(tries: int, *, is_code: bool, uniform: Callable[[float, float], float]) -> Millis:
    """How long to wait after the `tries`-th message-level failure (1 is the first), with jitter."""
    if tries < 1:
        raise ValueError("delay is asked after a try")
    if is_code:
        base = _CODE_DELAYS[min(tries, len(_CODE_DELAYS)) - 1]
    else:
        # 2^12 minutes is beyond the cap; larger powers would only overflow.
        base = min(LONGEST_DELAY, FIRST_DELAY << min(tries - 1, 12))
    return round(base * uniform(0.8, 1.2))


def pause(transactions: int, *, uniform: Callable[[float, float], float]) -> Millis:
    """How long to wait after nobody could be asked though no breaker is open, at the delivery's n-th lease.

    Such as a 421 for one recipient, from a server that takes other mail: no try is spent on it, yet asking
    again at once would be knocking without end.
    """
    return round(min(LONGEST_PAUSE, FIRST_PAUSE << min(max(transactions, 1) - 1, 10)) * uniform(0.8, 1.2))
