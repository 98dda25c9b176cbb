"""The HTTP socket: uvicorn's connections in the loop that runs already, with TLS and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
from datetime import timedelta
from email.utils import formatdate

from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.server import ServerState

from postroom_server.gateway.connection import Bounds, Connection

# How long a finished answer may take to leave once nothing else is under way.
_FLUSH = 1.0
_HANDSHAKE_SECONDS = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Port 0 takes a free one; without `tls` it is plaintext."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    bounds: Bounds = dataclasses.field(default_factory=Bounds)


class HttpListener:
    """Serves an application on one address."""

    def __init__(self, application: ASGIApp, settings: HttpSettings) -> None:
        self._settings = settings
        self._state = ServerState()
        self._config = Config(
            application,
            http=Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._server: asyncio.Server | None = None
        self._dating: asyncio.TimerHandle | None = None
        self.port = 0

    @property
    def connections(self) -> int:
        return len(self._state.connections)

    async def start(self) -> None:
        """Binds and serves. Raises OSError where that is not possible."""
        self._config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._connection,
            self._settings.host,
            self._settings.port,
            ssl=self._settings.tls,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._settings.tls else None,
            backlog=2048,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._date()

    async def drain(self, limit: timedelta) -> bool:
        """Takes no new requests and finishes those under way; False when `limit` cut some off."""
        if self._server is None:
            return True
        await self._take_no_more(self._server)
        self._server.close()
        for connection in tuple(self._state.connections):
            connection.shutdown()
        in_time = await self._wait_idle(limit)
        for task in self._state.tasks:
            task.cancel()
        await self._flush()
        if self._dating is not None:
            self._dating.cancel()
        return in_time

    async def _take_no_more(self, server: asyncio.Server) -> None:
        """Lets those in who have knocked: Python loses whom it takes in while its server closes."""
        loop = asyncio.get_running_loop()
        for listening in server.sockets:
            loop.remove_reader(listening.fileno())
        for _ in range(4):
            await asyncio.sleep(0)

    def _connection(self) -> Connection:
        return Connection(self._settings.bounds, config=self._config, server_state=self._state, app_state={})

    async def _wait_idle(self, limit: timedelta) -> bool:
        try:
            async with asyncio.timeout(limit.total_seconds()):
                # A connection with pipelined requests starts the next one when one is done.
                while tasks := tuple(self._state.tasks):
                    await asyncio.wait(tasks)
        except TimeoutError:
            return False
        return True

    async def _flush(self) -> None:
        """Lets connections that are closing write what they have; then none is left."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _FLUSH
        while self._state.connections and loop.time() < end:  # noqa: ASYNC110 - they report to nobody
            await asyncio.sleep(0.01)
        for connection in tuple(self._state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        if self._server is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH):
                    await self._server.wait_closed()

    def _date(self) -> None:
        # Uvicorn's own server does this; every answer takes its headers from there.
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        self._dating = asyncio.get_running_loop().call_later(1.0, self._date)
