"""Several processes on one PostgreSQL: stopped and started in turn, and held still until others take over."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

from faults.balance import balance
from faults.ledger import traffic
from faults.outcome import Outcome
from faults.processes import QUICK, watched

DEAD_AFTER = float(QUICK["POSTROOM_DEAD_AFTER_SECONDS"])
# Where a process that holds a mail is stopped in the moment that matters.
MOMENTS = ("after_lease_commit", "after_rcpt", "after_dot_mark", "before_dot", "after_dot", "before_settle")


async def rolling(folder: Path, database: str, *, rounds: int, count: int = 3, **settings: str) -> Outcome:
    """Restarts each of `count` processes in turn, `rounds` times: nothing is lost, and nothing sent twice."""
    async with watched(folder, database, count, **settings) as (processes, _, ledger):
        async with traffic(ledger, pause=0.01):
            for _ in range(rounds):
                for process in processes:
                    await ledger.until_handed(ledger.handed + 20)
                    assert await process.stop() == 0
                    await process.start()
        found = await balance(ledger)
    assert (found.duplicates, found.ambiguous) == (0, 0)
    beside = ", senders beside them" if settings else ""
    return Outcome(f"rolling restart under load{beside}", f"{rounds} rounds of {count} processes", found)


async def held_still(
    folder: Path, database: str, chance: random.Random, *, stops: int, **settings: str
) -> Outcome:
    """SIGSTOP past the beat, at random and when it matters: others take over, SIGCONT finds a fence.

    A sender beside one that is stopped at random is not: it has to find out by itself.
    """
    fenced = 0
    async with watched(folder, database, 2, **settings) as (processes, _, ledger):
        async with traffic(ledger, pause=0.01):
            for number in range(stops):
                victim = processes[number % 2]
                if number % 2:
                    victim.kill()
                    await victim.start_towards_a_stop(
                        f"{chance.choice(MOMENTS)}=stop:{chance.randint(1, 20)}"
                    )
                    await asyncio.sleep(1.0)
                victim.signal(signal.SIGSTOP)
                await asyncio.sleep(DEAD_AFTER + 1.5)
                victim.signal(signal.SIGCONT)
                # Whoever was declared dead finds that out, lets go of what it can, and ends.
                fenced += await victim.until_gone(60)
                if not victim.is_running:
                    await victim.start()
        found = await balance(ledger)
    assert fenced == stops
    beside = ", a sender beside it that goes on" if settings else ""
    return Outcome(f"SIGSTOP past the beat, then SIGCONT{beside}", f"{stops} stops", found)
