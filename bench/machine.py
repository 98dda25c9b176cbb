"""Where a run took place: processor, memory, system, versions, and how long the disk takes to sync."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import apsw
from bench import postgresql
from bench.children import ROOT
from bench.peers import environment
from bench.run import Run

FSYNC = "fdatasync of 4 KiB, median of 300"
_PEERS = ("django-post-office", "django", "aiosmtplib", "jinja2")
_PACKAGES = ("grpcio", "protobuf", "apsw", "peewee", "uvloop", "structlog")


def describe(run: Run) -> dict[str, str]:
    model = _first("/proc/cpuinfo", "model name")
    memory = int(_first("/proc/meminfo", "MemTotal").split()[0]) / 1024**2
    return {
        "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{model}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load at start": f"{os.getloadavg()[0]:.1f}",
        "Postroom": f"{importlib.metadata.version('postroom')}, {_commit()}",
        "Python": platform.python_version(),
        "SQLite": apsw.sqlite_lib_version(),
        "packages": ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES),
        FSYNC: f"{fsync_microseconds():.0f} µs",
        "peers": ", ".join(_peers(run)) or "none could be had",
    }


def _peers(run: Run) -> list[str]:
    """Those that are there, by name, version and where they come from."""
    found = []
    if run.package is not None:
        found.append(f"Postfix {run.package.version} (Debian)")
    if (binaries := postgresql.fetch()) is not None:
        found.append(f"PostgreSQL {postgresql.version(binaries)}")
    if (node := environment.node()) is not None:
        package = json.loads((environment.NODEMAILER / "node_modules/nodemailer/package.json").read_text())
        found.append(f"Node {_node_version(node)} with nodemailer {package['version']} (npm)")
    if environment.python() is not None:
        found += [f"{name} {environment.version(name)} (PyPI)" for name in _PEERS]
    return found


@functools.cache
def _node_version(node: str) -> str:
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return told.stdout.strip().removeprefix("v")


@functools.cache
def _commit() -> str:
    """What was measured, as it was when the run began."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty=, changed since"],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
    except OSError:
        return "without its history"
    return f"commit {told.stdout.strip()}" if told.returncode == 0 else "without its history"


def fsync_microseconds() -> float:
    """Appending a page and syncing it, on the disk that the measured databases lie on."""
    spent = []
    with tempfile.TemporaryFile() as file:
        for _ in range(300):
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
