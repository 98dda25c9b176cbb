"""The clock jumps, forth and back, under traffic: what was due stays due, and nothing is sent twice."""

from __future__ import annotations

import asyncio
import random
import time

from acceptance.world import LeapingClock, serving
from faults.balance import balance
from faults.ledger import Ledger, traffic
from faults.outcome import Outcome
from faults.sink import Sink, says, well
from postroom_server.clock import DAY, HOUR, MINUTE, SECOND

# In milliseconds; mail that is not delivered for two days expires, and rightly so.
JUMPS = (HOUR, -HOUR, 10 * MINUTE, -DAY, 5 * SECOND, DAY, -10 * MINUTE, -HOUR, -2 * SECOND)


class JumpingClock(LeapingClock):
    """A wall clock that somebody sets; the monotonic one goes on."""


async def jumps(database: str, chance: random.Random, *, count: int) -> Outcome:
    """Sets the wall clock of a server in this process, while its mail server fails now and then."""
    clock = JumpingClock()
    async with Sink() as sink, serving(database, "socket", clock=clock, drain_seconds=30) as world:
        await world.furnish()
        await world.add_server(sink.port)
        ledger = Ledger([world], [sink])
        longest = 0.0
        async with traffic(ledger, 4, pause=0.02):
            for number in range(count):
                await ledger.until_handed(ledger.handed + 20)
                if number % 3 == 2:
                    # The breaker opens, and the clock is set while it is open.
                    sink.mood = says("BANNER", "421 4.3.2 not now")
                    await asyncio.sleep(0.5)
                clock.leap(JUMPS[number % len(JUMPS)] + chance.randint(-SECOND, SECOND))
                sink.mood = well
                began = time.monotonic()
                # Nobody waits until the clock has caught up with where it was.
                await ledger.until_handed(ledger.handed + 20, 45)
                longest = max(longest, time.monotonic() - began)
        found = await balance(ledger)
    return Outcome("the wall clock jumps", f"{count} jumps", found, f"mail went on within {longest:.1f} s")
