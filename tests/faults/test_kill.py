"""kill -9: what was answered OK is delivered, and copies are counted (delivery.md §3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.processes import Ledger, furnished, seeded, traffic
from peers.smtp_peer import Script, SmtpPeer, silence

pytestmark = [pytest.mark.faults, pytest.mark.every_database]
KILLS = 5


async def test_a_mail_survives_a_kill_right_after_it_was_accepted(database: str, tmp_path: Path) -> None:
    async with SmtpPeer() as peer, furnished(tmp_path, database, peer) as process:
        ledger = Ledger(process.client, peer)
        await ledger.send("promised")
        process.kill()
        await process.start()
        balance = await ledger.balance()
        balance.check()
        assert len(peer.messages) <= 1 + balance.ambiguous


async def test_a_mail_whose_dot_went_unanswered_at_the_kill_is_sent_again_and_counted(
    database: str, tmp_path: Path
) -> None:
    script = Script(answers={"DOT": [silence, "250 2.0.0 taken"]})
    async with SmtpPeer(script) as peer, furnished(tmp_path, database, peer) as process:
        ledger = Ledger(process.client, peer)
        await ledger.send("twice")
        await peer.until(lambda: len(peer.messages) == 1)
        process.kill()
        await process.start()
        balance = await ledger.balance()
        balance.check()
        assert (balance.duplicates, balance.ambiguous) == (1, 1)
        assert peer.messages[0] == peer.messages[1]


async def test_kills_at_random_under_traffic_lose_nothing_and_explain_every_copy(
    database: str, tmp_path: Path
) -> None:
    chance = seeded()
    async with SmtpPeer() as peer, furnished(tmp_path, database, peer) as process:
        ledger = Ledger(process.client, peer)
        async with traffic(ledger):
            for _ in range(KILLS):
                target = len(peer.messages) + chance.randint(5, 60)
                await peer.until(lambda target=target: len(peer.messages) >= target)
                process.kill()
                await process.start()
            target = len(peer.messages) + 20
            await peer.until(lambda: len(peer.messages) >= target)
        balance = await ledger.balance()
        balance.check()
        assert len(ledger.accepted) > 20 * KILLS / 2
        # Every sender asked until it was answered, so there is no mail of which nobody knows.
        assert balance.strangers == []
        assert await process.stop() == 0


async def test_a_stop_under_traffic_loses_and_repeats_nothing(database: str, tmp_path: Path) -> None:
    async with SmtpPeer() as peer, furnished(tmp_path, database, peer) as process:
        ledger = Ledger(process.client, peer)
        async with traffic(ledger):
            await peer.until(lambda: len(peer.messages) >= 20)
            assert await process.stop() == 0
            await process.start()
            await peer.until(lambda: len(peer.messages) >= 60)
        balance = await ledger.balance()
        balance.check()
        assert (balance.duplicates, balance.ambiguous) == (0, 0)
