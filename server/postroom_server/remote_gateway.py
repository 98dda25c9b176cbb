"""A process that is a REST gateway and nothing else: in front of servers elsewhere, without a database."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import grpc
import grpc.aio
import structlog

from postroom_server.clock import Clock
from postroom_server.exposition import new_registry
from postroom_server.gateway.serving import HttpListener
from postroom_server.rest import http_settings, serve_rest
from postroom_server.rpc.endpoint import ConfigurationError
from postroom_server.settings import Settings
from postroom_server.stopping import stopping_on_signals

log = structlog.get_logger()

_MAX_BYTES = 26 << 20
_OPTIONS = [
    ("grpc.max_send_message_length", _MAX_BYTES),
    ("grpc.max_receive_message_length", _MAX_BYTES),
    ("grpc.enable_http_proxy", 0),
    # A name with several addresses is several servers: calls are spread over those that answer.
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    # A server that was away is found again soon. It lets clients ping twice a minute.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """The server behind the gateway. Without `credentials` it is spoken to in plaintext."""

    address: str
    credentials: grpc.ChannelCredentials | None = None
    why_unreachable: Callable[[], str] = str

    def open(self) -> grpc.aio.Channel:
        if self.credentials is None:
            return grpc.aio.insecure_channel(self.address, _OPTIONS)
        return grpc.aio.secure_channel(self.address, self.credentials, _OPTIONS)


async def serve_gateway(
    settings: Settings, target: Target, *, on_ready: Callable[[HttpListener], None] = lambda _: None
) -> None:
    """Runs a gateway until SIGTERM or SIGINT, then drains it. Raises ConfigurationError before it serves."""
    told_to_stop = asyncio.Event()
    with stopping_on_signals(told_to_stop):
        async with running_gateway(settings, target) as listener:
            on_ready(listener)
            await told_to_stop.wait()
            log.info("draining")


@contextlib.asynccontextmanager
async def running_gateway(settings: Settings, target: Target) -> AsyncIterator[HttpListener]:
    """A gateway for as long as the context lasts; leaving it drains."""
    if not settings.http_address:
        raise ConfigurationError("a gateway without http_address serves nobody")
    http = http_settings(settings)
    async with target.open() as channel:
        listener = await serve_rest(settings, http, channel, new_registry(), clock=Clock(), is_remote=True)
        watching = asyncio.create_task(_tell_reachability(channel, target))
        try:
            yield listener
        finally:
            watching.cancel()
            await listener.drain(timedelta(seconds=settings.drain_seconds))
            await asyncio.wait([watching])


async def _tell_reachability(channel: grpc.aio.Channel, target: Target) -> None:
    """Logs why the server cannot be reached, and when it can be again: a line for each change."""
    told = ""
    while True:
        state = channel.get_state(try_to_connect=True)
        if state is grpc.ChannelConnectivity.READY and told:
            told = ""
            log.info("server_reached", target=target.address)
        elif state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            why = await asyncio.to_thread(target.why_unreachable)
            if why and why != told:
                told = why
                log.warning("server_unreachable", target=target.address, why=why)
        await channel.wait_for_state_change(state)
