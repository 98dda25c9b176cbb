"""Too many at once, and clocks that jump."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from faults.scenarios import clocks, crowds

pytestmark = pytest.mark.faults


async def test_a_flood_of_connections_keeps_nobody_out(database: str, tmp_path: Path) -> None:
    outcome = await crowds.flood(tmp_path, database, connections=300)
    outcome.check()


async def test_of_a_flood_of_calls_everything_accepted_is_delivered(database: str, tmp_path: Path) -> None:
    outcome = await crowds.calls(tmp_path, database, count=1000)
    outcome.check()


async def test_urgent_mail_does_not_wait_for_a_backlog(database: str, tmp_path: Path) -> None:
    outcome = await crowds.urgent(tmp_path, database, backlog=2000, mails=20, within_seconds=10)
    outcome.check()


async def test_a_clock_that_jumps_holds_nothing_up(database: str, chance: random.Random) -> None:
    outcome = await clocks.jumps(database, chance, count=9)
    outcome.check()
