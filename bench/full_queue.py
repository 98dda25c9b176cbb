"""Handing over a full queue: how fast mail leaves that was accepted before, beside who stores nothing.

python -m bench.full_queue [--quick]
"""

from __future__ import annotations

import argparse
import time

from bench import report, transmit
from bench.figures import Chapter, Figure
from bench.peers import smtp_source
from bench.run import Run, running
from bench.served import Postroom, postroom
from bench.sink import SmtpSink

CONNECTIONS = 16
# Of so many, three quarters carry mail that is not urgent.
_SERVER_CONNECTIONS = 22
_PATIENCE = 180.0
_SOURCE_TARGET = 0.35
_ROUND_TRIP_MS = 20.0
_AIOSMTPLIB_TARGET = 2.5


def full_queue(run: Run) -> Chapter:
    """Postroom's queue into smtp-sink, beside smtp-source; rounds in turns."""
    chapter = Chapter(
        "Handing over a full queue",
        f"All mails of a round were accepted before and become due at one moment, scheduled; counted is from "
        f"that moment to the last mail at smtp-sink, through {CONNECTIONS} connections. Each mail is leased, "
        "written, sent, and settled in SQLite with synchronous=FULL. smtp-source sends mails of "
        f"{smtp_source.OCTETS} octets, made of nothing, over as many connections to the same sink.",
    )
    sink, package = run.counting, run.package
    if package is None or not isinstance(sink, SmtpSink):
        chapter.absent.append("smtp-sink and smtp-source: Postfix's package cannot be had")
        return chapter
    rounds, count, sourced = run.either(5, 2), run.either(10_000, 3000), run.either(20_000, 6000)
    ours: list[float] = []
    theirs: list[float] = []
    spent: list[float] = []
    with postroom("warning") as server:
        server.relay_to(sink.port, _SERVER_CONNECTIONS)
        for turn in range(rounds + 1):
            sink.expect(sourced, 0)
            began = smtp_source.send(package, sink.port, mails=sourced, connections=CONNECTIONS)
            source_rate = sourced / (sink.wait(_PATIENCE) - began)
            rate, processor = _queued(run, server, sink, count)
            if turn:  # the first fills caches
                theirs.append(source_rate)
                ours.append(rate)
                spent.append(processor)
    chapter.figures.append(Figure("smtp-source, no storage: the limit", "mails/s", theirs))
    figure = Figure("Postroom, a full queue", "mails/s", ours, theirs, f"≥ {_SOURCE_TARGET:g} × smtp-source")
    figure.met = (figure.ratio or 0) >= _SOURCE_TARGET
    chapter.figures += [figure, Figure("the same, the server's processor", "µs/mail", spent)]
    return chapter


def _queued(run: Run, server: Postroom, sink: SmtpSink, count: int) -> tuple[float, float]:
    """Mails a second, and the server's processor time a mail in microseconds."""
    # Time enough to accept them, however busy the machine is.
    due = int(time.time()) + 5 + count // 800
    first = run.numbers(count)
    run.loader.ask(
        do="batches", target=server.target, token=server.token, mails=count, first=first, per_call=1000,
        in_flight=2, due=due,
    )  # fmt: skip
    left = due - time.time()
    if left <= 0:
        raise RuntimeError("the mails were due before all were accepted")
    sink.expect(count, first)
    time.sleep(left)
    began, processor = time.perf_counter(), server.cpu
    last = sink.wait(_PATIENCE)
    return count / (last - began), (server.cpu - processor) / count * 1e6


def conversations(run: Run) -> Chapter:
    """The SMTP client alone, beside aiosmtplib, to a sink that answers after a round trip."""
    rounds, count = run.either(5, 3), run.either(1000, 400)
    delay = _ROUND_TRIP_MS / 1000
    names = ("aiosmtplib on uvloop", "postroom on uvloop")
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    with transmit.sink(delay) as port:
        for _ in range(rounds):
            for name, rounds_ in measured.items():
                rounds_.append(transmit.measure(name, port, count, CONNECTIONS))
    theirs, ours = ([each[1] for each in measured[name]] for name in names)
    figure = Figure("our client", "mails/s", ours, theirs, f"≥ {_AIOSMTPLIB_TARGET:g} × aiosmtplib")
    figure.met = (figure.ratio or 0) >= _AIOSMTPLIB_TARGET
    theirs_cpu, ours_cpu = ([each[0] for each in measured[name]] for name in names)
    return Chapter(
        "SMTP conversations, 20 ms away",
        f"{count} mails of {len(transmit.MESSAGE)} octets a round over {CONNECTIONS} kept connections, to "
        f"a sink that answers after {_ROUND_TRIP_MS:g} ms what came in one piece with one piece; both on "
        "uvloop.",
        [
            Figure("aiosmtplib", "mails/s", theirs),
            figure,
            Figure("aiosmtplib: processor", "µs/mail", theirs_cpu),
            Figure("our client: processor", "µs/mail", ours_cpu, theirs_cpu),
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast a full queue is handed over.")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    with running(quick=asked.quick) as run:
        report.show([full_queue(run), conversations(run)])


if __name__ == "__main__":
    main()
