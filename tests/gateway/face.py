"""A face for tests of HTTP itself: an application of theirs on a real socket, with bounds they choose."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import grpc.aio
import prometheus_client
from starlette.requests import Request
from starlette.responses import Response

from postroom_server.gateway.application import Application
from postroom_server.gateway.body import BodyError, BodyFault, read_body
from postroom_server.gateway.connection import Bounds
from postroom_server.gateway.metrics import Metrics
from postroom_server.gateway.pages import Pages
from postroom_server.gateway.plain import PlainJson, refusal
from postroom_server.gateway.proxies import TrustedProxies
from postroom_server.gateway.serving import HttpListener, HttpSettings

Dialect = Callable[[Request], Awaitable[Response]]


async def echo(request: Request) -> Response:
    """Tells what has arrived: the least that a dialect does."""
    try:
        body = await read_body(request, limit=1 << 20, seconds=0.3)
    except BodyError as error:
        return refusal(413 if error.kind is BodyFault.TOO_LARGE else 400, str(error))
    return PlainJson(
        {
            "method": request.method,
            "path": request.url.path,
            "query": request.scope["query_string"].decode(),
            "client": request.scope["client"][0],
            "body": body.decode("latin-1") if len(body) < 1000 else len(body),
        }
    )


@contextlib.asynccontextmanager
async def listening(
    dialect: Dialect = echo,
    *,
    bounds: Bounds | None = None,
    tls: ssl.SSLContext | None = None,
    proxies: tuple[str, ...] = (),
    logs_everything: bool = False,
) -> AsyncIterator[HttpListener]:
    """`dialect` below /api, on a port of its own."""
    async with grpc.aio.insecure_channel("127.0.0.1:1") as nobody:
        metrics = Metrics(prometheus_client.CollectorRegistry())
        application = Application(
            {"api": dialect},
            Pages(
                nobody,
                metrics,
                {"info": {"title": "", "version": "", "description": ""}, "tags": [], "paths": {}},
            ),
            metrics,
            proxies=TrustedProxies(proxies),
            logs_everything=logs_everything,
        )
        listener = HttpListener(
            application, HttpSettings(host="127.0.0.1", port=0, tls=tls, bounds=bounds or Bounds())
        )
        await listener.start()
        try:
            yield listener
        finally:
            await listener.drain(timedelta(seconds=1))


class Gate:
    """A dialect that answers when it is told to."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        self.entered.set()
        await self.open.wait()
        return PlainJson({"path": request.url.path})
