"""Handing over with one, two and three processes on one PostgreSQL database."""

from __future__ import annotations

import contextlib
import time

from bench.figures import Chapter, Figure
from bench.postgresql import cluster
from bench.run import Run
from bench.served import Postroom, postroom

TITLE = "Several processes on PostgreSQL"
_CONNECTIONS = 20
_COUNTS = (1, 2, 3)


def name(count: int) -> str:
    return f"{count} delivery process{'es' if count > 1 else ''}"


def handing_over(run: Run) -> Chapter:
    """Mails a second from the moment a full queue becomes due."""
    mails = run.either(6000, 1000)
    chapter = Chapter(
        TITLE,
        f"One process takes calls and 1, 2 or 3 others hand over; {mails} mails are accepted before and "
        "become due at one moment, from which on it is counted until the last is at the sink, which compares "
        f"every mail. Up to {_CONNECTIONS} connections to the sink from each process. Database, processes "
        "and sink share the cores.",
    )
    with cluster() as found:
        if found is None:
            chapter.absent.append("PostgreSQL cannot be had")
            return chapter
        rates: dict[int, list[float]] = {count: [] for count in _COUNTS}
        environment = {"POSTROOM_ONLY": "api"}
        with postroom("warning", database_url=found.new_database(), environment=environment) as server:
            server.relay_to(run.reading.port, _CONNECTIONS)
            queue = _Queue(run, server, mails)
            for turn in range(run.either(4, 1) + 1):
                for count in _COUNTS:
                    with contextlib.ExitStack() as stack:
                        for _ in range(count):
                            stack.enter_context(server.another("delivery"))
                        began = queue.falls_due()
                        last = run.reading.wait(180)
                    if turn:
                        rates[count].append(mails / (last - began))
    for count, measured in rates.items():
        against = None if count == 1 else rates[1]
        chapter.figures.append(Figure(name(count), "mails/s", measured, against))
    return chapter


class _Queue:
    """Mails that are accepted ahead and become due at one moment."""

    def __init__(self, run: Run, server: Postroom, mails: int) -> None:
        self._run = run
        self._server = server
        self._mails = mails
        self._ahead = 5 + mails / 300  # seconds; later twice what accepting them took

    def falls_due(self) -> float:
        """Accepts them, waits, and gives the moment (time.perf_counter)."""
        run, began = self._run, time.time()
        first, due = run.numbers(self._mails), int(began + self._ahead)
        run.reading.expect(self._mails, first)
        run.loader.ask(
            do="batches", target=self._server.target, token=self._server.token, mails=self._mails,
            first=first, per_call=500, in_flight=2, due=due,
        )  # fmt: skip
        left = due - time.time()
        if left <= 0:
            raise RuntimeError("the mails were due before all were accepted")
        self._ahead = 2 * (time.time() - began) + 2
        time.sleep(left)
        return time.perf_counter()
