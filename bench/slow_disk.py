"""Makes the disk of a process slower than it is: a library loaded before it adds to every fsync."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.children import ROOT

_SOURCE = ROOT / "bench" / "slow_fsync.c"
_LIBRARY = ROOT / "bench" / "results" / "slow_fsync.so"
_PROBE = "from bench import machine; print(machine.fsync_microseconds())"


@functools.cache
def library() -> Path | None:
    """The library, made by the machine's C compiler; None where there is none."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    _LIBRARY.parent.mkdir(exist_ok=True)
    made = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-o", _LIBRARY, _SOURCE, "-ldl"], capture_output=True
    )
    return None if made.returncode else _LIBRARY


def added(milliseconds: float) -> dict[str, str]:
    """What a process's environment is given. Nothing for 0: the disk as it is."""
    made = library()
    if not milliseconds or made is None:
        return {}
    return {"LD_PRELOAD": str(made), "BENCH_FSYNC_US": str(round(milliseconds * 1000))}


def measured(milliseconds: float) -> float:
    """What one fdatasync of 4 KiB takes in such a process, in microseconds."""
    told = subprocess.run(
        [sys.executable, "-c", _PROBE], cwd=ROOT, env=dict(os.environ) | added(milliseconds),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(told.stdout)
