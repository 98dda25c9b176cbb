"""A line to PostgreSQL on which a test sees, holds or cuts what is said."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.parse
from collections.abc import Awaitable, Callable
from typing import Self


class Cut(Exception):  # noqa: N818 - named after what happens
    """Ends the connection on both sides; what was just said is not passed on."""


class PostgresqlLine:
    """Stands between a process and PostgreSQL on a Unix socket, and passes on what both say."""

    def __init__(self, database: str) -> None:
        parts = urllib.parse.urlsplit(database)
        self._socket = f"{urllib.parse.parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._name = parts.path
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://postgres@127.0.0.1:{port}{self._name}?sslmode=disable"

    async def asked(self, data: bytes) -> None:
        """Is told what the process says, before PostgreSQL is. May raise Cut."""

    async def answered(self, data: bytes) -> None:
        """Is told what PostgreSQL says, before the process is. May raise Cut."""

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
        # Either side may go away, and whoever is still here when the line ends is let go.
        with contextlib.suppress(Cut, OSError, asyncio.CancelledError), contextlib.ExitStack() as ends:
            ends.callback(writer.transport.abort)
            back_reader, back_writer = await asyncio.open_unix_connection(self._socket)
            ends.callback(back_writer.transport.abort)
            await asyncio.gather(
                _pump(reader, back_writer, self.asked), _pump(back_reader, writer, self.answered)
            )


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: Callable[[bytes], Awaitable[None]]
) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            await told(data)
            writer.write(data)
            await writer.drain()
    writer.close()
