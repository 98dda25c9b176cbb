"""System calls of a running process, in the order in which they began and returned, as strace tells them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from faults.ledger import wait_for

_SYNCS = ("fdatasync", "fsync")
_WRITES = ("write", "writev", "pwrite64", "pwritev", "sendmsg", "sendto")
_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)", re.DOTALL)
_FILE = re.compile(r"^\d+<([^>]*)>")
_BYTES = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclasses.dataclass(frozen=True, slots=True)
class Syscall:
    """`began` and `ended` are places in the order of all that happened; `ended` only if it succeeded."""

    name: str
    file: str
    data: bytes
    began: int
    ended: int | None

    @property
    def is_sync(self) -> bool:
        return self.name in _SYNCS


def why_not() -> str:
    """Why nothing can be traced here; empty: it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    # A process that is already there, and no child of strace.
    with subprocess.Popen(["sleep", "60"]) as other:
        tried = subprocess.Popen(
            ["strace", "-p", str(other.pid), "-o", os.devnull], stderr=subprocess.PIPE, text=True
        )
        assert tried.stderr is not None
        said = tried.stderr.readline()
        tried.terminate()
        tried.communicate()
        other.kill()
    return "" if "attached" in said else f"strace may not trace other processes: {said.strip()}"


@contextlib.asynccontextmanager
async def traced(pid: int, into: Path) -> AsyncIterator[None]:
    """Writes what all threads of a process write and sync while the context lasts."""
    told = into.with_suffix(".told")
    strace = await asyncio.to_thread(_attach, pid, into, told)
    # It is told once all threads are attached to.
    await wait_for(lambda: "attached" in told.read_text())
    try:
        yield
    finally:
        strace.send_signal(signal.SIGINT)
        await asyncio.to_thread(strace.wait, 30)


def _attach(pid: int, into: Path, told: Path) -> subprocess.Popen[bytes]:
    watched = ",".join((*_SYNCS, *_WRITES))
    options = ("-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={watched}", "-e", "signal=none")
    with told.open("w") as said:
        return subprocess.Popen(["strace", *options, "-o", into, "-p", str(pid)], stderr=said)


def read(lines: Iterable[str]) -> Iterator[Syscall]:
    """The calls of a trace, each when it has returned, and last those that had not when the trace ended.

    Where another thread's call came in between, strace tells the beginning and the end in two lines.
    """
    begun: dict[tuple[str, str], tuple[int, str]] = {}
    for place, line in enumerate(lines):
        found = _LINE.match(line)
        if found is None or "+++" in line:
            continue
        thread, name, rest = found.groups()
        began, before = begun.pop((thread, name), (place, ""))
        if rest.rstrip().endswith("<unfinished ...>"):
            begun[thread, name] = (place, rest)
            continue
        succeeded = re.search(r"= \d+[^=]*$", rest) is not None
        yield _call(name, before + rest, began, place if succeeded else None)
    for (_, name), (began, rest) in begun.items():
        yield _call(name, rest, began, None)


def _call(name: str, told: str, began: int, ended: int | None) -> Syscall:
    data = b"".join(bytes.fromhex(text.replace("\\x", "")) for text in _BYTES.findall(told))
    return Syscall(name, _name(_FILE.match(told)), data, began, ended)


def _name(file: re.Match[str] | None) -> str:
    """A file's name; with -xx it comes as bytes, too."""
    text = file.group(1) if file else ""
    return bytes.fromhex(text.replace("\\x", "")).decode() if text.startswith("\\x") else text
