"""`postroom dev` as a newcomer meets it: a process, the commands it prints, and what they show."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.postgresql import PostgresqlServer

POSTROOM = Path(sys.executable).with_name("postroom")
READY = "Every mail shows up here"
PATIENCE = 30
FOLDER_IN_USE = (
    "postroom: `postroom dev` runs in this folder already, and its token is in data/: "
    "use that one, or start this one in another folder\n"
)
DATABASE_IN_USE = (
    "postroom: data/postroom.db is served by another Postroom process (its lock is held): "
    "use that one, or start this one in another folder or with another database_url\n"
)


class Dev:
    """A running `postroom dev` and what it has printed."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")},
            "POSTROOM_DATABASE_URL": database,
            "POSTROOM_METRICS_ADDRESS": "",
            "COLUMNS": "200",
        }
        self.printed = ""
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [
                POSTROOM,
                "dev",
                "--grpc-address",
                "127.0.0.1:0",
                "--http-address",
                "127.0.0.1:0",
                "--catcher-port",
                "0",
            ],
            cwd=folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.printed += line
                self._news.notify_all()

    def wait_for(self, text: str) -> None:
        with self._news:
            assert self._news.wait_for(lambda: text in self.printed, PATIENCE), self.printed

    def commands(self, words: str) -> list[str]:
        """The printed commands that hold these words."""
        return [line for line in self.printed.splitlines() if words in line]

    def run(self, command: str) -> str:
        """Runs what was printed, as pasted into a shell in the same folder."""
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        return done.stdout

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@contextlib.contextmanager
def running(folder: Path, database: str) -> Iterator[Dev]:
    dev = Dev(folder, database)
    try:
        dev.wait_for(READY)
        yield dev
    finally:
        if dev.process.poll() is None:
            dev.process.kill()
        dev.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database that nobody has made yet."""
    if request.param == "sqlite":
        yield "sqlite:///data/postroom.db"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    url = server.new_database()
    yield url
    server.drop_database(url)


@pytest.mark.every_database
def test_the_printed_commands_send_mails_that_are_caught_and_accounted_for(
    database: str, tmp_path: Path
) -> None:
    with running(tmp_path, database) as dev:
        plain, template = dev.commands("postroom send")
        (buf,) = dev.commands("buf curl")
        (listing,) = dev.commands("email list")
        (showing,) = dev.commands("email show")
        (tailing,) = dev.commands("events tail")
        for number, command in enumerate((plain, template), 1):
            email_id = dev.run(command).strip()
            dev.run(f"{tailing} --email {email_id} --kind EMAIL_SETTLED --count 1")
            shown = dev.run(showing)
            assert re.search(r"state +SUCCESS", shown)
            assert re.search(rf"DELIVERED +DOT +catcher +250 2\.0\.0 caught as number {number}", shown)
        dev.wait_for("subject   Hello")
        dev.wait_for("Welcome, Ada")
        rest_mail, rest_template = dev.commands("curl http")
        if shutil.which("curl"):
            assert '"code":"S"' in dev.run(rest_mail)
            assert '"result":true' in dev.run(rest_template)
        answer = dev.run(buf)
        (email_id,) = re.findall(r'"id": *"(\d+)"', answer)
        assert email_id in dev.run(listing)


def test_a_second_start_finds_its_token_and_contents(database: str, tmp_path: Path) -> None:
    token = tmp_path / "data" / "dev.token"
    with running(tmp_path, database) as dev:
        first = token.read_text()
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
        assert dev.stop() == 0
    with running(tmp_path, database) as dev:
        assert token.read_text() == first
        (plain, _) = dev.commands("postroom send")
        dev.run(plain)
        dev.wait_for("subject   Hello")
    # Another database does not know the token.
    with running(tmp_path, f"sqlite:///{tmp_path}/other.db") as dev:
        assert token.read_text() != first
        dev.run(dev.commands("email list")[0])


def test_a_second_process_on_the_same_file_is_one_line(tmp_path: Path) -> None:
    with running(tmp_path, "sqlite:///data/postroom.db") as dev:
        for command, said in (("dev", FOLDER_IN_USE), ("serve", DATABASE_IN_USE)):
            second = subprocess.run(
                [POSTROOM, command],
                cwd=tmp_path,
                env=dev.environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
            assert second.returncode == 1
            assert second.stderr == said


def test_another_database_does_not_take_the_token_of_one_that_runs(tmp_path: Path) -> None:
    with running(tmp_path, "sqlite:///data/postroom.db") as dev:
        before = (tmp_path / "data/dev.token").read_text()
        second = subprocess.run(
            [POSTROOM, "dev", "--database-url", "sqlite:///data/other.db"],
            cwd=tmp_path,
            env=dev.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert (second.returncode, second.stderr) == (1, FOLDER_IN_USE)
        assert (tmp_path / "data/dev.token").read_text() == before
        assert not (tmp_path / "data/other.db").exists()


def test_a_catcher_port_that_was_asked_for_and_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = subprocess.run(
            [POSTROOM, "dev", "--catcher-port", str(port)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    said = f"postroom: cannot listen on 127.0.0.1:{port}: it is taken; name another --catcher-port\n"
    assert (started.returncode, started.stderr) == (1, said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--grpc-address", "127.0.0.1:99999"], "postroom: grpc_address 127.0.0.1:99999: there is no port"),
        (["--http-address", "127.0.0.1:99999"], "postroom: http_address 127.0.0.1:99999: there is no port"),
        (["--grpc-address", "0.0.0.0:0"], "postroom: 0.0.0.0:0 is reachable from other machines"),
        (["--database-url", "postgresql://postgres@127.0.0.1:1/none"], "postroom: cannot open the database"),
        (["--only", "api"], "postroom: only=api needs PostgreSQL"),
        (["--grpc-tls-cert", "none.pem", "--grpc-tls-key", "none.key"], "postroom: cannot read none.key"),
    ],
)
def test_a_server_that_cannot_start_says_why_in_one_line(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    started = subprocess.run(
        [POSTROOM, "serve", "--metrics-address", "", *arguments],
        cwd=tmp_path,
        env={**os.environ, "POSTROOM_DATA_KEY": "5a" * 32},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert started.returncode == 1
    assert started.stderr.startswith(said)
    assert started.stderr.count("\n") == 1
