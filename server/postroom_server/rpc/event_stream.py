"""Carries events to one reader for as long as it listens.

Nothing is queued: a page of events is read, written message by message, and only then the next is read. A
reader that takes no message for `stall` is dropped, and goes on from the last cursor it saw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from postroom.v1 import email_service_pb2
from postroom_server.clock import Clock
from postroom_server.mail.events import Events, Watch
from postroom_server.refusals import Reason, Refusal
from postroom_server.rpc.convert.events import event_response, heartbeat_response
from postroom_server.store.unit import Store

_PAGE = 200
# A revoked token ends within seconds (security.md E1), its streams too.
RECOGNISE_SECONDS = 1.0
Write = Callable[[email_service_pb2.WatchEventsResponse], Awaitable[None]]


class Bell:
    """Wakes readers before their next poll. Rung on the loop: from threads by `call_soon_threadsafe`."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Returns when the bell is rung, at the latest after `seconds`."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await asyncio.wait([waiter], timeout=seconds)
        finally:
            self._waiting.discard(waiter)


class EventStream:
    """What it costs to listen: one read each `poll`, and one page of events."""

    def __init__(
        self,
        store: Store,
        events: Events,
        clock: Clock,
        *,
        is_in_force: Callable[[str], Awaitable[bool]],
        bell: Bell | None = None,
        poll: timedelta = timedelta(milliseconds=250),
        stall: timedelta = timedelta(seconds=30),
    ) -> None:
        self._store = store
        self._events = events
        self._clock = clock
        self._is_in_force = is_in_force
        self._bell = bell or Bell()
        self._poll = poll.total_seconds()
        self._stall = stall.total_seconds()

    async def run(self, tenant_id: int, watch: Watch, write: Write, credential: str) -> None:
        """Writes events and signs of life until it is cancelled, its reader stalls or its token ends."""
        loop = asyncio.get_running_loop()
        position = watch.position
        if position is None:
            position = await self._store.read(self._events.end, tenant_id)
        silent_from = float("-inf")  # the first sign of life goes out at once
        checked_at = loop.time()
        while True:
            if loop.time() - checked_at >= RECOGNISE_SECONDS:
                await self._refuse_ended(credential)
                checked_at = loop.time()
            if loop.time() - silent_from >= watch.heartbeat / 1000:
                cursor = self._events.cursors.write(position)
                await self._write(write, heartbeat_response(cursor, self._clock.now()))
                silent_from = loop.time()
            batch = await self._store.read(self._events.read, tenant_id, position, _PAGE, watch.wanted)
            for record in batch.events:
                await self._write(write, event_response(record))
                silent_from = loop.time()
            position = batch.position
            if batch.at_end:
                until_heartbeat = silent_from + watch.heartbeat / 1000 - loop.time()
                await self._bell.wait(max(0.0, min(self._poll, until_heartbeat)))

    async def _refuse_ended(self, credential: str) -> None:
        if not await self._is_in_force(credential):
            raise Refusal(Reason.TOKEN_INVALID, "the token was revoked or has expired")

    async def _write(self, write: Write, message: email_service_pb2.WatchEventsResponse) -> None:
        try:
            async with asyncio.timeout(self._stall):
                await write(message)
        except TimeoutError:
            raise Refusal(
                Reason.READER_TOO_SLOW,
                f"no message was taken for {self._stall:g} s; go on from the last cursor that arrived",
            ) from None
