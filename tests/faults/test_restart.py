"""Processes on one PostgreSQL that come, go, and are taken for dead while they are not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from faults.scenarios import kills, restarts

pytestmark = [pytest.mark.faults, pytest.mark.every_database]


async def test_a_rolling_restart_of_three_processes_loses_and_repeats_nothing(
    postgresql_database: str, tmp_path: Path
) -> None:
    outcome = await restarts.rolling(tmp_path, postgresql_database, rounds=1)
    outcome.check()


async def test_kills_of_one_process_of_three_are_made_good_by_the_others(
    postgresql_database: str, tmp_path: Path, chance: random.Random
) -> None:
    outcome = await kills.at_random(tmp_path, postgresql_database, chance, kills=4, count=3)
    outcome.check()


async def test_whoever_was_held_still_past_the_beat_finds_a_fence(
    postgresql_database: str, tmp_path: Path, chance: random.Random
) -> None:
    outcome = await restarts.held_still(tmp_path, postgresql_database, chance, stops=2)
    outcome.check()
