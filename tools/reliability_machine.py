"""Where a run of tools/reliability.py took place, and how long its disk takes to sync."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import apsw

from peers.postgresql import find_binaries

SYNCS = 300


def describe() -> dict[str, str]:
    model = _first("/proc/cpuinfo", "model name")
    memory = int(_first("/proc/meminfo", "MemTotal").split()[0]) / 1024**2
    postgres = subprocess.run(
        [find_binaries() / "postgres", "-V"], capture_output=True, text=True, check=True
    )
    return {
        "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{model}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": f"{apsw.sqlite_lib_version()}, synchronous=FULL",
        "PostgreSQL": f"{postgres.stdout.split()[-1]}, fsync=on",
        "fdatasync of 4 KiB": f"{sync_microseconds():.0f} µs (median of {SYNCS})",
        "load at start": f"{os.getloadavg()[0]:.1f}",
    }


def sync_microseconds() -> float:
    """Appending a page and syncing it, on the disk that the databases lie on."""
    spent = []
    with tempfile.TemporaryFile() as file:
        for _ in range(SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            spent.append(time.perf_counter() - began)
    return statistics.median(spent) * 1e6


def _first(path: str, key: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return "unknown"
