"""Accepting: one call per mail beside a bare echo, and batches beside the same rows without us."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from bench import raw_rows
from bench.children import Child, child, cpu_seconds
from bench.figures import Chapter, Figure
from bench.served import SEND, Postroom, postroom
from bench.sink import Sink

IN_FLIGHT = 64
_ECHO = "bare echo, the request comes back"
_SHORT = "bare echo, answered with an id"
_DUE_LATER = "SendEmail, due tomorrow: accepted, nothing to deliver yet"
_QUIET = "the same, log_level=warning"
_TEST = "SendEmail, test token: accepted, leased, settled, handed to nobody"
_REAL = "SendEmail, delivered to the local sink meanwhile"


def unary(loader: Child, sink: Sink, *, rounds: int, calls: int) -> Chapter:
    """SendEmail at 64 calls in flight."""
    rates: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    p99: dict[str, list[float]] = {}
    first = 1
    with child("echo") as echo, postroom() as server, postroom("warning") as quiet:
        for each in (server, quiet):
            each.relay_to(sink.port, 20)
        bare = {"target": f"127.0.0.1:{echo.ready}", "token": "x", "pid": echo.pid}
        ours = {"target": server.target, "method": SEND, "token": server.token, "pid": server.pid}
        cases: dict[str, dict[str, Any]] = {
            _ECHO: bare | {"method": "/bench.Echo/Echo"},
            _SHORT: bare | {"method": "/bench.Echo/ShortAnswer"},
            _DUE_LATER: ours | {"later": True},
            _QUIET: ours | {"target": quiet.target, "token": quiet.token, "pid": quiet.pid, "later": True},
            _TEST: ours | {"token": server.test_token},
            _REAL: ours,
        }
        for turn in range(rounds + 1):
            for name, case in cases.items():
                if name == _REAL:
                    sink.expect(calls, first)
                spent = cpu_seconds(case["pid"])
                told = loader.ask(do="unary", calls=calls, first=first, in_flight=IN_FLIGHT, **case)
                spent = cpu_seconds(case["pid"]) - spent
                if name == _REAL:
                    sink.wait(60)
                elif name == _TEST:
                    _let_settle(server)
                first += calls
                if turn:  # the first warms up
                    rates.setdefault(name, []).append(told["calls"] / (told["ended"] - told["began"]))
                    cpu.setdefault(name, []).append(spent / calls * 1e6)
                    p99.setdefault(name, []).append(told["p99_ms"])
    chapter = Chapter(
        "Accepting one mail per call",
        f"{IN_FLIGHT} calls in flight over one connection from one client process that sends bytes made "
        "before the clock starts; SQLite with synchronous=FULL, answered after its commit. The echo is "
        "grpc.aio on uvloop without anything else, called by the same client with the same bytes. Server "
        "CPU is all threads of the server's process while the calls last.",
    )
    for name in cases:
        against = None if name == _ECHO else rates[_ECHO]
        figure = Figure(name, "calls/s", rates[name], against)
        figure.note = f"server CPU {_median(cpu[name]):.0f} µs/call, p99 {_median(p99[name]):.0f} ms"
        if name == _DUE_LATER:
            figure.target = "≥ 0.55"
            figure.met = (figure.ratio or 0) >= 0.55
        chapter.figures.append(figure)
    return chapter


def batches(loader: Child, sink: Sink, *, rounds: int, mails: int) -> Chapter:
    """BatchSendEmails of 1000 mails."""
    accepted: list[float] = []
    tested: list[float] = []
    raw: list[float] = []
    first = 10_000_000
    with postroom() as server, raw_rows.rows_of(server, loader) as rows:
        server.relay_to(sink.port, 20)
        rows.read()
        for turn in range(rounds + 1):
            raw_rate = rows.rate(mails)
            told = loader.ask(
                do="batches", target=server.target, token=server.token, mails=mails, first=first,
                per_call=1000, in_flight=2, later=True,
            )  # fmt: skip
            first += mails
            test = loader.ask(
                do="batches", target=server.target, token=server.test_token, mails=mails, first=first,
                per_call=1000, in_flight=2,
            )  # fmt: skip
            first += mails
            _let_settle(server)
            if turn:
                raw.append(raw_rate)
                accepted.append(mails / (told["ended"] - told["began"]))
                tested.append(mails / (test["ended"] - test["began"]))
    chapter = Chapter(
        "Accepting in batches",
        "BatchSendEmails with 1000 mails a call, two calls in flight, until the last answer; SQLite with "
        "synchronous=FULL. Raw is executemany of the very same rows, with their indexes, in transactions of "
        "1000 mails, by a process that does nothing else and has the rows ready.",
    )
    figure = Figure("BatchSendEmails(1000), due tomorrow", "mails/s", accepted, raw, "≥ 10 000/s")
    figure.met = figure.median >= 10_000
    chapter.figures += [
        Figure("raw executemany of the same rows", "mails/s", raw),
        figure,
        Figure("BatchSendEmails(1000), test token, settled meanwhile", "mails/s", tested, raw),
    ]
    return chapter


def _let_settle(server: Postroom) -> None:
    """Until the engine has nothing left to do, so that it does not work into the next measurement."""
    with contextlib.suppress(TimeoutError):
        server.wait_idle(30)
    time.sleep(0.2)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
