"""Accepting over gRPC: one call per mail beside a bare echo, and batches beside the same rows without us."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import Any

from bench.children import Child, child
from bench.figures import Chapter, Figure
from bench.raw_rows import IN_TRANSACTION
from bench.run import Run
from bench.served import SEND, Postroom, postroom
from bench.turns import Turn, load, take_turns

IN_FLIGHT = 64
ECHO = "bare echo, the request comes back"
DUE_LATER = "SendEmail, due tomorrow: accepted, nothing to deliver yet"
RAW = "raw executemany of the same rows"
BATCHES = "BatchSendEmails(1000), due tomorrow"
_SHORT = "bare echo, answered with an id"
_QUIET = "the same, log_level=warning"
_TEST = "SendEmail, test token: accepted, leased, settled, handed to nobody"
_REAL = "SendEmail, delivered to the local sink meanwhile"
_TESTED = "BatchSendEmails(1000), test token, settled meanwhile"
UNARY_TITLE = "Accepting one mail per call"
BATCH_TITLE = "Accepting in batches"


def unary(run: Run) -> Chapter:
    """SendEmail at 64 calls in flight."""
    calls = run.either(4000, 600)
    with child("echo") as echo, postroom() as server, postroom("warning") as quiet:
        for each in (server, quiet):
            each.relay_to(run.counting.port, 20)
        bare = {"target": f"127.0.0.1:{echo.ready}", "token": "x"}
        ours = {"target": server.target, "method": SEND, "token": server.token}

        def calling(pid: int, **case: Any) -> Callable[[], Turn]:
            def turn() -> Turn:
                first = run.numbers(calls)
                told = load(
                    run.loader, pid, do="unary", mails=calls, first=first, in_flight=IN_FLIGHT, **case
                )
                if case["token"] == server.test_token:
                    let_settle(server)
                return told

            return turn

        def delivered() -> Turn:
            first = run.numbers(calls)
            run.counting.expect(calls, first)
            told = load(
                run.loader, server.pid, do="unary", mails=calls, first=first, in_flight=IN_FLIGHT, **ours
            )
            run.counting.wait(60)
            return told

        taken = take_turns(
            {
                ECHO: calling(echo.pid, method="/bench.Echo/Echo", **bare),
                _SHORT: calling(echo.pid, method="/bench.Echo/ShortAnswer", **bare),
                DUE_LATER: calling(server.pid, later=True, **ours),
                _QUIET: calling(
                    quiet.pid, target=quiet.target, method=SEND, token=quiet.token, later=True
                ),
                _TEST: calling(server.pid, **(ours | {"token": server.test_token})),
                _REAL: delivered,
            },
            # The echo alone differs from round to round by half, as its threads come to share a core or not.
            run.either(15, 2),
        )  # fmt: skip
    chapter = Chapter(
        UNARY_TITLE,
        f"{IN_FLIGHT} calls in flight over one connection from one client process that sends bytes made "
        "before the clock starts; SQLite with synchronous=FULL, answered after its commit. The echo is "
        "grpc.aio on uvloop without anything else, called by the same client with the same bytes. Server "
        "CPU is all threads of the server's process while the calls last.",
    )
    for name, turns in taken.items():
        against = None if name == ECHO else taken[ECHO].rates
        chapter.figures.append(Figure(name, "calls/s", turns.rates, against, note=turns.note))
    return chapter


def batches(run: Run) -> Chapter:
    """BatchSendEmails of 1000 mails."""
    mails = run.either(10_000, 2000)
    with postroom() as server, child("raw_rows") as raw:
        server.relay_to(run.counting.port, 20)
        taken = take_turns(
            {
                RAW: raw_turn(run, server, raw, mails),
                BATCHES: batch_turn(run, server, mails),
                _TESTED: batch_turn(run, server, mails, tested=True),
            },
            run.either(7, 2),
        )
    chapter = Chapter(
        BATCH_TITLE,
        "BatchSendEmails with 1000 mails a call, two calls in flight, until the last answer; SQLite with "
        "synchronous=FULL. Raw is executemany of the very same rows, with their indexes, in transactions of "
        "1000 mails, by a process that does nothing else and has the rows ready.",
    )
    for name, turns in taken.items():
        against = None if name == RAW else taken[RAW].rates
        note = "" if name == RAW else f"server CPU {turns.cpu:.0f} µs/mail"
        chapter.figures.append(Figure(name, "mails/s", turns.rates, against, note=note))
    return chapter


def batch_turn(run: Run, server: Postroom, mails: int, *, tested: bool = False) -> Callable[[], Turn]:
    """A thousand mails a call, two calls in flight."""

    def turn() -> Turn:
        told = load(
            run.loader, server.pid, do="batches", target=server.target, mails=mails, first=run.numbers(mails),
            token=server.test_token if tested else server.token, per_call=1000, in_flight=2, later=not tested,
        )  # fmt: skip
        if tested:
            let_settle(server)
        return told

    return turn


def raw_turn(run: Run, server: Postroom, raw: Child, mails: int) -> Callable[[], Turn]:
    """Has the server accept a thousand mails and the other process read their rows, to write them again."""
    load(
        run.loader, server.pid, do="batches", target=server.target, token=server.token, mails=IN_TRANSACTION,
        first=run.numbers(IN_TRANSACTION), per_call=IN_TRANSACTION, in_flight=1, later=True,
    )  # fmt: skip
    raw.ask(do="read", database=str(server.database))

    def turn() -> Turn:
        return Turn(mails / raw.ask(do="rate", mails=mails)["seconds"], 0.0, 0.0, 0.0)

    return turn


def let_settle(server: Postroom) -> None:
    """Until the engine has nothing left to do, so that it does not work into the next measurement."""
    with contextlib.suppress(TimeoutError):
        server.wait_idle(30)
    time.sleep(0.2)


@dataclasses.dataclass(frozen=True, slots=True)
class Codes:
    """Sends verification codes and takes them out of the mails, so that every guess can be right."""

    run: Run
    server: Postroom

    def send(self, count: int) -> dict[int, str]:
        sink, first = self.run.reading, self.run.numbers(count)
        sink.expect(count, first, kept=False)
        self.run.loader.ask(
            do="batches", target=self.server.target, token=self.server.token, mails=count, first=first,
            per_call=500, in_flight=2, mail="code",
        )  # fmt: skip
        sink.wait(60)
        let_settle(self.server)
        return sink.codes()
