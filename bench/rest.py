"""The REST face beside the gRPC one: accepting the same mail, and listing ten rows out of very many."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

from bench import filled
from bench.accept import IN_FLIGHT
from bench.children import Child
from bench.figures import Chapter, Figure
from bench.served import SEND, Postroom, postroom
from bench.sink import Sink

_GRPC = "SendEmail over gRPC"
_REST = "POST /api/v1/email"
# Those with this biz_key are what an index narrows the count to.
_NARROW = 10_000
_BIZ_KEY = "EVENT_NOTICE"


def accepting(loader: Child, sink: Sink, *, rounds: int, calls: int) -> Chapter:
    """The same mail over both faces of one server."""
    rates: dict[str, list[float]] = {_GRPC: [], _REST: []}
    cpu: dict[str, list[float]] = {_GRPC: [], _REST: []}
    p99: dict[str, list[float]] = {_GRPC: [], _REST: []}
    first = 50_000_000
    with postroom(rest=True) as server:
        server.relay_to(sink.port, 20)
        asked = {"token": server.token, "calls": calls, "in_flight": IN_FLIGHT, "later": True}
        cases: dict[str, dict[str, Any]] = {
            _GRPC: {"do": "unary", "target": server.target, "method": SEND, "html_only": True},
            _REST: {"do": "http", "target": server.http_target},
        }
        for turn in range(rounds + 1):
            for name, case in cases.items():
                spent = server.cpu
                told = loader.ask(first=first, **asked, **case)
                spent = server.cpu - spent
                first += calls
                if turn:  # the first warms up
                    rates[name].append(told["calls"] / (told["ended"] - told["began"]))
                    cpu[name].append(spent / calls * 1e6)
                    p99[name].append(told["p99_ms"])
    chapter = Chapter(
        "Accepting one mail per request, over both faces",
        f"{IN_FLIGHT} requests in flight from one client process, over one HTTP/2 connection and over as "
        "many kept HTTP/1.1 connections; the same mail, due tomorrow, made ready before the clock starts; "
        "SQLite with synchronous=FULL, answered after its commit.",
    )
    for name in cases:
        figure = Figure(name, "calls/s", rates[name], None if name == _GRPC else rates[_GRPC])
        figure.note = f"server CPU {_median(cpu[name]):.0f} µs/call, p99 {_median(p99[name]):.0f} ms"
        if name == _REST:
            figure.target, figure.met = "≥ 1.0", (figure.ratio or 0) >= 1.0
        chapter.figures.append(figure)
    return chapter


def listing(loader: Child, *, rows: int, rounds: int) -> Chapter:
    """Ten rows of a table of `rows`; the answer's bytes are read by http.client on a kept connection."""
    with postroom(rest=True) as server:
        server.relay_to(9, 1)  # nobody listens there, and nothing is due
        filled.fill(server, loader, rows=rows, narrow=_NARROW, biz_key=_BIZ_KEY)
        cases = {
            "first page, newest first, total out of all": "",
            f"narrowed to {_NARROW:,} by bizKey, with its exact total".replace(
                ",", " "
            ): f"&bizKey={_BIZ_KEY}",
            "ten by outId": "&outId=bench-7",
            "page 50 of the narrowed": f"&bizKey={_BIZ_KEY}&pageNo=50",
        }
        taken = {name: _milliseconds(server, query, rounds) for name, query in cases.items()}
    chapter = Chapter(
        "Listing",
        f"GET /api/v1/email?pageSize=10&infoScope=BASIC on SQLite with {rows:,} emails".replace(",", " ")
        + ", one request after the other, seen from a client on the same machine. Totals are exact; one that "
        "was counted in the last two seconds is remembered, so every request here waits until it is not, or "
        "asks with a filter that was not asked before.",
    )
    for name, (fresh, remembered) in taken.items():
        narrow = "narrowed" in name or "outId" in name
        counted = Figure(f"{name}: counted", "ms", fresh)
        if narrow:
            counted.target, counted.met = "≤ 5 ms", counted.median <= 5
        known = Figure(f"{name}: total remembered", "ms", remembered, target="≤ 5 ms")
        known.met = known.median <= 5
        chapter.figures += [counted, known]
    return chapter


def _milliseconds(server: Postroom, query: str, rounds: int) -> tuple[list[float], list[float]]:
    """How long a list takes whose total has to be counted, and one whose total is remembered."""
    fresh: list[float] = []
    remembered: list[float] = []
    connection = http.client.HTTPConnection(server.http_target, timeout=60)
    headers = {"Authorization": f"Bearer {server.token}"}

    def ask(more: str) -> float:
        began = time.perf_counter()
        connection.request("GET", f"/api/v1/email?pageSize=10&infoScope=BASIC{query}{more}", headers=headers)
        body = connection.getresponse().read()
        taken = (time.perf_counter() - began) * 1000
        told = json.loads(body)
        if told["code"] != "S" or not told["data"]["list"]:
            raise RuntimeError(body[:300].decode(errors="replace"))
        return taken

    for turn in range(rounds):
        # A condition that is always true, and another one each time: nobody has counted this before.
        other = f"&filters%5B0%5D.key=id&filters%5B0%5D.op=GREATER_THAN&filters%5B0%5D.value={turn + 1}"
        fresh.append(ask(other))
        remembered.append(ask(other))
    connection.close()
    return fresh[1:], remembered[1:]


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
