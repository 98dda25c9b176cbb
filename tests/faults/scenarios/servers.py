"""Mail servers that die in every phase, answer like tar, send everybody away for now, or are not there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

from faults.balance import balance
from faults.leaping import leaping
from faults.ledger import NEVER_TWICE, Ledger, traffic, wait_for
from faults.outcome import Outcome
from faults.processes import processes
from faults.sink import PHASES, Sink, dies_at, greylists, well
from postroom_server.clock import MINUTE, SECOND

# What two of three servers do while the third is well.
WAYS = ("are dead", "die in mid-body", "are tarpits", "greylist")
TAR_SECONDS = 0.4  # before each of some five replies


async def dying(database: str, *, mails: int) -> Outcome:
    """One server dies in each phase in turn, for as long as it is given mail; then it is well again."""
    async with Sink() as sink, leaping(database, [sink]) as (world, ledger):

        async def later() -> None:
            world.clock.leap(30 * SECOND)

        for phase in PHASES:
            # Lines that are open already would not be greeted again.
            sink.hang_up()
            sink.mood = dies_at(phase)
            sending = [ledger.send(f"{phase}-{n}") for n in range(mails)]
            sending += [ledger.send(f"{phase}-{n}-once", guarantee=NEVER_TWICE) for n in range(mails)]
            await asyncio.gather(*sending)
            for _ in range(5):
                await asyncio.sleep(0.05)
                await later()
            sink.mood = well
            found = await balance(ledger, nudge=later)
    return Outcome("a server dies in every phase", f"{len(PHASES)} phases, {2 * mails} mails each", found)


async def two_of_three(database: str, way: str, *, mails: int) -> Outcome:
    """Two of three servers misbehave in one way, each pair in turn: all mail goes through the third."""
    async with contextlib.AsyncExitStack() as stack:
        sinks = [await stack.enter_async_context(Sink()) for _ in range(3)]
        world, ledger = await stack.enter_async_context(leaping(database, sinks))

        async def later() -> None:
            world.clock.leap(2 * MINUTE)

        for healthy in sinks:
            others = [sink for sink in sinks if sink is not healthy]
            for sink in others:
                await _misbehave(sink, way)
            begun = len(ledger.accepted)
            await asyncio.gather(*(ledger.send(f"mail-{begun + n}") for n in range(mails)))
            # All of it leaves before they recover.
            (await balance(ledger, nudge=later)).check()
            for sink in others:
                await _recover(sink, way)
        found = await balance(ledger, nudge=later)
    return Outcome(f"two of three servers {way}", f"3 pairs in turn, {mails} mails each", found)


async def tarpit(folder: Path, database: str, *, mails: int) -> Outcome:
    """One of three servers is a tarpit, and there is a kill: the others' mail does not wait for it."""
    async with contextlib.AsyncExitStack() as stack:
        sinks = [await stack.enter_async_context(Sink()) for _ in range(3)]
        sinks[0].pause = 1.0
        [process] = await stack.enter_async_context(processes(folder, database, sinks))
        ledger = Ledger([process.client], sinks)
        async with traffic(ledger, pause=0.01):
            await ledger.until_handed(mails // 2)
            process.kill()
            await process.start()
            began = time.monotonic()
            await wait_for(lambda: len(ledger.accepted) >= mails)
        await _all_but_the_tarpits(ledger, sinks[0])
        seconds = time.monotonic() - began
        found = await balance(ledger)
    return Outcome(
        "one of three servers is a tarpit, and a kill",
        f"{found.accepted} mails, {len(sinks[0].handed)} of them through the tarpit",
        found,
        f"all but what the tarpit had in hand within {seconds:.0f} s of the kill",
    )


async def _all_but_the_tarpits(ledger: Ledger, tarpit: Sink) -> None:
    """Until no more is missing than fits into the tarpit's connections, and what rides behind them."""
    await wait_for(lambda: sum(not _arrived(ledger, subject) for subject in ledger.accepted) <= 32)


def _arrived(ledger: Ledger, subject: str) -> bool:
    return any(sink.copies[subject] for sink in ledger.sinks)


async def _misbehave(sink: Sink, way: str) -> None:
    match way:
        case "are dead":
            await sink.close()
        case "die in mid-body":
            sink.mood = dies_at("BODY")
        case "are tarpits":
            sink.pause = TAR_SECONDS
        case "greylist":
            sink.mood = greylists()


async def _recover(sink: Sink, way: str) -> None:
    if way == "are dead":
        await sink.open()
    sink.mood, sink.pause = well, 0.0
