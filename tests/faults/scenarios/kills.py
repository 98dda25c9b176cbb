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
from faults.processes import BESIDE, watched
from faults.sink import Act
from postroom_server.failpoints import NAMES

# Every so many kills the senders pause, as people do: then what is left behind is caught up with.
ROUND = 25
# Only mail to an audience comes here.
EXPANSION = ("before_expansion_commit", "after_expansion_commit")
PLACES = tuple(name for name in NAMES if name not in EXPANSION)
AROUND_THE_DOT = ("after_rcpt", "after_dot_mark", "before_dot", "after_dot", "before_settle", "inside_settle")


async def at_random(
    folder: Path, database: str, chance: random.Random, *, kills: int, count: int, **settings: str
) -> Outcome:
    """Kills one of `count` processes after the other under traffic, some of them while they still start."""
    done = 0
    async with watched(folder, database, count, **settings) as (processes, _, ledger):
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
    return Outcome(f"kill -9 at random, {_among(count)}{_beside(settings)}", f"{done} kills", found, notes)


async def of_senders(folder: Path, database: str, chance: random.Random, *, kills: int) -> Outcome:
    """Kills the sender beside a server again and again, and never the server."""
    done = 0
    async with watched(folder, database, **BESIDE) as ([process], sink, ledger):
        sink.pause = 0.002  # there is always something in its hands
        server = process.pid
        while done < kills:
            async with traffic(ledger, pause=0.01):
                for _ in range(min(ROUND, kills - done)):
                    await wait_for(lambda: bool(process.sender_pids))
                    await asyncio.sleep(chance.uniform(0.0, 1.5))
                    for pid in process.sender_pids:
                        os.kill(pid, signal.SIGKILL)
                        done += 1
                    await wait_for(lambda: not process.sender_pids)
        sink.pause = 0.0
        found = await balance(ledger)
        assert (process.is_running, process.pid) == (True, server)
    notes = f"in hand at a kill {found.ambiguous / done:.1f}, sent again {found.duplicates / done:.1f}"
    return Outcome("kill -9 of the sender beside a server", f"{done} kills", found, notes)


async def never_twice(
    folder: Path, database: str, chance: random.Random, *, kills: int, **settings: str
) -> Outcome:
    """Kills a process around the dots of mail that must not be repeated."""
    async with watched(folder, database, **settings) as ([process], sink, ledger):
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
    return Outcome(
        f"AT_MOST_ONCE under kill -9{_beside(settings)}", f"{kills} kills", found, broken=tuple(broken)
    )


async def at_failpoints(
    folder: Path, database: str, chance: random.Random, *, rounds: int, **settings: str
) -> Outcome:
    """Lets one process after the other die at a failpoint under traffic."""
    missed: list[str] = []
    kills = 0
    async with watched(folder, database, **settings) as ([process], _, ledger):
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
    return Outcome(
        f"kill -9 at every failpoint{_beside(settings)}", f"{kills} kills at {len(PLACES)} places", found
    )


async def poison(
    folder: Path, database: str, chance: random.Random, *, others: int, **settings: str
) -> Outcome:
    """A mail that kills whatever process hands it over, the sender where there is one: it alone is held."""
    async with watched(folder, database, **settings) as ([process], sink, ledger):
        deaths = 0

        def mood(phase: str, line: str) -> Act:
            nonlocal deaths
            if phase == "RCPT" and "poison" in line:
                deaths += 1
                for pid in process.sender_pids or [process.pid]:
                    os.kill(pid, signal.SIGKILL)
                return Act.DIE
            return Act.WELL

        sink.mood = mood
        sending = asyncio.create_task(_send_around(ledger, others))
        while (held := await held_count(process.client)) == 0:
            if not process.is_running:
                process.launch()
            await asyncio.sleep(0.05)
        await sending
        # One that has just been started may be killed for what its server hands over itself meanwhile.
        assert (held, min(deaths, 5 if settings else 3)) == (1, deaths)
        assert deaths >= 3
        await wait_for(lambda: all(sink.copies[f"other-{n}"] for n in range(others)))
        # What was wrong with it is mended; `balance` releases what is held.
        sink.mood = lambda phase, line: Act.WELL
        found = await balance(ledger)
        assert found.held == 1
    return Outcome(f"poison mail{_beside(settings)}", f"{deaths} deaths, then held and released", found)


async def _send_around(ledger: Ledger, others: int) -> None:
    for number in range(others):
        if number == others // 2:
            await ledger.send("poison")
        await ledger.send(f"other-{number}")


def _beside(settings: dict[str, str]) -> str:
    return ", a sender beside it" if settings == BESIDE else ""


def _among(count: int) -> str:
    return "one process" if count == 1 else f"one of {count} processes"
