"""What the layers cost: an echo over bare grpc.aio, over grpc.aio within all layers, over LocalChannel.

`python bench/layers.py [--rounds N]`. The server runs in a process of its own; the cases take turns within
one run, and only the ratios of one run mean anything.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import logging
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any

import grpc
import grpc.aio
import prometheus_client
import structlog
import uvloop
from google.protobuf.wrappers_pb2 import StringValue

from postroom_server.clock import Clock
from postroom_server.mail.caller import Caller, Scope
from postroom_server.rpc.in_flight import InFlight
from postroom_server.rpc.limits import Limits
from postroom_server.rpc.listener import ListenerSettings
from postroom_server.rpc.local_channel import LocalChannel
from postroom_server.rpc.metrics import Metrics
from postroom_server.rpc.services import Services
from postroom_server.rpc.stack import stack

ECHO = "/bench.Echo/Echo"
METADATA = (("authorization", "Bearer bench"),)
IN_FLIGHT = 32
CALLS = 1600
CALLER = Caller(1, 1, "bench", frozenset({Scope.SEND}))


async def echo(request: StringValue, _context: Any) -> StringValue:
    return request


def handlers() -> dict[str, Any]:
    return {
        "Echo": grpc.unary_unary_rpc_method_handler(
            echo,
            request_deserializer=StringValue.FromString,
            response_serializer=StringValue.SerializeToString,
        )
    }


async def authenticate(_token: str) -> Caller | None:
    return CALLER


def services(*, layered: bool) -> Services:
    clock = Clock()
    layers = stack(
        clock=clock,
        metrics=Metrics(prometheus_client.CollectorRegistry()),
        in_flight=InFlight(),
        authenticate=authenticate,
        scopes={ECHO: Scope.SEND},
    )
    made = Services(layers if layered else ())
    made.add_registered_method_handlers("bench.Echo", handlers())
    return made


def log_at(level: int) -> None:
    """Renders lines as JSON into memory, or drops them by level."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=io.StringIO()),
    )


def serve(pipe: Connection) -> None:
    async def run() -> None:
        servers, ports = [], {}
        for name, level in (("bare", None), ("layers", logging.WARNING), ("layers + log line", logging.INFO)):
            log_at(level or logging.WARNING)
            plain = grpc.method_handlers_generic_handler("bench.Echo", handlers())
            server = grpc.aio.server(
                handlers=[plain if level is None else services(layered=True)],
                options=ListenerSettings(limits=Limits()).options(),
            )
            ports[name] = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            servers.append(server)
        pipe.send(ports)
        await asyncio.to_thread(pipe.recv)
        for server in servers:
            await server.stop(None)

    uvloop.run(run())


async def per_call(call: Callable[..., Awaitable[Any]]) -> float:
    async def worker() -> None:
        for _ in range(CALLS // IN_FLIGHT):
            await call(StringValue(value="x" * 100), metadata=METADATA)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return (time.perf_counter() - began) / CALLS * 1e6


def stub(channel: grpc.aio.Channel) -> Callable[..., Awaitable[Any]]:
    return channel.unary_unary(
        ECHO,
        request_serializer=StringValue.SerializeToString,
        response_deserializer=StringValue.FromString,
    )


async def measure(ports: dict[str, int], rounds: int) -> dict[str, list[float]]:
    log_at(logging.WARNING)
    channels: dict[str, grpc.aio.Channel] = {
        name: grpc.aio.insecure_channel(f"127.0.0.1:{port}") for name, port in ports.items()
    }
    channels["LocalChannel"] = LocalChannel(services(layered=True))
    channels["LocalChannel, no layers"] = LocalChannel(services(layered=False))
    stubs = {name: stub(channel) for name, channel in channels.items()}
    for call in stubs.values():
        await per_call(call)
    times: dict[str, list[float]] = {name: [] for name in stubs}
    for _ in range(rounds):
        for name, call in stubs.items():
            times[name].append(await per_call(call))
    for channel in channels.values():
        await channel.close()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(theirs,))
    process.start()
    times = uvloop.run(measure(ours.recv(), rounds))
    ours.send(None)
    process.join()
    print(f"{'case':26}{'µs/call':>9}{'of bare':>9}   ({rounds} rounds, {IN_FLIGHT} in flight, medians)")
    for name, values in times.items():
        ratio = statistics.median(a / b for a, b in zip(values, times["bare"], strict=True))
        print(f"{name:26}{statistics.median(values):9.1f}{ratio:9.2f}")


if __name__ == "__main__":
    main()
