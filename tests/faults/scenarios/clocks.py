"""The clock jumps, forth and back, under traffic: what was due stays due, and nothing is sent twice."""

from __future__ import annotations

import asyncio
import random
import time

from faults.balance import balance
from faults.leaping import leaping
from faults.ledger import traffic
from faults.outcome import Outcome
from faults.sink import Sink, says, well
from postroom_server.clock import DAY, HOUR, MINUTE, SECOND

# In milliseconds; mail that is not delivered for two days expires, and rightly so.
JUMPS = (HOUR, -HOUR, 10 * MINUTE, -DAY, 5 * SECOND, DAY, -10 * MINUTE, -HOUR, -2 * SECOND)


async def jumps(database: str, chance: random.Random, *, count: int) -> Outcome:
    """Sets the wall clock, while the mail server fails now and then; the monotonic clock goes on."""
    async with Sink() as sink, leaping(database, [sink]) as (world, ledger):
        longest = 0.0
        async with traffic(ledger, 4, pause=0.02):
            for number in range(count):
                await ledger.until_handed(ledger.handed + 20)
                if number % 3 == 2:
                    # The breaker opens, and the clock is set while it is open.
                    sink.mood = says("BANNER", "421 4.3.2 not now")
                    await asyncio.sleep(0.5)
                world.clock.leap(JUMPS[number % len(JUMPS)] + chance.randint(-SECOND, SECOND))
                sink.mood = well
                began = time.monotonic()
                # Nobody waits until the clock has caught up with where it was.
                await ledger.until_handed(ledger.handed + 20, 45)
                longest = max(longest, time.monotonic() - began)
        found = await balance(ledger)
    return Outcome("the wall clock jumps", f"{count} jumps", found, f"mail went on within {longest:.1f} s")
