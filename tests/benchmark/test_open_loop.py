"""Latency is counted from when a call was meant to begin, whatever the server does meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
from bench import schedule
from bench.grpc_load import open_loop

_METHOD = "/bench.Slow/Call"


class _Slow:
    """Answers after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.most = 0
        self._now = 0

    async def call(self, request: bytes, _context: Any) -> bytes:
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(self._seconds)
        self._now -= 1
        return b""


async def _loaded(slow: _Slow, **asked: Any) -> dict[str, Any]:
    server = grpc.aio.server()
    handlers = {"Call": grpc.unary_unary_rpc_method_handler(slow.call)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("bench.Slow", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        return await open_loop(
            {"target": f"127.0.0.1:{port}", "token": "x", "method": _METHOD, "first": 1_000_000, **asked}
        )
    finally:
        await server.stop(None)


async def test_calls_begin_by_the_timetable_though_nobody_was_answered_yet() -> None:
    slow = _Slow(0.4)

    told = await _loaded(slow, rate=50.0, seconds=0.3, seed=1)

    # A closed loop would have one call at a time here, or as many as it has workers.
    assert slow.most == len(schedule.arrivals(50.0, 0.3, 1)) > 5
    assert len(told["waited"]) == slow.most
    assert min(told["waited"]) >= 0.4


async def test_the_moments_meant_are_those_of_the_timetable() -> None:
    told = await _loaded(_Slow(0.0), rate=100.0, seconds=0.2, seed=2)
    plan = schedule.arrivals(100.0, 0.2, 2)

    spacing = [at - told["meant"][0] for at in told["meant"]]

    assert all(abs(a - (b - plan[0])) < 1e-6 for a, b in zip(spacing, plan, strict=True))
