"""kill -9: at random, at every failpoint, and by the same mail again and again."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path

from faults.balance import balance, held_count
from faults.ledger import Ledger, traffic, wait_for
from faults.outcome import Outcome
from faults.processes import watched
from faults.sink import Act
from postroom_server.failpoints import NAMES

# Every so many kills the senders pause, as people do: then what is left behind is caught up with.
ROUND = 25
# Only mail to an audience comes here.
EXPANSION = ("before_expansion_commit", "after_expansion_commit")
PLACES = tuple(name for name in NAMES if name not in EXPANSION)
AROUND_THE_DOT = ("after_rcpt", "after_dot_mark", "before_dot", "after_dot", "before_settle", "inside_settle")


async def at_random(folder: Path, database: str, chance: random.Random, *, kills: int, count: int) -> Outcome:
    """Kills one of `count` processes after the other under traffic, some of them while they still start."""
    done = 0
    async with watched(folder, database, count) as (processes, _, ledger):
        while done < kills:
            async with traffic(ledger, pause=0.01):
                for _ in range(min(ROUND, kills - done)):
                    await asyncio.sleep(chance.uniform(0.0, 0.8))
                    victim = chance.choice(processes)
                    victim.kill()
                    done += 1
                    if chance.random() < 0.1 and done < kills:
                        victim.launch()
                        await asyncio.sleep(chance.uniform(0.2, 1.5))
                        victim.kill()
                        done += 1
                    await victim.start()
        found = await balance(ledger)
        assert all(process.is_running for process in processes)
        # Every sender asked until it was answered, so there is no mail of which nobody knows.
        assert found.accepted >= 5 * kills / 2
    notes = f"in hand at a kill {found.ambiguous / done:.1f}, sent again {found.duplicates / done:.1f}"
    return Outcome(f"kill -9 at random, {_among(count)}", f"{done} kills", found, notes)


async def never_twice(folder: Path, database: str, chance: random.Random, *, kills: int) -> Outcome:
    """Kills a process around the dots of mail that must not be repeated."""
    async with watched(folder, database) as ([process], sink, ledger):
        sink.pause = 0.005  # the dots stay unanswered for a while
        process.kill()
        async with traffic(ledger, pause=0.02, send=ledger.send_never_twice):
            for number in range(kills):
                place = AROUND_THE_DOT[number % len(AROUND_THE_DOT)]
                process.launch(f"{place}=kill:{chance.randint(1, 9)}")
                if not await process.until_gone(60):
                    process.kill()
            await process.start()
        sink.pause = 0.0
        found = await balance(ledger)
    broken = []
    if found.duplicates:
        broken.append(f"{found.duplicates} copies of mail that was never to be repeated")
    if found.ambiguous != found.unknown:
        broken.append(f"{found.ambiguous} ambiguous events and {found.unknown} mails that ended as UNKNOWN")
    return Outcome("AT_MOST_ONCE under kill -9", f"{kills} kills", found, broken=tuple(broken))


async def at_failpoints(folder: Path, database: str, chance: random.Random, *, rounds: int) -> Outcome:
    """Lets one process after the other die at a failpoint under traffic."""
    missed: list[str] = []
    kills = 0
    async with watched(folder, database) as ([process], _, ledger):
        process.kill()
        for _ in range(rounds):
            async with traffic(ledger, pause=0.01):
                for name in chance.sample(PLACES, len(PLACES)):
                    # Rescue comes first, for what the one before has left.
                    most = 3 if name == "during_rescue" else 12
                    process.launch(f"{name}=kill:{chance.randint(1, most)}")
                    if await process.until_gone(20 if name == "during_rescue" else 90):
                        kills += 1
                    else:
                        missed.append(name)
                        process.kill()
                await process.start()
            process.kill()
        await process.start()
        found = await balance(ledger)
    # Whether there is anything to rescue is up to the one before.
    assert set(missed) <= {"during_rescue"}, missed
    return Outcome("kill -9 at every failpoint", f"{kills} kills at {len(PLACES)} places", found)


async def poison(folder: Path, database: str, chance: random.Random, *, others: int) -> Outcome:
    """A mail that kills whatever process hands it over: it is held, and nobody else is."""
    async with watched(folder, database) as ([process], sink, ledger):

        def mood(phase: str, line: str) -> Act:
            if phase == "RCPT" and "poison" in line:
                os.kill(process.pid, signal.SIGKILL)
                return Act.DIE
            return Act.WELL

        sink.mood = mood
        sending = asyncio.create_task(_send_around(ledger, others))
        deaths = 0
        while (held := await held_count(process.client)) == 0:
            if not process.is_running:
                deaths += 1
                process.launch()
            await asyncio.sleep(0.05)
        await sending
        assert (held, deaths) == (1, 3)
        await wait_for(lambda: all(sink.copies[f"other-{n}"] for n in range(others)))
        # What was wrong with it is mended; `balance` releases what is held.
        sink.mood = lambda phase, line: Act.WELL
        found = await balance(ledger)
        assert found.held == 1
    return Outcome("poison mail", f"{deaths} deaths, then held and released", found)


async def _send_around(ledger: Ledger, others: int) -> None:
    for number in range(others):
        if number == others // 2:
            await ledger.send("poison")
        await ledger.send(f"other-{number}")


def _among(count: int) -> str:
    return "one process" if count == 1 else f"one of {count} processes"
