"""What leasing and settling cost a mail: the engine's two units of work, in batches, on a full queue.

    python -m bench.lease [--mails 20000] [--rounds 5]

The rows are those that Postroom wrote when it accepted the mails. SQLite with synchronous=FULL; each unit is
a transaction of its own, committed before the next begins, as in a server that has much to do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop
from bench.children import Child, child
from bench.figures import Chapter, Figure
from bench.served import postroom

from postroom_server.clock import HOUR, Clock
from postroom_server.delivery.attempts import Settlement, count
from postroom_server.delivery.lease import Turns, lease
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.settle import settle_once
from postroom_server.delivery.settler import AT_ONCE
from postroom_server.delivery.verdict import judge
from postroom_server.memory import settle_memory
from postroom_server.smtp import Level, Phase, Reply, Transaction
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Lane
from postroom_server.store.opening import Address, open_database
from postroom_server.store.unit import Store

TARGET_MICROSECONDS = 45.0
_IDLE = dict.fromkeys(Lane, 0)
_STEPS = ("lease", "settle")
_YES = Reply(250, "2.0.0", "taken")


class Clockwork:
    """Wall and processor time of the steps, by round, in microseconds a mail."""

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = {step: [] for step in _STEPS}
        self.processor: dict[str, list[float]] = {step: [] for step in _STEPS}

    def begin(self) -> None:
        """A round."""
        for rounds in (*self.wall.values(), *self.processor.values()):
            rounds.append(0.0)

    @contextlib.contextmanager
    def measure(self, step: str, mails: int) -> Iterator[None]:
        """Adds to the step's share of the round, which is of so many mails."""
        wall, processor = time.perf_counter(), _processor()
        yield
        self.wall[step][-1] += (time.perf_counter() - wall) / mails * 1e6
        self.processor[step][-1] += (_processor() - processor) / mails * 1e6


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def leasing(loader: Child, *, mails: int, rounds: int) -> Chapter:
    """Lease and settle, batch after batch, until so many mails are delivered; each round on fresh mails."""
    clockwork = Clockwork()
    with postroom("warning") as server:
        server.relay_to(9, 1)  # mail is taken only where somebody would carry it
        loader.ask(
            do="batches", target=server.target, token=server.token, mails=mails * (rounds + 1),
            first=1_000_000, per_call=1000, in_flight=2, later=True,
        )  # fmt: skip
        server.end()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_turn(server.database, mails, rounds, clockwork))
    both = [a + b for a, b in zip(clockwork.processor["lease"], clockwork.processor["settle"], strict=True)]
    figures = [
        Figure(f"{step}: {kind}", "µs/mail", measured[step])
        for step in _STEPS
        for kind, measured in (("elapsed", clockwork.wall), ("processor", clockwork.processor))
    ]
    total = Figure("lease and settle: processor", "µs/mail", both, target=f"≤ {TARGET_MICROSECONDS:g} µs")
    total.met = total.median <= TARGET_MICROSECONDS
    return Chapter(
        "Leasing and settling",
        f"{mails} due mails a round, one recipient each, leased {AT_ONCE} at a time and settled as delivered "
        f"{AT_ONCE} at a time, each batch in a transaction on the store's writer, SQLite with "
        "synchronous=FULL. Reading the mails' rows for sending is part of the lease; events, attempts and "
        "the emails' states are part of the settlement; commits are part of both. Processor time is all "
        "threads'.",
        [*figures, total],
    )


async def _turn(database: Path, mails: int, rounds: int, clockwork: Clockwork) -> None:
    opened = open_database(Address(f"sqlite:///{database}"), key_text=None, key_file=None, auto_migrate=False)
    try:
        settle_memory()  # as a server does it
        clock = Clock()
        mint, turns = IdMint(clock), Turns()
        for turn in range(rounds + 1):
            # What is not measured goes to a clockwork of its own: caches fill, pages are read.
            counted = clockwork if turn else Clockwork()
            await round_of(opened.store, mails, clock, mint, turns, counted)
    finally:
        opened.close()


async def round_of(
    store: Store, mails: int, clock: Clock, mint: IdMint, turns: Turns, clockwork: Clockwork
) -> None:
    due = clock.now() + 48 * HOUR
    clockwork.begin()
    left = mails
    while left:
        with clockwork.measure("lease", mails):
            taken = await store.write(_lease, min(AT_ONCE, left), turns, due)
        settlements = [_delivered(one, clock) for one in taken]
        with clockwork.measure("settle", mails):
            ids = mint.many(count(settlements))
            late = await store.write(settle_once, 0, settlements, ids, mint, clock.now())
        if late or not taken:
            raise RuntimeError(f"{left} mails were due, {len(taken)} leased and {len(late)} of them fenced")
        left -= len(taken)


def _lease(wanted: int, turns: Turns, due: int) -> list[Leased]:
    # A process of which three quarters may hold mail that is not urgent.
    capacity = -(-wanted * 4 // 3)
    return lease(0, _IDLE, capacity, turns, due, alone=False)


def _delivered(leased: Leased, clock: Clock) -> Settlement:
    replies = (_YES,) * len(leased.open_recipients)
    transaction = Transaction(Phase.DOT, Level.NONE, replies, _YES, started=True)
    now = clock.now()
    verdict = judge(leased, transaction, now=now, uniform=lambda low, _: low)
    return Settlement(leased, verdict, transaction, None, now, now)


def main() -> None:
    parser = argparse.ArgumentParser(description="What leasing and settling cost a mail.")
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked: Any = parser.parse_args()
    from bench import report

    with child("loader") as loader:
        report.show([leasing(loader, mails=asked.mails, rounds=asked.rounds)])


if __name__ == "__main__":
    main()
