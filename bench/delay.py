"""A round trip of so many milliseconds: a proxy that hands on each byte half of it later, both ways.

    python bench/delay.py PORT [--round-trip-ms 20]

Prints the port it listens on. A process of its own; bytes keep their order and their spacing, as on a long
line that is never full. What closes one side closes the other, as late.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, cast

import uvloop


class End(asyncio.Protocol):
    """One side of a connection; what it hears leaves at the other side after the delay."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._is_over = False
        self.other: End

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.writelines(self._early)
        if self._is_over:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._loop.call_later(self._seconds, self.other.say, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._loop.call_later(self._seconds, self.other.end)

    def say(self, data: bytes) -> None:
        if self._transport is None:
            self._early.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def end(self) -> None:
        self._is_over = True
        if self._transport is not None:
            self._transport.close()


class Front(End):
    """The side that clients connect to: opens a connection to the real server for each of them."""

    def __init__(self, port: int, seconds: float) -> None:
        super().__init__(seconds)
        self._port = port
        self._dialling: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.other = End(self._seconds)
        self.other.other = self
        self._dialling = asyncio.create_task(self._dial())

    async def _dial(self) -> None:
        try:
            await self._loop.create_connection(lambda: self.other, "127.0.0.1", self._port)
        except OSError:
            self.end()


async def serve(port: int, seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Front(port, seconds / 2), "127.0.0.1", 0, backlog=1000
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def delayed(port: int, round_trip_ms: float) -> Iterator[int]:
    """The port of a proxy to `port`, while its process lives."""
    command = [sys.executable, __file__, str(port), "--round-trip-ms", str(round_trip_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description="a round trip between a client and a server")
    parser.add_argument("port", type=int)
    parser.add_argument("--round-trip-ms", type=float, default=20.0)
    options: Any = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options.port, options.round_trip_ms / 1000))


if __name__ == "__main__":
    main()
