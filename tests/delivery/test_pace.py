"""A pace: the first begins at once, the next when its time has come."""

from __future__ import annotations

import asyncio
import itertools

from postroom_server.delivery.pace import Pace

HOUR = 3600.0


def returns_at_once(pace: Pace) -> bool:
    """Whether a wait ends without giving way to anybody."""
    waiting = pace.wait()
    try:
        waiting.send(None)
    except StopIteration:
        return True
    waiting.close()
    return False


async def test_whoever_comes_alone_does_not_wait_and_whoever_comes_soon_after_does() -> None:
    pace = Pace(HOUR)
    assert returns_at_once(pace)
    assert not returns_at_once(pace)


async def test_whoever_comes_late_enough_does_not_wait() -> None:
    pace = Pace(0.01)
    await pace.wait()
    await asyncio.sleep(0.02)
    assert returns_at_once(pace)


async def test_no_two_begin_closer_together_than_that() -> None:
    pace, loop = Pace(0.02), asyncio.get_running_loop()
    began = []
    for _ in range(5):
        await pace.wait()
        began.append(loop.time())
    assert all(later - earlier >= 0.02 for earlier, later in itertools.pairwise(began))
