"""How much of each lane a process may lease beside what it holds (delivery.md §5). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from postroom_server.store.models import Lane

# A quarter is kept for lane 0; lane 2 never holds more than 60 %.
NOT_URGENT_SHARE = 0.75
BULK_SHARE = 0.6


def share(lane: Lane, held: Mapping[Lane, int], capacity: int) -> int:
    """How many deliveries of a lane may be leased now. Ask lane after lane, counting what each has taken.

    Lanes 1 and 2 are asked for in larger bites, so that a full process does not lease one at a time.
    """
    room = max(0, capacity - sum(held.values()))
    if lane is Lane.URGENT:
        return room
    room = min(room, int(capacity * NOT_URGENT_SHARE) - held[Lane.NORMAL] - held[Lane.BULK])
    if lane is Lane.BULK:
        room = min(room, int(capacity * BULK_SHARE) - held[Lane.BULK])
    return room if room >= max(1, capacity // 8) else 0
