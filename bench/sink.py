"""Where mail ends: a sink of ours that compares every mail, and Debian's smtp-sink, which only counts.

Ours proves that nothing was lost, doubled or mixed up. smtp-sink is written in C and takes less of the two
cores; a comparison always uses one of them for all sides.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Protocol

from bench.children import Child, child, end, free_port, wait_for_port
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

    def expect(self, count: int, first: int, *, more: bool = False, kept: bool = True) -> None:
        """`more`: beside those that are still expected. `kept`: every mail is compared, not only counted."""
        self._process.ask(do="expect", count=count, first=first, more=more, kept=kept)

    def wait(self, seconds: float, *, first_pass: bool = False) -> float:
        """`first_pass`: those that are refused when they come first are not waited for."""
        found = self._process.ask(do="wait", seconds=seconds, first_pass=first_pass)
        if found["problem"]:
            raise RuntimeError(found["problem"])
        return float(found["last"])

    def times(self, first: int, count: int) -> dict[int, float]:
        """When each of these came (time.perf_counter), of those that came."""
        told: dict[str, float] = self._process.ask(do="times", first=first, count=count)
        return {int(number): at for number, at in told.items()}

    def codes(self) -> dict[int, str]:
        """The verification codes in what came, of mails that were not kept."""
        told: dict[str, str] = self._process.ask(do="codes")
        return {int(number): code for number, code in told.items()}


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
                # It tells of each mail; a look at each would cost all sides a good part of a core.
                time.sleep(0.001)


_COUNT = re.compile(rb"mesg=([0-9]+)\r")


@contextlib.contextmanager
def verifying_sink(*, refuses: bool = False) -> Iterator[VerifyingSink]:
    """`refuses`: one mail in twenty, with 451, when it comes first."""
    with child("sink_process", *(["--refuse"] if refuses else [])) as process:
        yield VerifyingSink(process)


@contextlib.contextmanager
def smtp_sink(package: Package) -> Iterator[SmtpSink]:
    made = SmtpSink(package)
    try:
        yield made
    finally:
        made.close()
