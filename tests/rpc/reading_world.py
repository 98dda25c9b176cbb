"""The reading half of EmailService over a real store, reached through either transport."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import grpc.aio
import prometheus_client
import pytest

from fakes import ManualClock
from postroom.v1 import email_service_pb2_grpc
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.changes import Changes
from postroom_server.mail.cursor import Cursors
from postroom_server.mail.events import Events
from postroom_server.mail.limits import Limits
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.recipients import Recipients
from postroom_server.mail.records import Records
from postroom_server.rpc.email_reads import EmailReads
from postroom_server.rpc.event_stream import Bell, EventStream
from postroom_server.rpc.in_flight import InFlight
from postroom_server.rpc.listener import Listener, ListenerSettings
from postroom_server.rpc.local_channel import LocalChannel
from postroom_server.rpc.metrics import Metrics
from postroom_server.rpc.scope_table import SCOPES
from postroom_server.rpc.services import Services
from postroom_server.rpc.stack import stack
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.unit import Store

_BOTH = frozenset({Scope.READ, Scope.SEND})
CALLERS = {
    "one": Caller(1, 1, "one", _BOTH),
    "insider": Caller(1, 2, "insider", _BOTH | {Scope.READ_CONTENT}),
    "two": Caller(2, 3, "two", _BOTH),
    "platform": Caller(0, 4, "platform", _BOTH | {Scope.PLATFORM}),
}

# GetEmail's answer may exceed what clients take unless told otherwise: 4 MiB.
_ANY_SIZE = ("grpc.max_receive_message_length", -1)


class ReadingWorld:
    """`call("GetEmail", request)` answers as a client sees it; `noticed` is what an engine was told."""

    def __init__(self, opened: OpenDatabase) -> None:
        clock = ManualClock()
        self.clock = clock
        self.store: Store = opened.store
        self.cursors = Cursors(opened.stream_epoch)
        self.bell = Bell()
        self.in_flight = InFlight()
        self.noticed: list[tuple[list[int], str]] = []
        tokens = PageTokens(opened.key.derive("page-tokens"))
        events = Events(self.cursors)
        self.stream = EventStream(
            opened.store, events, clock, is_in_force=_is_in_force, bell=self.bell,
            poll=timedelta(milliseconds=20), stall=timedelta(milliseconds=300),
        )  # fmt: skip
        self.services = Services(
            stack(
                clock=clock,
                metrics=Metrics(prometheus_client.CollectorRegistry()),
                in_flight=self.in_flight,
                authenticate=_authenticate,
                scopes=SCOPES,
            )
        )
        self.services.add(
            email_service_pb2_grpc.add_EmailServiceServicer_to_server,
            EmailReads(  # type: ignore[abstract]
                opened.store, Records(tokens), Recipients(tokens), Changes(clock, Limits()), events,
                self.stream, notice_cancel=self._notice,
            ),
        )  # fmt: skip
        self.listener = Listener(self.services, self.in_flight, ListenerSettings(address="127.0.0.1:0"))
        self.channel: grpc.aio.Channel = LocalChannel(self.services)

    async def reach(self, transport: str) -> None:
        if transport == "socket":
            await self.listener.start()
            self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.listener.port}", options=[_ANY_SIZE])

    def call(self, method: str, request: Any, *, token: str = "one") -> Any:
        stub = email_service_pb2_grpc.EmailServiceStub(self.channel)
        return getattr(stub, method)(request, metadata=(("authorization", f"Bearer {token}"),))

    async def put(self, unit: Any, *args: Any, **kwargs: Any) -> Any:
        return await self.store.write(unit, *args, **kwargs)

    async def close(self) -> None:
        await self.channel.close()
        await self.listener.stop()

    def _notice(self, delivery_ids: Sequence[int]) -> None:
        self.noticed.append((list(delivery_ids), threading.current_thread().name))


async def _authenticate(token: str) -> Caller | None:
    return CALLERS.get(token)


@pytest.fixture
async def reading(opened: OpenDatabase, transport: str) -> AsyncIterator[ReadingWorld]:
    world = ReadingWorld(opened)
    await world.reach(transport)
    yield world
    await world.close()


async def _is_in_force(token: str) -> bool:
    return await _authenticate(token) is not None
