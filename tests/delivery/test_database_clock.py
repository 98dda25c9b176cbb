"""On PostgreSQL only the database's clock counts: a machine whose own one jumps does no harm."""

from __future__ import annotations

import time
import types

import pytest

from acceptance.world import DATA_KEY, Client, serving
from peers.smtp_peer import Script, SmtpPeer
from postroom.v1 import email_pb2
from postroom_server import assembly
from postroom_server.clock import DAY, MINUTE, Clock
from postroom_server.settings import Settings
from postroom_server.store.models import Delivery, Email

pytestmark = pytest.mark.every_database


@pytest.mark.parametrize("jump", [3 * DAY, -3 * DAY], ids=["forward", "back"])
async def test_a_machine_whose_clock_jumps_expires_nothing_and_delays_nothing(
    postgresql_database: str, jump: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = [0]
    machine = types.SimpleNamespace(
        time_ns=lambda: time.time_ns() + ahead[0] * 1_000_000, monotonic=time.monotonic
    )
    settings = Settings(
        database_url=postgresql_database, data_key=DATA_KEY, grpc_address="127.0.0.1:0", http_address="",
        metrics_address="", poll_ms=20, drain_seconds=0,
    )  # fmt: skip
    async with SmtpPeer(Script({"DOT": ["451 4.7.1 later", "250 ok"]})) as peer:
        async with serving(postgresql_database) as world:
            await world.furnish()
            await world.add_server(peer.port)
            token = world.token
        monkeypatch.setattr("postroom_server.clock.time", machine)
        async with assembly.running(settings) as running:
            client = Client(running.channel, Clock(), token)
            before = await client.send(subject="before")
            await client.once(before, lambda email: len(email.attempts) == 1)
            ahead[0] = jump
            after = await client.send(subject="after")
            assert (await client.settled(after)).state == email_pb2.EMAIL_STATE_SUCCESS
            waiting = await client.get(before)
            assert waiting.state == email_pb2.EMAIL_STATE_PENDING
            await running.store.write(lambda: Delivery.update(run_at=0).execute())
            assert (await client.settled(before)).state == email_pb2.EMAIL_STATE_SUCCESS
            times = await running.store.read(
                lambda: [(row.accept_time, row.settle_time) for row in Email.select()]
            )
    now = time.time_ns() // 1_000_000
    assert all(now - MINUTE < at <= now + MINUTE for pair in times for at in pair)
