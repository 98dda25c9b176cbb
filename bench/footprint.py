"""What a server takes before and after it has had something to do."""

from __future__ import annotations

import time

from bench.figures import Chapter, Figure
from bench.run import Run
from bench.served import postroom


def footprint(run: Run) -> Chapter:
    mails, rounds = run.either(20_000, 4000), run.either(5, 1)
    start: list[float] = []
    fresh: list[float] = []
    busy: list[float] = []
    for _ in range(rounds):
        with postroom() as server:
            start.append(server.start_seconds)
            time.sleep(1.0)
            fresh.append(server.resident)
            server.relay_to(run.counting.port, 20)
            run.loader.ask(
                do="batches", target=server.target, token=server.test_token, mails=mails,
                first=run.numbers(mails), per_call=1000, in_flight=2,
            )  # fmt: skip
            busy.append(server.resident)
    return Chapter(
        "Footprint",
        "Resident memory from /proc a second after the port answers, and after the mails named; start-up "
        "from the command to the first connection on the gRPC port, with the database migrated already.",
        [
            Figure("resident after start", "MiB", fresh),
            Figure(f"resident after {mails} mails in batches of 1000", "MiB", busy),
            Figure("start-up", "s", start),
        ],
    )
