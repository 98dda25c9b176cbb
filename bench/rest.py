"""The REST face beside the gRPC one: accepting the same mail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.accept import IN_FLIGHT
from bench.figures import Chapter, Figure
from bench.run import Run
from bench.served import SEND, postroom
from bench.turns import Turn, load, take_turns

TITLE = "Accepting one mail per request, over both faces"
GRPC, REST = "SendEmail over gRPC", "POST /api/v1/email"


def accepting(run: Run) -> Chapter:
    """The same mail over both faces of one server."""
    calls = run.either(3000, 1000)
    with postroom(rest=True) as server:
        server.relay_to(run.counting.port, 20)

        def calling(**case: Any) -> Callable[[], Turn]:
            return lambda: load(
                run.loader, server.pid, token=server.token, mails=calls, first=run.numbers(calls),
                in_flight=IN_FLIGHT, later=True, **case,
            )  # fmt: skip

        taken = take_turns(
            {
                GRPC: calling(do="unary", target=server.target, method=SEND, mail="html"),
                REST: calling(do="http", target=server.http_target),
            },
            run.either(7, 2),
        )
    chapter = Chapter(
        TITLE,
        f"{IN_FLIGHT} requests in flight from one client process, over one HTTP/2 connection and over as "
        "many kept HTTP/1.1 connections; the same mail, due tomorrow, made ready before the clock starts; "
        "SQLite with synchronous=FULL, answered after its commit.",
    )
    for name, turns in taken.items():
        against = None if name == GRPC else taken[GRPC].rates
        chapter.figures.append(Figure(name, "calls/s", turns.rates, against, note=turns.note))
    return chapter
