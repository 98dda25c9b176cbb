"""`postroom serve` as processes that can be killed, stopped, starved and started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import grpc.aio

from acceptance.world import DATA_KEY, Client, serving, until
from faults.ledger import AGAIN, PATIENCE, Ledger, wait_for
from faults.sink import Sink
from postroom_server.clock import Clock
from postroom_server.failpoints import VARIABLE

POSTROOM = Path(sys.executable).with_name("postroom")
# A process that beats three times a second is taken for dead after two seconds and a half.
BESIDE = {"POSTROOM_SENDER_PROCESS": "always"}
QUICK = {"POSTROOM_BEAT_SECONDS": "0.3", "POSTROOM_DEAD_AFTER_SECONDS": "2.5"}


def environment(database: str, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    return {
        **inherited,
        "POSTROOM_DATABASE_URL": database,
        "POSTROOM_DATA_KEY": DATA_KEY,
        "POSTROOM_METRICS_ADDRESS": "",
        "POSTROOM_HTTP_ADDRESS": "",
        "POSTROOM_POLL_MS": "20",
        "POSTROOM_LOG_LEVEL": "warning",
        **QUICK,
        **settings,
    }


def free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


class Process:
    """One server on a port of its own, which it keeps when it is started again."""

    def __init__(self, folder: Path, database: str, token: str, name: str = "log", **settings: str) -> None:
        self._folder = folder
        self._log = folder / name
        self.address = free_address()
        self._environment = environment(database, POSTROOM_GRPC_ADDRESS=self.address, **settings)
        self._running: subprocess.Popen[bytes] | None = None
        # A channel that finds nobody would wait longer and longer before it asks again.
        hasty = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
        self.channel = grpc.aio.insecure_channel(self.address, options=hasty)
        self.client = Client(self.channel, Clock(), token)

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    @property
    def sender_pids(self) -> list[int]:
        """Of the senders beside it that live."""
        try:
            tasks = list(Path(f"/proc/{self.pid}/task").iterdir())
            return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
        except OSError:
            return []  # it is gone, or one of its threads is

    @property
    def is_running(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def launch(self, failpoints: str = "") -> None:
        """Starts it and does not wait until it answers."""
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                [POSTROOM, "serve"],
                cwd=self._folder,
                env={**self._environment, VARIABLE: failpoints},
                stdout=log,
                stderr=log,
            )

    async def start(self, failpoints: str = "") -> None:
        self.launch(failpoints)
        async with asyncio.timeout(PATIENCE):
            await self._until_it_answers()

    async def start_towards_a_stop(self, failpoints: str) -> None:
        """Starts it, and waits until it answers or stands still: it may have mail to rescue."""
        self.launch(failpoints)
        answering = asyncio.create_task(self._until_it_answers())
        await wait_for(lambda: answering.done() or self._stands_still(), PATIENCE)
        answering.cancel()
        await asyncio.wait([answering])

    async def _until_it_answers(self) -> None:
        await self.channel.channel_ready()
        # The channel may still believe in the process before.
        await until(self._answers)

    def _stands_still(self) -> bool:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    async def until_gone(self, seconds: float) -> bool:
        """Whether it ended by itself in so many seconds."""
        with contextlib.suppress(TimeoutError):
            await wait_for(lambda: not self.is_running, seconds)
        return not self.is_running

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self._wait()

    async def stop(self) -> int:
        """Its exit code. Meanwhile its mail is answered by whoever runs in this event loop."""
        self.signal(signal.SIGTERM)
        return await asyncio.to_thread(self._wait)

    def signal(self, number: int) -> None:
        assert self._running is not None
        self._running.send_signal(number)
        if number == signal.SIGCONT:
            # A failpoint in a sender stops both.
            for pid in self.sender_pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    async def close(self) -> None:
        if self._running is not None:
            self.kill()
        await self.channel.close()

    def _wait(self) -> int:
        assert self._running is not None
        return self._running.wait(PATIENCE)

    async def _answers(self) -> bool:
        try:
            await self.client.get(1)
        except grpc.aio.AioRpcError as error:
            return error.code() not in AGAIN
        return True


@contextlib.asynccontextmanager
async def processes(
    folder: Path, database: str, sinks: Sequence[Sink], count: int = 1, *, through: str = "", **settings: str
) -> AsyncIterator[list[Process]]:
    """So many processes, started, over a database that knows a token and the sinks as its mail servers.

    `through` is another way to the same database, and the processes take that.
    """
    async with serving(database) as world:
        await world.furnish()
        for sink in sinks:
            await world.add_server(sink.port)
        token = world.token
    way = through or database
    made = [Process(folder, way, token, f"log-{number}", **settings) for number in range(count)]
    try:
        for process in made:
            await process.start()
        yield made
    finally:
        for process in made:
            await process.close()


@contextlib.asynccontextmanager
async def watched(
    folder: Path, database: str, count: int = 1, *, through: str = "", **settings: str
) -> AsyncIterator[tuple[list[Process], Sink, Ledger]]:
    """Processes that hand their mail to one sink, and the ledger of both."""
    async with (
        Sink() as sink,
        processes(folder, database, [sink], count, through=through, **settings) as made,
    ):
        yield made, sink, Ledger([process.client for process in made], [sink])
