"""A line to PostgreSQL that is cut in the worst moment: after the COMMIT was sent, before its answer."""

from __future__ import annotations

import asyncio
import contextlib
import random
import urllib.parse
from typing import Self

# What PostgreSQL answers when it has committed: CommandComplete, its length, and the tag.
_COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"


class CuttingProxy:
    """Stands between a process and PostgreSQL on a Unix socket. `share` of the commits lose their answer."""

    def __init__(self, database: str, chance: random.Random) -> None:
        parts = urllib.parse.urlsplit(database)
        self._socket = f"{urllib.parse.parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._name = parts.path
        self._chance = chance
        self._tasks: set[asyncio.Task[None]] = set()
        self.share = 0.0
        self.cuts = 0

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://postgres@127.0.0.1:{port}{self._name}?sslmode=disable"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):  # it ends with the proxy
            back_reader, back_writer = await asyncio.open_unix_connection(self._socket)
            asking = asyncio.create_task(_pump(reader, back_writer))
            try:
                while data := await back_reader.read(65536):
                    if _COMMITTED in data and self._chance.random() < self.share:
                        # It is committed, and whoever asked for it will never know.
                        self.cuts += 1
                        break
                    writer.write(data)
                    await writer.drain()
            finally:
                asking.cancel()
                writer.transport.abort()
                back_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
