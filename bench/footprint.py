"""What a server takes before and after it has had something to do."""

from __future__ import annotations

import time

from bench.children import Child
from bench.figures import Chapter, Figure
from bench.served import postroom
from bench.sink import Sink


def footprint(loader: Child, sink: Sink, *, rounds: int, mails: int) -> Chapter:
    start: list[float] = []
    fresh: list[float] = []
    busy: list[float] = []
    for _ in range(rounds):
        with postroom() as server:
            start.append(server.start_seconds)
            time.sleep(1.0)
            fresh.append(server.resident)
            server.relay_to(sink.port, 20)
            loader.ask(
                do="batches", target=server.target, token=server.test_token, mails=mails, first=1,
                per_call=1000, in_flight=2,
            )  # fmt: skip
            busy.append(server.resident)
    chapter = Chapter(
        "Footprint",
        "Resident memory from /proc a second after the port answers, and after the mails named; start-up "
        "from the command to the first connection on the gRPC port, with the database migrated already.",
    )
    memory = Figure("resident after start", "MiB", fresh, target="< 120 MB")
    memory.met = memory.median * 2**20 < 120e6
    chapter.figures += [
        memory,
        Figure(f"resident after {mails} mails in batches of 1000", "MiB", busy),
        Figure("start-up", "s", start),
    ]
    return chapter
