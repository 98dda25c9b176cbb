"""A server in this process whose clock leaps: its own over SQLite, the database's over PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from unittest import mock

from acceptance.world import LeapingClock, World, serving
from faults.ledger import Ledger
from faults.sink import Sink
from postroom_server import assembly, outbound
from postroom_server.clock import Millis, SteeredClock
from postroom_server.delivery import worker
from postroom_server.store.time import database_now


class FollowingClock(SteeredClock, LeapingClock):
    """Of a process that goes by a database's clock, which is the one that leaps."""

    def __init__(self) -> None:
        LeapingClock.__init__(self)
        SteeredClock.__init__(self)

    def database_now(self) -> Millis:
        return database_now() + self.ahead


@contextlib.asynccontextmanager
async def leaping(database: str, sinks: Sequence[Sink]) -> AsyncIterator[tuple[World, Ledger]]:
    clock = FollowingClock() if database.startswith("postgresql") else LeapingClock()
    async with contextlib.AsyncExitStack() as stack:
        if isinstance(clock, FollowingClock):
            for module in (assembly, outbound, worker):
                stack.enter_context(mock.patch.object(module, "database_now", clock.database_now))
        world = await stack.enter_async_context(
            serving(database, "socket", clock=clock, drain_seconds=30, log_level="warning")
        )
        await world.furnish()
        for sink in sinks:
            await world.add_server(sink.port)
        yield world, Ledger([world], sinks)
