"""kill -9: what was answered OK is delivered, and copies are counted (delivery.md §3)."""

from __future__ import annotations

import asyncio
import random
import urllib.request
from pathlib import Path

import pytest

from faults.balance import balance
from faults.ledger import traffic
from faults.processes import BESIDE, free_address, watched
from faults.scenarios import kills
from faults.sink import Act

pytestmark = [pytest.mark.faults, pytest.mark.every_database]


async def test_a_mail_survives_a_kill_right_after_it_was_accepted(database: str, tmp_path: Path) -> None:
    async with watched(tmp_path, database) as ([process], _, ledger):
        await ledger.send("promised")
        process.kill()
        await process.start()
        found = await balance(ledger)
        found.check()
        assert found.accepted == 1


async def test_a_mail_whose_dot_went_unanswered_at_the_kill_is_sent_again_and_counted(
    database: str, tmp_path: Path
) -> None:
    metrics = free_address()
    async with watched(tmp_path, database, POSTROOM_METRICS_ADDRESS=metrics) as ([process], sink, ledger):
        sink.mood = lambda phase, _: Act.SILENT if phase == "DOT" else Act.WELL
        await ledger.send("twice")
        await ledger.until_handed(1)
        process.kill()
        sink.mood = lambda *_: Act.WELL
        await process.start()
        found = await balance(ledger)
        found.check()
        assert (found.duplicates, found.ambiguous) == (1, 1)
        told = await asyncio.to_thread(urllib.request.urlopen, f"http://{metrics}/metrics")
        assert b'postroom_ambiguous_total{cause="crash"} 1.0' in told.read().splitlines()


async def test_kills_at_random_under_traffic_lose_nothing_and_explain_every_copy(
    database: str, tmp_path: Path, chance: random.Random
) -> None:
    outcome = await kills.at_random(tmp_path, database, chance, kills=5, count=1)
    outcome.check()


async def test_kills_of_a_server_with_a_sender_beside_it(
    database: str, tmp_path: Path, chance: random.Random
) -> None:
    outcome = await kills.at_random(tmp_path, database, chance, kills=5, count=1, **BESIDE)
    outcome.check()


async def test_kills_of_the_sender_alone_lose_nothing_and_explain_every_copy(
    database: str, tmp_path: Path, chance: random.Random
) -> None:
    outcome = await kills.of_senders(tmp_path, database, chance, kills=3)
    outcome.check()


async def test_kills_at_every_failpoint_under_traffic(
    database: str, tmp_path: Path, chance: random.Random
) -> None:
    outcome = await kills.at_failpoints(tmp_path, database, chance, rounds=1)
    outcome.check()


async def test_what_must_not_be_repeated_leaves_once_or_ends_as_unknown(
    database: str, tmp_path: Path, chance: random.Random
) -> None:
    outcome = await kills.never_twice(tmp_path, database, chance, kills=len(kills.AROUND_THE_DOT))
    outcome.check()
    assert outcome.balance.unknown > 0


@pytest.mark.parametrize("settings", [{}, BESIDE], ids=["own", "beside"])
async def test_a_mail_that_kills_every_process_is_held_and_nobody_else_is(
    database: str, tmp_path: Path, chance: random.Random, settings: dict[str, str]
) -> None:
    outcome = await kills.poison(tmp_path, database, chance, others=20, **settings)
    outcome.check()


async def test_a_stop_under_traffic_loses_and_repeats_nothing(database: str, tmp_path: Path) -> None:
    async with watched(tmp_path, database) as ([process], _, ledger):
        async with traffic(ledger):
            await ledger.until_handed(20)
            assert await process.stop() == 0
            await process.start()
            await ledger.until_handed(ledger.handed + 40)
        found = await balance(ledger)
        found.check()
        assert (found.duplicates, found.ambiguous) == (0, 0)
