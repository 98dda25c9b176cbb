"""A transmission at work without a database, over real SMTP conversations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from delivery.values import middle, server
from fakes import ManualClock
from peers.smtp_peer import SmtpPeer
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.breaker import BreakerState
from postroom_server.delivery.endpoints import Endpoints, SmtpSettings
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.line import Job
from postroom_server.delivery.metrics import DeliveryMetrics
from postroom_server.delivery.transmission import Transmission
from postroom_server.delivery.verdict import Outcome
from postroom_server.refusals import Reason, Refusal
from postroom_server.sender.remote import Sender
from postroom_server.sender.ways import Use, Ways
from postroom_server.store.facts import ServerFacts
from postroom_server.store.known import Memory
from waiting import until

# For tests that look inside, or do not wait, as a sender's answer takes a moment: it has tests of its own.
BY_ITSELF = pytest.mark.parametrize("sender", ["own"])


class Marks:
    """In place of a store: dot marks are granted, refused, or the database is away."""

    granted: bool | None = True

    async def write(self, *_: Any) -> bool:
        if self.granted is None:
            raise Refusal(Reason.STORE_UNAVAILABLE, "away")
        return self.granted


class World:
    def __init__(self, use: Use = Use.NEVER) -> None:
        self.clock = ManualClock()
        self.registry = CollectorRegistry()
        self.marks = Marks()
        self.reported: list[Settlement] = []
        self.ways = Ways(use)
        self.transmission = Transmission(
            self.marks,  # type: ignore[arg-type]
            Letters(self.marks, Memory(), None),  # type: ignore[arg-type]
            Endpoints(None, SmtpSettings()),  # type: ignore[arg-type]
            self.clock, owner=1, server_slots=4, ways=self.ways, report=self._heard, uniform=middle,
            metrics=DeliveryMetrics(self.registry),
        )  # fmt: skip
        self._news = asyncio.Event()

    async def until_sender(self) -> Sender:
        """Waits until a sender takes mail."""
        await until(lambda: self.ways.sender is not None, lambda: self.transmission.look(0))
        assert self.ways.sender
        return self.ways.sender

    def _heard(self, settlement: Settlement) -> None:
        self.reported.append(settlement)
        self._news.set()

    async def outcomes(self, count: int) -> list[Outcome]:
        await self.until(lambda: len(self.reported) >= count)
        return [one.verdict.outcome for one in self.reported]

    async def until(self, truth: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not truth():
                self._news.clear()
                await self._news.wait()

    def begin(self, *jobs: Job) -> None:
        for one in jobs:
            self.transmission.begin(one)

    def breaker(self, id_: int) -> BreakerState:
        breaker = self.transmission.breaker_of(id_)
        assert breaker
        return breaker.state(self.clock.now())


def at(peer: SmtpPeer, id_: int = 1, **changes: Any) -> ServerFacts:
    return server(id_, port=peer.port, **changes)
