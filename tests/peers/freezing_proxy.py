"""A line to PostgreSQL that stands still when told to, without an error on either side, and goes on later."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.parse
from typing import Self


class FreezingProxy:
    """Stands between a process and PostgreSQL on a Unix socket."""

    def __init__(self, database: str) -> None:
        parts = urllib.parse.urlsplit(database)
        self._socket = f"{urllib.parse.parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._name = parts.path
        self._tasks: set[asyncio.Task[None]] = set()
        self._moves = asyncio.Event()
        self._moves.set()

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://postgres@127.0.0.1:{port}{self._name}?sslmode=disable"

    def freeze(self) -> None:
        self._moves.clear()

    def go_on(self) -> None:
        self._moves.set()

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
        back_reader, back_writer = await asyncio.open_unix_connection(self._socket)
        try:
            await asyncio.gather(self._pump(reader, back_writer), self._pump(back_reader, writer))
        finally:
            writer.transport.abort()
            back_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._moves.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
