"""Latency under load: how long until the answer, and until the mail is at the sink, at parts of what it can.

The load is an open loop: calls begin by a timetable drawn beforehand, whoever still waits, and every wait
counts from the moment in the timetable. A server that stalls is not spared the calls it made us hold back.
"""

from __future__ import annotations

import time
from typing import Any

from bench import mails, schedule
from bench.figures import Chapter, Figure, percentile, spaced
from bench.run import Run
from bench.served import SEND, Postroom, postroom

LOADS = (30, 60, 90)  # hundredths of the saturated rate
ACCEPT, HAND_OVER = "accept", "hand-over"
_HUNDREDTHS = {"p50": 50.0, "p99": 99.0, "max": 100.0}
_BULK = "bulk"
_URGENT_RATE = 20.0
BUSY = "resident, busy handing the backlog over"
MOST = "the most it ever had"
URGENT_TITLE = "Urgent mail and a backlog"
ALONE, BEHIND = "nothing else to do", "bulk backlog"


def under_load(run: Run) -> Chapter:
    """At 30, 60 and 90 % of the saturated rate."""
    seconds, rounds = run.either(8, 1), run.either(3, 1)
    waits: dict[tuple[int, str], list[list[float]]] = {}
    with postroom() as server:
        server.relay_to(run.reading.port, 20)
        saturated = max(_saturated(run, server, run.either(3000, 800)) for _ in range(run.either(3, 2)))
        for turn in range(rounds + 1):
            for load in LOADS:
                rate = saturated * load / 100
                accepted, handed_over = _offer(
                    run, server, rate, seconds if turn else 1, seed=turn * 100 + load
                )
                if turn:
                    waits.setdefault((load, ACCEPT), []).append(accepted)
                    waits.setdefault((load, HAND_OVER), []).append(handed_over)
    chapter = Chapter(
        "Latency under load",
        "Milliseconds from the moment a call was meant to begin to its answer (accept) and to the end of its "
        f"message at the sink (hand-over). Saturated is {spaced(saturated)} mails a second, accepted one by "
        "one, 64 in flight, until the last is at the sink. Calls begin at random at the rate that is named, "
        f"by a timetable (a Poisson process), for {seconds} seconds a round, whoever still waits.",
    )
    for (load, kind), rounds_of in sorted(waits.items()):
        for name, hundredths in _HUNDREDTHS.items():
            values = [percentile(waited, hundredths) * 1000 for waited in rounds_of]
            column = f"{load} % ({saturated * load / 100:.0f}/s)"
            row = f"{kind}, {name}"
            chapter.figures.append(Figure(f"{row}, {column}", "ms", values, row=row, column=column))
    chapter.figures.sort(key=lambda figure: figure.row.partition(",")[0])
    return chapter


def _saturated(run: Run, server: Postroom, count: int) -> float:
    """Mails a second from the first call to the last mail at the sink."""
    first = run.numbers(count)
    run.reading.expect(count, first)
    told = run.loader.ask(
        do="unary",
        target=server.target,
        token=server.token,
        method=SEND,
        mails=count,
        first=first,
        in_flight=64,
    )
    return count / (run.reading.wait(60) - float(told["began"]))


def _offer(
    run: Run, server: Postroom, rate: float, seconds: float, *, seed: int, **fields: Any
) -> tuple[list[float], list[float]]:
    """Seconds until the answers, and until the mails were at the sink."""
    count = len(schedule.arrivals(rate, seconds, seed))
    first = run.numbers(count)
    run.reading.expect(count, first, kept=False)
    told = run.loader.ask(
        do="open_loop", target=server.target, token=server.token, method=SEND, first=first,
        rate=rate, seconds=seconds, seed=seed, **fields,
    )  # fmt: skip
    run.reading.wait(60)
    times = run.reading.times(first, count)
    return told["waited"], [times[first + n] - at for n, at in enumerate(told["meant"])]


def urgent(run: Run) -> Chapter:
    """Urgent mail, alone and behind a backlog of bulk mail; what the backlog takes of memory."""
    backlog, seconds = run.either(100_000, 3000), run.either(10, 2)
    waits: dict[str, list[float]] = {}
    environment = {"POSTROOM_LIMIT_URGENT_PER_MINUTE": "100000", "POSTROOM_LIMIT_URGENT_BURST": "10000"}
    with postroom(environment=environment) as server:
        server.relay_to(run.reading.port, 20)
        server.add_template(mails.TEMPLATE, mails.template_variant(), bulk=True)
        fresh = server.resident
        waits[ALONE] = _offer(run, server, _URGENT_RATE, seconds, seed=1, urgent=True)[1]
        first, due = run.numbers(backlog), int(time.time()) + 5 + backlog // 2500
        run.reading.expect(backlog, first, kept=False)
        run.loader.ask(
            do="batches", target=server.target, token=server.token, mails=backlog, first=first,
            per_call=500, in_flight=2, mail="template", due=due,
        )  # fmt: skip
        waiting = server.resident
        time.sleep(max(0.0, due + 1 - time.time()))
        waits[BEHIND], left, busy = _among(run, server, backlog, first, seconds)
        run.reading.wait(300)
        most = server.most_resident
    chapter = Chapter(
        URGENT_TITLE,
        f"{spaced(backlog)} bulk mails (by a template of kind BATCH) are accepted ahead and all become due "
        f"at once; then {_URGENT_RATE:g} urgent mails a second are sent for {seconds} seconds, by a "
        "timetable. Hand-over is from the moment a call was meant to begin to the end of its message at the "
        "sink. "
        f"{spaced(left)} bulk mails were still waiting when the last urgent one was through.",
    )
    for name, waited in waits.items():
        for hundredth, hundredths in _HUNDREDTHS.items():
            chapter.figures.append(
                Figure(
                    f"urgent mail, {name}: hand-over, {hundredth}", "ms",
                    [percentile(waited, hundredths) * 1000],
                )
            )  # fmt: skip
    chapter.figures += [
        Figure("resident before", "MiB", [fresh]),
        Figure(f"resident with {backlog} accepted and waiting", "MiB", [waiting]),
        Figure(BUSY, "MiB", busy),
        Figure(MOST, "MiB", [most]),
    ]
    return chapter


def _among(
    run: Run, server: Postroom, backlog: int, first: int, seconds: float
) -> tuple[list[float], int, list[float]]:
    """Sends urgent mail while the backlog is handed over: waits, what is left of the backlog, memory."""
    count, seed = len(schedule.arrivals(_URGENT_RATE, seconds, 2)), 2
    own = run.numbers(count)
    run.reading.expect(count, own, more=True, kept=False)
    busy = [server.resident]
    told = run.loader.ask(
        do="open_loop", target=server.target, token=server.token, method=SEND, first=own,
        rate=_URGENT_RATE, seconds=seconds, seed=seed, urgent=True,
    )  # fmt: skip
    busy.append(server.resident)
    until = time.monotonic() + 60
    while len(times := run.reading.times(own, count)) < count:
        if time.monotonic() > until:
            raise RuntimeError(f"{count - len(times)} of {count} urgent mails did not come")
        time.sleep(0.2)
    left = backlog - len(run.reading.times(first, backlog))
    busy.append(server.resident)
    return [times[own + n] - at for n, at in enumerate(told["meant"])], left, busy
