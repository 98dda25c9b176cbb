"""The database goes away and comes back: callers are told to come again, and nothing needs a restart."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.ledger import retry_after, traffic, wait_for
from faults.processes import watched
from faults.scenarios import database as scenarios
from peers.postgresql import PostgresqlServer, running_postgresql

pytestmark = pytest.mark.faults


@pytest.fixture
def own_postgresql() -> Iterator[PostgresqlServer]:
    """One that a test may stop."""
    with running_postgresql() as server:
        # What it has answered must survive its crash, too.
        server.stop()
        server.start(fsync=True)
        yield server


async def test_postgresql_is_stopped_under_traffic_and_started_again(
    own_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    # Shortly, and longer than a process is given to beat.
    outcome = await scenarios.restarted(tmp_path, own_postgresql, seconds=(0.5, 4.0))
    outcome.check()


async def test_postgresql_crashes_under_traffic_and_recovers(
    own_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    outcome = await scenarios.restarted(tmp_path, own_postgresql, seconds=(0.5,), crash=True)
    outcome.check()


async def test_who_is_refused_meanwhile_is_told_when_to_come_again(
    own_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    async with watched(tmp_path, own_postgresql.new_database()) as (_, _, ledger), traffic(ledger):
        await ledger.until_handed(10)
        own_postgresql.stop()
        await wait_for(lambda: len(ledger.refusals) > 3)
        await asyncio.to_thread(own_postgresql.start, fsync=True)
    assert {retry_after(refusal) for refusal in ledger.refusals} == {1.0}


async def test_connections_are_cut_in_commit(
    postgresql_database: str, tmp_path: Path, chance: random.Random
) -> None:
    outcome = await scenarios.cut_in_commit(tmp_path, postgresql_database, chance, cuts=10)
    outcome.check()


async def test_the_disk_is_full_for_a_while(tmp_path: Path) -> None:
    outcome = await scenarios.disk_full(tmp_path, times=1)
    outcome.check()


async def test_files_may_not_grow_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    outcome = await scenarios.disk_full(tmp_path, times=1)
    assert "RLIMIT_FSIZE" in outcome.scenario
    outcome.check()
