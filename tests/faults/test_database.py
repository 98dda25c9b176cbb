"""PostgreSQL goes away and comes back: callers are told to come again, and nothing needs a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from acceptance.world import until
from faults.processes import Ledger, furnished, retry_after, traffic
from peers.postgresql import PostgresqlServer, running_postgresql
from peers.smtp_peer import SmtpPeer

pytestmark = pytest.mark.faults


@pytest.fixture
def own_postgresql() -> Iterator[PostgresqlServer]:
    """One that a test may stop."""
    with running_postgresql() as server:
        yield server


@pytest.mark.parametrize("seconds", [0.5, 5.0], ids=["shortly", "longer than a process is given to beat"])
async def test_postgresql_is_stopped_under_traffic_and_started_again(
    own_postgresql: PostgresqlServer, tmp_path: Path, seconds: float
) -> None:
    async with SmtpPeer() as peer, furnished(tmp_path, own_postgresql.new_database(), peer) as process:
        ledger = Ledger(process.client, peer)
        async with traffic(ledger):
            await peer.until(lambda: len(peer.messages) >= 20)
            await asyncio.to_thread(own_postgresql.stop)

            async def is_refused() -> bool:
                return bool(ledger.refusals)

            await until(is_refused)
            await asyncio.sleep(seconds)
            before = len(peer.messages)
            await start_again(own_postgresql)
            await peer.until(lambda: len(peer.messages) >= before + 20)
        (await ledger.balance()).check()
        assert process.is_running
        assert {retry_after(refusal) for refusal in ledger.refusals} == {1.0}
        assert await process.stop() == 0


async def start_again(server: PostgresqlServer) -> None:
    """Seldom, on a busy machine, PostgreSQL exits when it is started right after a stop; then once more."""
    for pause in (1.0, 3.0):
        try:
            await asyncio.to_thread(server.start)
        except psycopg.OperationalError:
            await asyncio.sleep(pause)
        else:
            return
    await asyncio.to_thread(server.start)
