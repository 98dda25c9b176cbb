"""Where mail ends: a sink of ours that reads every mail, and Debian's smtp-sink, which only counts.

Ours proves that nothing was lost, doubled or mixed up. smtp-sink is written in C and takes less of the two
cores, so rates are taken with it; a comparison always uses one of them for both sides.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol, cast

import uvloop
from bench import mails
from bench.children import Child, answer, child, end, free_port, wait_for_port
from bench.postfix import Package


class Sink(Protocol):
    """What a measurement needs of a sink."""

    name: str
    port: int

    def expect(self, count: int, first: int) -> None:
        """Forgets what came, and waits for mails `first` to `first + count - 1`."""

    def wait(self, seconds: float) -> float:
        """When the last had come (time.perf_counter). Raises RuntimeError unless each came, once."""


class VerifyingSink:
    name = "verifying sink"

    def __init__(self, process: Child) -> None:
        self._process = process
        self.port = int(process.ready)

    def expect(self, count: int, first: int) -> None:
        self._process.ask(do="expect", count=count, first=first)

    def wait(self, seconds: float) -> float:
        found = self._process.ask(do="wait", seconds=seconds)
        if found["problem"]:
            raise RuntimeError(found["problem"])
        return float(found["last"])


class SmtpSink:
    """`smtp-sink -c` tells its count after every mail."""

    name = "smtp-sink"

    def __init__(self, package: Package) -> None:
        self.port = free_port()
        self._process = subprocess.Popen(
            [package.program("sbin/smtp-sink"), *package.as_nobody, "-c", f"127.0.0.1:{self.port}", "1000"],
            stdout=subprocess.PIPE, env=package.environment,
        )  # fmt: skip
        wait_for_port(self.port, self._process)
        self._count = self._base = self._wanted = 0
        self._last = 0.0
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def expect(self, count: int, first: int) -> None:
        with self._changed:
            self._base, self._wanted = self._count, count

    def wait(self, seconds: float) -> float:
        with self._changed:
            self._changed.wait_for(lambda: self._count - self._base >= self._wanted, seconds)
        time.sleep(0.3)  # whatever comes twice comes now
        with self._changed:
            if self._count - self._base != self._wanted:
                raise RuntimeError(f"{self._count - self._base} of {self._wanted} mails came")
            return self._last

    def close(self) -> None:
        end(self._process)

    def _read(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        with contextlib.suppress(ValueError):
            while data := self._process.stdout.read1(65536):  # type: ignore[attr-defined]
                rest += data
                counts = _COUNT.findall(rest)
                rest = rest.rpartition(b"\r")[2]
                if counts:
                    with self._changed:
                        if int(counts[-1]) != self._count:
                            self._count, self._last = int(counts[-1]), time.perf_counter()
                        if self._count - self._base >= self._wanted:
                            self._changed.notify()


_COUNT = re.compile(rb"mesg=([0-9]+)\r")


@contextlib.contextmanager
def verifying_sink() -> Iterator[VerifyingSink]:
    with child("sink") as process:
        yield VerifyingSink(process)


@contextlib.contextmanager
def smtp_sink(package: Package) -> Iterator[SmtpSink]:
    made = SmtpSink(package)
    try:
        yield made
    finally:
        made.close()


class _Ledger:
    """What has come: which numbers, how often something was wrong, when the last one came."""

    def __init__(self) -> None:
        self.expected = range(0)
        self.seen: set[int] = set()
        self.twice: list[int] = []
        self.wrong = 0
        self.last = 0.0

    def note(self, recipient: bytes, received: bytes) -> None:
        number = mails.number_of(recipient, received)
        if number is None or number not in self.expected:
            self.wrong += 1
        elif number in self.seen:
            self.twice.append(number)
        else:
            self.seen.add(number)
            self.last = time.perf_counter()

    def problem(self) -> str:
        missing = len(self.expected) - len(self.seen)
        if not (missing or self.twice or self.wrong):
            return ""
        return f"{missing} missing, {len(self.twice)} twice, {self.wrong} wrong of {len(self.expected)}"


class _Session(asyncio.Protocol):
    """Takes everything, answers what came in one piece with one piece."""

    _GREETING = b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n"

    def __init__(self, ledger: _Ledger) -> None:
        self._ledger = ledger
        self._rest = b""
        self._in_message = False
        self._recipient = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 sink.test\r\n")

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        answers = []
        while data:
            if self._in_message:
                finish = data.find(b"\r\n.\r\n")
                if finish < 0:
                    break
                self._ledger.note(self._recipient, data[: finish + 2])
                data = data[finish + 5 :]
                self._in_message = False
                answers.append(b"250 2.0.0 taken\r\n")
                continue
            line, newline, behind = data.partition(b"\n")
            if not newline:
                break
            data = behind
            verb = line[:4].upper()
            if verb == b"RCPT":
                self._recipient = line.partition(b"<")[2].partition(b">")[0]
            if verb == b"DATA":
                self._in_message = True
                answers.append(b"354 go\r\n")
            elif verb == b"QUIT":
                answers.append(b"221 2.0.0 bye\r\n")
            else:
                answers.append(self._GREETING if verb == b"EHLO" else b"250 2.1.0 ok\r\n")
        self._rest = data
        if answers and not self._transport.is_closing():
            self._transport.write(b"".join(answers))


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    ledger = _Ledger()
    server = await loop.create_server(lambda: _Session(ledger), "127.0.0.1", 0, backlog=1000)
    answer(server.sockets[0].getsockname()[1])
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked: dict[str, Any] = json.loads(line)
        if asked["do"] == "expect":
            # The sessions keep their ledger: Postroom's connections outlive a round.
            ledger.__init__()  # type: ignore[misc]
            ledger.expected = range(asked["first"], asked["first"] + asked["count"])
            answer("ok")
            continue
        until = time.monotonic() + asked["seconds"]
        while len(ledger.seen) < len(ledger.expected) and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # whatever comes twice comes now
        answer({"problem": ledger.problem(), "last": ledger.last})


if __name__ == "__main__":
    uvloop.run(_serve())
