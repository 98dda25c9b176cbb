"""The SMTP client alone, beside smtp-source and aiosmtplib: the same connections, the same sink."""

from __future__ import annotations

import time

from bench import delay
from bench.children import Child, child
from bench.figures import Chapter, Figure
from bench.peers import smtp_source
from bench.run import Run
from bench.sink import SmtpSink

CONNECTIONS = 16
TITLE, FAR_TITLE = "Transmitting", "Transmitting, 20 ms away"
SOURCE, OURS, THEIRS, THEIRS_UV = "smtp-source", "our client", "aiosmtplib", "aiosmtplib on uvloop"
OURS_CPU, THEIRS_CPU = f"{OURS}: processor", f"{THEIRS}: processor"
_CLIENTS = {OURS: "postroom on uvloop", THEIRS: "aiosmtplib on asyncio", THEIRS_UV: "aiosmtplib on uvloop"}
_ROUND_TRIP_MS = 20.0


def near(run: Run) -> Chapter:
    """Without a round trip."""
    chapter = Chapter(
        TITLE,
        f"Mails of about 6 kB over {CONNECTIONS} kept connections to Debian's smtp-sink, nothing stored; our "
        "client makes a new envelope of each, aiosmtplib gets the finished bytes. Ours runs on uvloop, "
        "aiosmtplib on asyncio's own loop, as it comes, and on uvloop; smtp-source makes its mails of "
        "nothing. Each client is a process of its own, and processor is the client's.",
    )
    if isinstance(sink := run.counting, SmtpSink):
        _compare(run, chapter, sink.port, sourced=run.either(20_000, 4000), sent=run.either(8000, 1500))
    else:
        chapter.absent.append("smtp-sink and smtp-source: Postfix's package cannot be had")
    return chapter


def far(run: Run) -> Chapter:
    """Through a proxy that takes 20 ms for a round trip."""
    chapter = Chapter(FAR_TITLE, "The same through a proxy that hands on every byte 10 ms later, both ways.")
    if isinstance(sink := run.counting, SmtpSink):
        with delay.delayed(sink.port, _ROUND_TRIP_MS) as port:
            _compare(run, chapter, port, sourced=run.either(1000, 200), sent=run.either(1000, 200))
    else:
        chapter.absent.append("smtp-sink and smtp-source: Postfix's package cannot be had")
    return chapter


def _compare(run: Run, chapter: Chapter, port: int, *, sourced: int, sent: int) -> None:
    assert run.package is not None
    sink, package = run.counting, run.package

    def source() -> tuple[float, float]:
        sink.expect(sourced, 0)
        began = smtp_source.send(package, port, mails=sourced, connections=CONNECTIONS)
        return 0.0, sourced / (sink.wait(120) - began)

    def client(process: Child, name: str) -> tuple[float, float]:
        cpu, rate = process.ask(name=name, port=port, mails=sent, connections=CONNECTIONS)
        time.sleep(0.1)  # smtp-sink has told of all of them before it is to count others
        return cpu, rate

    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in (SOURCE, *_CLIENTS)}
    with child("smtp_client") as process:
        for turn in range(run.either(5, 1) + 1):
            for name, rounds in taken.items():
                told = source() if name == SOURCE else client(process, _CLIENTS[name])
                if turn:
                    rounds.append(told)
    rates = {name: [rate for _, rate in rounds] for name, rounds in taken.items()}
    cpu = {name: [spent for spent, _ in rounds] for name, rounds in taken.items()}
    chapter.figures += [
        Figure(SOURCE, "mails/s", rates[SOURCE]),
        Figure(OURS, "mails/s", rates[OURS], rates[SOURCE]),
        Figure(THEIRS, "mails/s", rates[THEIRS], rates[SOURCE]),
        Figure(THEIRS_UV, "mails/s", rates[THEIRS_UV], rates[SOURCE]),
        Figure(THEIRS_CPU, "µs/mail", cpu[THEIRS]),
        Figure(f"{THEIRS_UV}: processor", "µs/mail", cpu[THEIRS_UV], cpu[THEIRS]),
        Figure(OURS_CPU, "µs/mail", cpu[OURS], cpu[THEIRS]),
    ]
