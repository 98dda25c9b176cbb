"""Processes that the bench starts, talks to and ends; what they used of processor and memory."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")


class Child:
    """A process that is asked: one JSON line in, one JSON line out, and one when it is ready."""

    def __init__(
        self, command: Sequence[str | Path], *, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
    ) -> None:
        self._process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ready = self._answer()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, **question: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        end(self._process)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return json.loads(line)


@contextlib.contextmanager
def child(module: str, *arguments: str, more: Mapping[str, str] | None = None) -> Iterator[Child]:
    """A module of the bench in a process of its own; `more` is added to its environment."""
    environment = dict(os.environ) | dict(more or {})
    with driver([sys.executable, "-m", f"bench.{module}", *arguments], environment=environment) as made:
        yield made


@contextlib.contextmanager
def driver(
    command: Sequence[str | Path], *, cwd: Path = ROOT, environment: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Any program that answers as `Child` expects."""
    made = Child(command, cwd=cwd, environment=environment)
    try:
        yield made
    finally:
        made.end()


def end(process: subprocess.Popen[Any], number: int = signal.SIGTERM, patience: float = 30) -> None:
    """Ends a process and closes what connects us to it."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # of what it did not read any more
                pipe.close()


def tidy_when_ended() -> None:
    """Lets SIGTERM unwind the stack, so that folders are removed and children ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def answer(value: Any) -> None:
    """What a child says: one line."""
    print(json.dumps(value), flush=True)


def questions() -> Iterator[Mapping[str, Any]]:
    """What a child is asked, until nobody asks any more."""
    for line in sys.stdin:
        yield json.loads(line)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[Any], seconds: float = 60) -> None:
    """Until something listens. Raises RuntimeError when the process has ended instead."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.005)
    raise RuntimeError(f"nothing listens on port {port}: {process.args!r} ({process.poll()})")


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_megabytes(pid: int, *, most: bool = False) -> float:
    """MB of 2^20 bytes that are in memory now, or the most that ever were."""
    wanted = "VmHWM:" if most else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(wanted):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {wanted} of {pid}")
