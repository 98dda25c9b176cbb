"""What takes part in a way from the first accept to the last hand-over."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import mails
from bench.children import Child, driver, end
from bench.peers import environment
from bench.peers.environment import PEERS

NODEMAILER = "Node + nodemailer pool (stores nothing)"
PLAIN = "plain Python worker"
POST_OFFICE = "django-post-office"
RETRY_SECONDS = 60  # Postroom's first delay; the peers are given the same


@dataclasses.dataclass(frozen=True, slots=True)
class Contender:
    """`send` hands over `mails` mails from `first` on and gives when it began; it need not wait."""

    name: str
    mails: int
    send: Callable[[int], float]


@contextlib.contextmanager
def nodemailer(port: int, connections: int, count: int) -> Iterator[Contender | None]:
    """Node with nodemailer's pool; stores nothing."""
    node = environment.node()
    if node is None:
        yield None
        return
    command = [node, "send.js", str(port), str(connections), str(RETRY_SECONDS * 1000)]
    with driver(command, cwd=PEERS / "nodemailer") as process:
        yield Contender(NODEMAILER, count, _asking(process, count))


@contextlib.contextmanager
def plain_worker(port: int, count: int) -> Iterator[Contender | None]:
    """A row, a poll, an EmailMessage, aiosmtplib."""
    arguments = [str(port), str(RETRY_SECONDS), mails.SENDER, mails.SENDER_NAME]
    with _in_two_processes("plain_worker", [], arguments) as process:
        yield Contender(PLAIN, count, _asking(process, count)) if process else None


@contextlib.contextmanager
def post_office(port: int, count: int) -> Iterator[Contender | None]:
    """django-post-office on SQLite."""
    arguments = [str(port), str(RETRY_SECONDS)]
    with _in_two_processes("django_post_office", arguments, arguments) as process:
        yield Contender(POST_OFFICE, count, _asking(process, count)) if process else None


@contextlib.contextmanager
def _in_two_processes(name: str, arguments: list[str], worker_arguments: list[str]) -> Iterator[Child | None]:
    """An application that fills a table, and the worker that empties it."""
    python = environment.python()
    if python is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix=f"postroom-bench-{name}-"))
    source = PEERS / name
    database = str(folder / "mail.db")
    try:
        with driver([python, source / "application.py", database, *arguments], cwd=folder) as process:
            with (folder / "log").open("wb") as log:
                worker = subprocess.Popen(
                    [python, source / "worker.py", database, *worker_arguments],
                    cwd=folder, stdout=log, stderr=log,
                )  # fmt: skip
            try:
                yield process
            except RuntimeError:
                print((folder / "log").read_text(errors="replace")[-2000:], file=sys.stderr)
                raise
            finally:
                end(worker)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _asking(process: Child, count: int) -> Callable[[int], float]:
    def send(first: int) -> float:
        return float(process.ask(pattern=mails.pattern(), first=first, mails=count)["began"])

    return send
