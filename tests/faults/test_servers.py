"""Mail servers at their worst: everything is delivered in the end, and every copy is explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.scenarios import servers

pytestmark = pytest.mark.faults


async def test_a_server_dies_in_every_phase(database: str) -> None:
    outcome = await servers.dying(database, mails=4)
    outcome.check()
    # Those of which nobody knows: the dot was written, and the server died.
    assert outcome.balance.unknown > 0


@pytest.mark.parametrize("way", servers.WAYS)
async def test_two_of_three_servers_misbehave(database: str, way: str) -> None:
    outcome = await servers.two_of_three(database, way, mails=20)
    outcome.check()


async def test_a_tarpit_does_not_hold_up_what_goes_elsewhere(database: str, tmp_path: Path) -> None:
    outcome = await servers.tarpit(tmp_path, database, mails=150)
    outcome.check()
