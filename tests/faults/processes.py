"""`postroom serve` as a process that can be killed, and a ledger of its promises, kept outside of it."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2

from acceptance.world import DATA_KEY, Client, mail, parsed, serving, until
from peers.smtp_peer import SmtpPeer
from postroom.v1 import email_pb2
from postroom_server.clock import Clock

POSTROOM = Path(sys.executable).with_name("postroom")
PATIENCE = 60.0
# A call that meets a socket in the moment of its closing is CANCELLED, by gRPC's core itself.
AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
# A process that beats every half second is taken for dead after four.
QUICK = {"POSTROOM_BEAT_SECONDS": "0.5", "POSTROOM_DEAD_AFTER_SECONDS": "4"}


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


class Process:
    """One server on a port of its own, which it keeps when it is started again."""

    def __init__(self, folder: Path, database: str, token: str) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self._environment = environment(database, POSTROOM_GRPC_ADDRESS=self.address)
        self._running: subprocess.Popen[bytes] | None = None
        # A channel that finds nobody would wait longer and longer before it asks again.
        hasty = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
        self.channel = grpc.aio.insecure_channel(self.address, options=hasty)
        self.client = Client(self.channel, Clock(), token)

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    async def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._running = subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond
                [POSTROOM, "serve"], cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        async with asyncio.timeout(PATIENCE):
            await self.channel.channel_ready()
            # The channel may still believe in the process before.
            await until(self._answers)

    async def _answers(self) -> bool:
        try:
            await self.client.events()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False
        return True

    @property
    def is_running(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    async def stop(self) -> int:
        """Its exit code. Meanwhile its mail is answered by whoever runs in this event loop."""
        return await asyncio.to_thread(self._signal, signal.SIGTERM)

    async def close(self) -> None:
        self.kill()
        await self.channel.close()

    def _signal(self, number: int) -> int:
        assert self._running is not None
        self._running.send_signal(number)
        return self._running.wait(PATIENCE)


@contextlib.asynccontextmanager
async def furnished(folder: Path, database: str, peer: SmtpPeer) -> AsyncIterator[Process]:
    """A process, started, over a database that knows a token and the peer as its mail server."""
    async with serving(database) as world:
        await world.furnish()
        await world.add_server(peer.port)
        token = world.token
    process = Process(folder, database, token)
    try:
        await process.start()
        yield process
    finally:
        await process.close()


@dataclasses.dataclass
class Ledger:
    """What was answered OK, by subject, and what the peer received."""

    client: Client
    peer: SmtpPeer
    accepted: dict[str, int] = dataclasses.field(default_factory=dict)
    refusals: list[grpc.aio.AioRpcError] = dataclasses.field(default_factory=list)

    async def send(self, subject: str) -> None:
        """Sends one mail as a careful client does: again, with the same request_id, until it is answered."""
        request = mail(subject=subject, request_id=subject, to=[f"{subject}@example.com"])
        request.custom.text = "Hi"
        async with asyncio.timeout(PATIENCE):
            while subject not in self.accepted:
                try:
                    answer = await self.client.call("SendEmail", request)
                except grpc.aio.AioRpcError as error:
                    if error.code() not in AGAIN:
                        raise
                    self.refusals.append(error)
                    await asyncio.sleep(0.05)
                else:
                    self.accepted[subject] = answer.id

    async def send_until(self, told: asyncio.Event, name: str) -> None:
        for number in itertools.count():
            await self.send(f"{name}-{number}")
            if told.is_set():
                return

    async def balance(self) -> Balance:
        """Waits until everything accepted is settled, and counts."""
        emails = {
            subject: await self.client.once(
                email_id, lambda email: email.state != email_pb2.EMAIL_STATE_PENDING
            )
            for subject, email_id in self.accepted.items()
        }
        received = collections.Counter(str(parsed(message)["Subject"]) for message in self.peer.messages)
        return Balance(
            lost=[subject for subject in emails if not received[subject]],
            failed=[s for s, email in emails.items() if email.state != email_pb2.EMAIL_STATE_SUCCESS],
            duplicates=sum(received[subject] - 1 for subject in emails if received[subject]),
            unexplained=[s for s, email in emails.items() if received[s] > 1 + email.ambiguous_count],
            ambiguous=sum(email.ambiguous_count for email in emails.values()),
            strangers=sorted(set(received) - set(emails)),
        )


@dataclasses.dataclass(frozen=True)
class Balance:
    lost: list[str]
    failed: list[str]
    duplicates: int
    unexplained: list[str]
    ambiguous: int
    strangers: list[str]  # mails of which nobody was told that they were accepted

    def check(self) -> None:
        assert (self.lost, self.failed, self.unexplained) == ([], [], [])
        assert self.duplicates <= self.ambiguous


@contextlib.asynccontextmanager
async def traffic(ledger: Ledger, senders: int = 4) -> AsyncIterator[None]:
    """Mail from several senders for as long as the context lasts; each of them is answered before it ends."""
    told_to_stop = asyncio.Event()
    async with asyncio.TaskGroup() as sending:
        for number in range(senders):
            sending.create_task(ledger.send_until(told_to_stop, f"s{number}"))
        try:
            yield
        finally:
            told_to_stop.set()


def seeded() -> random.Random:
    """Other numbers on request: POSTROOM_TEST_SEED. A run prints its seed."""
    seed = int(os.environ.get("POSTROOM_TEST_SEED", "20261122"))
    print(f"seed {seed}")  # noqa: T201 - a failing run shows it
    return random.Random(seed)


def retry_after(error: grpc.aio.AioRpcError) -> float | None:
    """What RetryInfo says, in seconds; None without one."""
    packed = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if packed is None:
        return None
    retry = error_details_pb2.RetryInfo()
    for detail in status_pb2.Status.FromString(packed).details:
        if detail.Unpack(retry):
            return retry.retry_delay.ToTimedelta().total_seconds()
    return None
