"""A Postroom as its users start it: `postroom serve` with its defaults, on a fresh SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import grpc.aio
from bench.children import cpu_seconds, end, free_port, resident_megabytes, wait_for_port

from postroom.v1 import mail_server_pb2, mail_server_service_pb2, mail_server_service_pb2_grpc

SEND = "/postroom.v1.EmailService/SendEmail"
_COMMAND = str(Path(sys.executable).with_name("postroom"))
_AT_WORK = (
    "SELECT EXISTS (SELECT 1 FROM delivery WHERE state = 'LEASED')"
    " OR EXISTS (SELECT 1 FROM delivery WHERE state = 'READY' AND run_at <= ?)"
)


class Postroom:
    """`token` sends for real, `test_token` is accepted and handed to nobody."""

    def __init__(self, folder: Path, log_level: str = "info", *, rest: bool = False) -> None:
        self._folder = folder
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("POSTROOM_")} | {
            "POSTROOM_DATABASE_URL": f"sqlite:///{folder}/postroom.db"
        }
        self._run("db", "migrate")
        self.token = self._run("token", "create", "bench", "--all-scopes")
        self.test_token = self._run("token", "create", "bench-test", "--all-scopes", "--test")
        self.target = f"127.0.0.1:{free_port()}"
        self.http_target = f"127.0.0.1:{free_port()}" if rest else ""
        self._environment |= {
            "POSTROOM_GRPC_ADDRESS": self.target,
            "POSTROOM_LOG_LEVEL": log_level,
            "POSTROOM_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
            "POSTROOM_HTTP_ADDRESS": self.http_target,
        }
        self.start()

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            began = time.perf_counter()
            self._process = subprocess.Popen(
                [_COMMAND, "serve"], cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        wait_for_port(int(self.target.rpartition(":")[2]), self._process)
        self.start_seconds = time.perf_counter() - began
        if self.http_target:
            wait_for_port(int(self.http_target.rpartition(":")[2]), self._process)

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [_COMMAND, *words],
            cwd=self._folder,
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def database(self) -> Path:
        return self._folder / "postroom.db"

    def wait_idle(self, seconds: float) -> None:
        """Until no delivery is due or under way. Raises TimeoutError."""
        until = time.monotonic() + seconds
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            while connection.execute(_AT_WORK, (time.time() * 1000,)).fetchone()[0]:
                if time.monotonic() > until:
                    raise TimeoutError
                time.sleep(0.1)

    @property
    def cpu(self) -> float:
        return cpu_seconds(self._process.pid)

    @property
    def resident(self) -> float:
        return resident_megabytes(self._process.pid)

    def relay_to(self, port: int, connections: int) -> None:
        """Makes the sink the one mail server."""
        asyncio.run(self._add_server(port, connections))

    async def _add_server(self, port: int, connections: int) -> None:
        async with grpc.aio.insecure_channel(self.target) as channel:
            server = mail_server_pb2.MailServer(
                name="sink",
                host="127.0.0.1",
                port=port,
                max_connections=connections,
                tls_mode=mail_server_pb2.TLS_MODE_OFF,
            )
            await mail_server_service_pb2_grpc.MailServerServiceStub(channel).CreateMailServer(
                mail_server_service_pb2.CreateMailServerRequest(mail_server=server),
                metadata=(("authorization", f"Bearer {self.token}"),),
            )

    def log_tail(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:]

    def end(self) -> None:
        end(self._process)


@contextlib.contextmanager
def postroom(log_level: str = "info", *, rest: bool = False) -> Iterator[Postroom]:
    """Serves for as long as the context lasts, in a folder of its own on the disk of the temporary files."""
    folder = Path(tempfile.mkdtemp(prefix="postroom-bench-"))
    try:
        server = Postroom(folder, log_level, rest=rest)
        try:
            yield server
        except Exception:
            print(server.log_tail(), file=sys.stderr)
            raise
        finally:
            server.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
