"""A Postroom as its users start it: `postroom serve` with its defaults, on a fresh database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import apsw
import grpc.aio
import psycopg
from bench.children import cpu_seconds, end, free_port, resident_megabytes, wait_for_port

from postroom.v1 import (
    mail_server_pb2,
    mail_server_service_pb2,
    mail_server_service_pb2_grpc,
    template_pb2,
    template_service_pb2,
    template_service_pb2_grpc,
)

SEND = "/postroom.v1.EmailService/SendEmail"
_COMMAND = str(Path(sys.executable).with_name("postroom"))
_AT_WORK = (
    "SELECT EXISTS (SELECT 1 FROM delivery WHERE state = 'LEASED')"
    " OR EXISTS (SELECT 1 FROM delivery WHERE state = 'READY' AND run_at <= {now})"
)


class Postroom:
    """`token` sends for real, `test_token` is accepted and handed to nobody.

    `database_url` is of an empty database; empty, it is a SQLite file in `folder`. `environment` is added to
    the server's: more settings, or what is to be loaded before it.
    """

    def __init__(
        self,
        folder: Path,
        log_level: str = "info",
        *,
        rest: bool = False,
        database_url: str = "",
        environment: Mapping[str, str] | None = None,
        api_user: str = "",
    ) -> None:
        self._folder = folder
        self.database_url = database_url or f"sqlite:///{folder}/postroom.db"
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("POSTROOM_")}
        self._environment |= {"POSTROOM_DATABASE_URL": self.database_url}
        # Empty with SQLite, where the server makes one.
        self.data_key = secrets.token_hex(32) if database_url else ""
        if self.data_key:
            self._environment["POSTROOM_DATA_KEY"] = self.data_key
        self._run("db", "migrate")
        self.token = self._run("token", "create", "bench", "--all-scopes")
        self.test_token = self._run("token", "create", "bench-test", "--all-scopes", "--test")
        self.api_key = (
            self._run("token", "create", "bench-pair", "--all-scopes", "--api-user", api_user)
            if api_user
            else ""
        )
        self.target = f"127.0.0.1:{free_port()}"
        self.http_target = f"127.0.0.1:{free_port()}" if rest else ""
        self._environment |= {
            "POSTROOM_GRPC_ADDRESS": self.target,
            "POSTROOM_LOG_LEVEL": log_level,
            "POSTROOM_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
            "POSTROOM_HTTP_ADDRESS": self.http_target,
            **(environment or {}),
        }
        self.start()

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            began = time.perf_counter()
            self._process = subprocess.Popen(
                [_COMMAND, "serve"], cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        try:
            wait_for_port(int(self.target.rpartition(":")[2]), self._process)
        except RuntimeError:
            print(self.log_tail(), file=sys.stderr)
            self.end()
            raise
        self.start_seconds = time.perf_counter() - began
        if self.http_target:
            wait_for_port(int(self.http_target.rpartition(":")[2]), self._process)

    @contextlib.contextmanager
    def another(self, only: str) -> Iterator[int]:
        """A further process on the same PostgreSQL database, with a part to play; gives its pid."""
        metrics = free_port()
        environment = self._environment | {
            "POSTROOM_ONLY": only,
            "POSTROOM_GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
            "POSTROOM_METRICS_ADDRESS": f"127.0.0.1:{metrics}",
            "POSTROOM_HTTP_ADDRESS": "",
        }
        with (self._folder / f"log-{metrics}").open("ab") as log:
            process = subprocess.Popen(
                [_COMMAND, "serve"], cwd=self._folder, env=environment, stdout=log, stderr=log
            )
        try:
            wait_for_port(metrics, process)
            yield process.pid
        finally:
            end(process)

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [_COMMAND, *words], cwd=self._folder, env=self._environment, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"postroom {' '.join(words)}: {done.stderr}")
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
        with self._looking() as connection:
            while any(connection.execute(_AT_WORK.format(now=int(time.time() * 1000))).fetchone() or ()):
                if time.monotonic() > until:
                    raise TimeoutError
                time.sleep(0.1)

    def _looking(self) -> contextlib.AbstractContextManager[apsw.Connection | psycopg.Connection]:
        if self.database_url.startswith("sqlite"):
            connection = apsw.Connection(str(self.database), apsw.SQLITE_OPEN_READONLY)
            connection.set_busy_timeout(5000)
            return contextlib.closing(connection)
        return contextlib.closing(psycopg.connect(self.database_url, autocommit=True))

    @property
    def cpu(self) -> float:
        return cpu_seconds(self._process.pid)

    @property
    def resident(self) -> float:
        return resident_megabytes(self._process.pid)

    @property
    def most_resident(self) -> float:
        return resident_megabytes(self._process.pid, most=True)

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

    def add_template(self, invoke_name: str, variant: template_pb2.Variant, *, bulk: bool = False) -> None:
        """Of kind TRIGGER, or of kind BATCH, whose mail stands back for all other."""
        kind = template_pb2.TEMPLATE_KIND_BATCH if bulk else template_pb2.TEMPLATE_KIND_TRIGGER
        template = template_pb2.Template(
            invoke_name=invoke_name, name=invoke_name, kind=kind,
            content=template_pb2.TemplateContent(variants=[variant]),
        )  # fmt: skip
        asyncio.run(self._add_template(template))

    async def _add_template(self, template: template_pb2.Template) -> None:
        async with grpc.aio.insecure_channel(self.target) as channel:
            await template_service_pb2_grpc.TemplateServiceStub(channel).CreateTemplate(
                template_service_pb2.CreateTemplateRequest(template=template),
                metadata=(("authorization", f"Bearer {self.token}"),),
            )

    def log_tail(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:]

    def end(self) -> None:
        end(self._process)


@contextlib.contextmanager
def postroom(
    log_level: str = "info",
    *,
    rest: bool = False,
    database_url: str = "",
    environment: Mapping[str, str] | None = None,
    api_user: str = "",
) -> Iterator[Postroom]:
    """Serves for as long as the context lasts, in a folder of its own on the disk of the temporary files."""
    folder = Path(tempfile.mkdtemp(prefix="postroom-bench-"))
    try:
        server = Postroom(
            folder,
            log_level,
            rest=rest,
            database_url=database_url,
            environment=environment,
            api_user=api_user,
        )
        try:
            yield server
        except Exception:
            print(server.log_tail(), file=sys.stderr)
            raise
        finally:
            server.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
