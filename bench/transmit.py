"""Transmitting: CPU per mail and mails per second of our SMTP client, beside aiosmtplib, to the same sink.

    python bench/transmit.py [--mails 8000] [--rounds 5] [--connections 16] [--round-trip-ms 20]

The sink is a process of its own, speaks over loopback and forgets what it hears. The rounds take turns, so
that a busy neighbour troubles all alike; medians are printed. Read the ratios, they hold for this run.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

import aiosmtplib
import uvloop

from postroom_server.smtp import Endpoint, Envelope, Level, Pool, TlsMode

LINE = b"All the bits that fit, and a few that were meant to be somewhere else.\r\n"
MESSAGE = b"From: <me@bench.test>\r\nTo: <you@bench.test>\r\nSubject: bench\r\n\r\n" + LINE * 82  # about 6 KB
SENDER, RECIPIENT = "me@bench.test", "you@bench.test"


class Sink(asyncio.Protocol):
    """Takes everything. Answers what came in one piece with one piece, after the round trip asked for."""

    GREETING = b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n"

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.rest = b""
        self.in_message = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        transport.write(b"220 sink.test\r\n")

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        answers = []
        while data:
            if self.in_message:
                end = data.find(b"\r\n.\r\n")
                if end < 0:
                    break
                data = data[end + 5 :]
                self.in_message = False
                answers.append(b"250 2.0.0 taken\r\n")
                continue
            line, newline, behind = data.partition(b"\n")
            if not newline:
                break
            data = behind
            verb = line[:4].upper()
            self.in_message = verb == b"DATA"
            answers.append(
                self.GREETING
                if verb == b"EHLO"
                else b"354 go\r\n"
                if self.in_message
                else b"250 2.1.0 ok\r\n"
            )
        self.rest = data
        if answers and self.delay:
            asyncio.get_running_loop().call_later(self.delay, self.answer, b"".join(answers))
        elif answers:
            self.answer(b"".join(answers))

    def answer(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)


async def serve_sink(delay: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Sink(delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def sink(delay: float) -> Iterator[int]:
    """A sink's port, while its process lives."""
    command = [sys.executable, __file__, "--sink", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def with_postroom(port: int, mails: int, connections: int) -> None:
    pool = Pool()
    endpoint = Endpoint("127.0.0.1", port, tls=TlsMode.OFF, max_messages=mails)
    left = iter(range(mails))

    async def marked() -> bool:
        return True

    def following() -> Envelope | None:
        # A new envelope for each mail, as the engine makes one: its checks belong to the cost.
        return next((Envelope(SENDER, (RECIPIENT,), MESSAGE) for _ in left), None)

    async def work() -> None:
        loan = pool.loan(1)
        ahead: collections.deque[Envelope] = collections.deque()

        def ask() -> Envelope | None:
            if (envelope := following()) is not None:
                ahead.append(envelope)
            return envelope

        while (envelope := ahead.popleft() if ahead else following()) is not None:
            transaction = await loan.send(endpoint, envelope, marked, following=ask)
            assert transaction.level is Level.NONE
        loan.give_back()

    await asyncio.gather(*(work() for _ in range(connections)))
    await pool.close(grace=1)


async def with_aiosmtplib(port: int, mails: int, connections: int) -> None:
    left = iter(range(mails))

    async def work() -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False)
        await client.connect()
        for _ in left:
            await client.sendmail(SENDER, [RECIPIENT], MESSAGE)
        client.close()

    await asyncio.gather(*(work() for _ in range(connections)))


Client = Callable[[int, int, int], Awaitable[None]]
CLIENTS: dict[str, tuple[Client, Callable[[], asyncio.AbstractEventLoop]]] = {
    "postroom on uvloop": (with_postroom, uvloop.new_event_loop),
    "postroom on asyncio": (with_postroom, asyncio.new_event_loop),
    "aiosmtplib on uvloop": (with_aiosmtplib, uvloop.new_event_loop),
    "aiosmtplib on asyncio": (with_aiosmtplib, asyncio.new_event_loop),
}


def measure(name: str, port: int, mails: int, connections: int) -> tuple[float, float]:
    """Microseconds of this process's CPU per mail, and mails per second."""
    client, new_loop = CLIENTS[name]

    async def run() -> tuple[float, float]:
        await client(port, connections * 5, connections)  # warm up
        cpu, wall = time.process_time(), time.perf_counter()
        await client(port, mails, connections)
        return (time.process_time() - cpu) / mails * 1e6, mails / (time.perf_counter() - wall)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run())


def compare(title: str, port: int, mails: int, connections: int, rounds: int) -> None:
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in CLIENTS}
    for _ in range(rounds):
        for name, measured in figures.items():
            measured.append(measure(name, port, mails, connections))
    cpu = {name: statistics.median(m[0] for m in measured) for name, measured in figures.items()}
    rate = {name: statistics.median(m[1] for m in measured) for name, measured in figures.items()}
    print(f"\n{title}: {mails} mails of {len(MESSAGE)} bytes, {connections} connections, {rounds} rounds")
    print(f"{'':24}{'CPU µs/mail':>12}{'mails/s':>10}{'CPU ratio':>11}{'rate ratio':>11}")
    for name in CLIENTS:
        beside = "aiosmtplib on uvloop"
        ratios = f"{cpu[name] / cpu[beside]:11.2f}{rate[name] / rate[beside]:11.2f}"
        print(f"{name:24}{cpu[name]:12.0f}{rate[name]:10.0f}{ratios}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--mails", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--round-trip-ms", type=float, default=20.0)
    parser.add_argument("--sink", type=float, metavar="SECONDS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sink is not None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_sink(options.sink))
        return
    print(
        f"{platform.python_implementation()} {platform.python_version()}; ratios are to aiosmtplib on uvloop"
    )
    with sink(0.0) as port:
        compare("No round trip", port, options.mails, options.connections, options.rounds)
    delay = options.round_trip_ms / 1000
    with sink(delay) as port:
        mails = max(options.connections, options.mails // 8)
        compare(f"{options.round_trip_ms:g} ms round trip", port, mails, options.connections, options.rounds)


if __name__ == "__main__":
    main()
