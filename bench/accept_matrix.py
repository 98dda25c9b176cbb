"""Accepting by every way, at 1, 16, 64 and 256 calls in flight, on both databases; and on slower disks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from bench import mails, slow_disk
from bench.accept import IN_FLIGHT, Codes, batch_turn, raw_turn
from bench.children import Child, child
from bench.figures import Chapter, Figure
from bench.postgresql import Cluster, cluster
from bench.run import Run
from bench.served import SEND, Postroom, postroom
from bench.turns import Turn, load, take_turns

FLIGHTS = (1, 16, 64, 256)
QUICK_FLIGHTS = (1, 64)
_API_USER = "bench"
# What would refuse a load of templates and codes; nothing else is lifted.
_LIFTED = {
    "POSTROOM_LIMIT_TEMPLATES_PER_TENANT": "1000000",
    "POSTROOM_LIMIT_CODE_INTERVAL_SECONDS": "0",
    "POSTROOM_LIMIT_CODES_PER_HOUR": "1000000",
    "POSTROOM_LIMIT_CODES_PER_DAY": "1000000",
}
ECHO, HTTP_ECHO = "bare gRPC echo", "bare HTTP echo"
_SEND, _BATCH, _CHECK = "SendEmail", "BatchSendEmails, 20 mails a call (mails/s)", "CheckVerificationCode"
_EMAIL, _GET, _ADD = "POST /api/v1/email", "POST /apiv2/template/get", "POST /apiv2/template/add"
# What a way is compared with: the echo of the same transport.
_BESIDE = {_SEND: ECHO, _CHECK: ECHO, _EMAIL: HTTP_ECHO, _GET: HTTP_ECHO, _ADD: HTTP_ECHO}
_PER_CALL = 20
DISKS = (0.0, 1.0, 5.0)  # milliseconds added to each fsync


def sqlite(run: Run) -> Chapter:
    """On SQLite."""
    return _matrix(run, "SQLite", "SQLite with synchronous=FULL", database_url="")


def on_postgresql(run: Run) -> Chapter:
    """On PostgreSQL."""
    with cluster() as found:
        if found is None:
            return Chapter("Accepting by every way, PostgreSQL", "", absent=["PostgreSQL cannot be had"])
        where = f"PostgreSQL {found.version}, synchronous_commit=on"
        return _matrix(run, "PostgreSQL", where, database_url=found.new_database())


def _matrix(run: Run, database: str, where: str, *, database_url: str) -> Chapter:
    chapter = Chapter(
        f"Accepting by every way, {database}",
        f"Calls a second, the ratio to the bare echo of the same transport, and the server's CPU a call, at "
        f"{', '.join(map(str, FLIGHTS))} calls in flight; {where}, answered after its commit. Mail is due "
        "tomorrow. Codes that are checked were sent before and are right, so that every check writes. The "
        "HTTP echo is uvicorn with httptools on uvloop, as Postroom has it, and sends back what it is sent. "
        "gRPC calls go over one connection, and over three when 256 are in flight, since Postroom takes 100 "
        "at a time on one; HTTP has a connection for each request in flight.",
    )
    with contextlib.ExitStack() as stack:
        echo = stack.enter_context(child("echo"))
        http_echo = stack.enter_context(child("http_echo"))
        server = stack.enter_context(
            postroom(rest=True, database_url=database_url, environment=_LIFTED, api_user=_API_USER)
        )
        server.relay_to(run.reading.port, 20)
        server.add_template(mails.TEMPLATE, mails.template_variant())
        for in_flight in QUICK_FLIGHTS if run.quick else FLIGHTS:
            ways = _ways(run, server, echo, http_echo, in_flight)
            taken = take_turns(ways, run.either(3, 1))
            for name, turns in taken.items():
                beside = taken[_BESIDE[name]].rates if name in _BESIDE else None
                chapter.figures.append(
                    Figure(
                        f"{name}, {in_flight} in flight", "calls/s", turns.rates, beside,
                        note=f"{turns.cpu:.0f} µs", row=name, column=str(in_flight),
                    )
                )  # fmt: skip
    return chapter


def _ways(
    run: Run, server: Postroom, echo: Child, http_echo: Child, in_flight: int
) -> dict[str, Callable[[], Turn]]:
    calls = run.either(400, 100) if in_flight == 1 else run.either(1500, 400)
    few = max(calls // 4, in_flight)
    grpc: dict[str, Any] = {"target": server.target, "token": server.token}
    http: dict[str, Any] = {"target": server.http_target, "token": server.token, "do": "http"}
    codes = Codes(run, server)

    def calling(pid: int, *, calls: int = calls, **case: Any) -> Callable[[], Turn]:
        return lambda: load(
            run.loader, pid, mails=calls, first=run.numbers(calls), in_flight=in_flight, later=True, **case
        )

    def in_batches() -> Turn:
        count = _PER_CALL * max(run.either(100, 20), 2 * in_flight)
        return load(
            run.loader, server.pid, do="batches", mails=count, first=run.numbers(count), per_call=_PER_CALL,
            in_flight=in_flight, later=True, **grpc,
        )  # fmt: skip

    def checking() -> Turn:
        known = codes.send(few)
        return load(run.loader, server.pid, do="checks", codes=known, in_flight=in_flight, **grpc)

    pair: dict[str, Any] = {"api_user": _API_USER, "api_key": server.api_key}
    return {
        ECHO: calling(
            echo.pid, do="unary", target=f"127.0.0.1:{echo.ready}", token="x", method="/bench.Echo/Echo"
        ),
        _SEND: calling(server.pid, do="unary", method=SEND, **grpc),
        _BATCH: in_batches,
        _CHECK: checking,
        # Ten times as many, or it would be over before its processor time can be told.
        HTTP_ECHO: calling(
            http_echo.pid, calls=10 * calls, **(http | {"target": f"127.0.0.1:{http_echo.ready}"})
        ),
        _EMAIL: calling(server.pid, request="email", **http),
        _GET: calling(server.pid, calls=few, request="template get", **http, **pair),
        _ADD: calling(server.pid, calls=few, request="template add", **http, **pair),
    }


def disks(run: Run) -> Chapter:
    """With 0, 1 and 5 ms more for every fsync."""
    chapter = Chapter(
        "Accepting on slower disks",
        "Every fsync and fdatasync of the server, of PostgreSQL and of the raw process takes so much longer: "
        "a library that is loaded before them (`bench/slow_fsync.c`) sleeps after the disk is done. "
        f"{IN_FLIGHT} calls in flight, batches of 1000 two in flight, mail due tomorrow. The ratio is to "
        "the bare echo of the same transport, which syncs nothing, and of batches of 1000 to raw executemany "
        "of the same rows on the same disk.",
    )
    if slow_disk.library() is None:
        chapter.absent.append("a slower disk: there is no C compiler to make it with")
        return chapter
    for milliseconds in DISKS:
        environment, column = slow_disk.added(milliseconds), _disk(milliseconds)
        synced = [slow_disk.measured(milliseconds) for _ in range(3)]
        row = "fdatasync of 4 KiB (µs)"
        chapter.figures.append(Figure(f"{row}, fsync {column}", "µs", synced, row=row, column=column))
        with cluster(environment) as found:
            _on_disk(run, chapter, environment, column, found)
    if not any(figure.row.endswith("PostgreSQL") for figure in chapter.figures):
        chapter.absent.append("PostgreSQL cannot be had")
    return chapter


def _disk(milliseconds: float) -> str:
    return f"+ {milliseconds:g} ms" if milliseconds else "as it is"


def _on_disk(
    run: Run, chapter: Chapter, environment: dict[str, str], column: str, found: Cluster | None
) -> None:
    many = run.either(10_000, 2000)
    raw_name, batch_name = "raw executemany (mails/s)", "BatchSendEmails(1000), SQLite (mails/s)"
    with contextlib.ExitStack() as stack:
        echo, http_echo = stack.enter_context(child("echo")), stack.enter_context(child("http_echo"))
        raw = stack.enter_context(child("raw_rows", more=environment))

        def served(database_url: str = "") -> Postroom:
            server = stack.enter_context(
                postroom(
                    rest=True,
                    database_url=database_url,
                    environment=environment | _LIFTED,
                    api_user=_API_USER,
                )
            )
            server.relay_to(run.reading.port, 20)
            server.add_template(mails.TEMPLATE, mails.template_variant())
            return server

        databases = {"SQLite": served()}
        if found is not None:
            databases["PostgreSQL"] = served(found.new_database())
        ways = {
            name if name in (ECHO, HTTP_ECHO) else f"{name}, {database}": way
            for database, server in databases.items()
            for name, way in _ways(run, server, echo, http_echo, IN_FLIGHT).items()
        }
        ways[raw_name] = raw_turn(run, databases["SQLite"], raw, many)
        ways[batch_name] = batch_turn(run, databases["SQLite"], many)
        taken = take_turns(ways, run.either(4, 1))
    beside = {f"{name}, {database}": echoed for name, echoed in _BESIDE.items() for database in databases}
    beside[batch_name] = raw_name
    for name, turns in taken.items():
        chapter.figures.append(
            Figure(
                f"{name}, fsync {column}", "calls/s", turns.rates,
                taken[beside[name]].rates if name in beside else None,
                note=f"{turns.cpu:.0f} µs" if turns.cpu else "", row=name, column=column,
            )
        )  # fmt: skip
