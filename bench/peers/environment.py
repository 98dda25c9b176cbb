"""Where the peers' programs live: an environment and a folder of their own, made by the bench itself.

What cannot be had is absent: every function gives None then, and the report says so.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.children import ROOT

PEERS = ROOT / "bench" / "peers"
_ENVIRONMENT = ROOT / ".venv" / "bench-peers"
_REQUIREMENTS = PEERS / "requirements.txt"
NODEMAILER = PEERS / "nodemailer"
# Set by `--no-install`: what is not there yet is not fetched.
NO_INSTALL = "BENCH_NO_INSTALL"


@functools.cache
def python() -> Path | None:
    """The Python that has what requirements.txt names."""
    stamp = _ENVIRONMENT / ".installed"
    wanted = _REQUIREMENTS.read_text()
    program = _ENVIRONMENT / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted:
        return program
    pip = _pip()
    if pip is None or os.environ.get(NO_INSTALL):
        return None
    made = subprocess.run([sys.executable, "-m", "venv", "--without-pip", _ENVIRONMENT], capture_output=True)
    if made.returncode:
        return None
    done = subprocess.run(
        [*pip, "--python", program, "install", "--quiet", "--disable-pip-version-check", "-r", _REQUIREMENTS],
        capture_output=True,
    )
    if done.returncode:
        print(done.stderr.decode(errors="replace")[-500:], file=sys.stderr)
        return None
    stamp.write_text(wanted)
    return program


def _pip() -> list[str] | None:
    """A pip that installs elsewhere: ours has none, Debian's venv neither."""
    for name in (sys.executable, "python3", "python3.11", "python3.12", "python3.13"):
        found = shutil.which(name)
        if found and not subprocess.run([found, "-m", "pip", "--version"], capture_output=True).returncode:
            return [found, "-m", "pip"]
    return None


@functools.cache
def version(distribution: str) -> str:
    """The version of a distribution in the peers' environment."""
    program = python()
    assert program is not None
    code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    return subprocess.run([program, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@functools.cache
def node() -> str | None:
    """The node that finds nodemailer beside its driver."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None:
        return None
    if not (NODEMAILER / "node_modules" / "nodemailer" / "package.json").exists():
        if npm is None or os.environ.get(NO_INSTALL):
            return None
        command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund"]
        if subprocess.run(command, cwd=NODEMAILER, capture_output=True).returncode:
            return None
    return found
