"""Connections are kept, lent to one transaction at a time, replaced when they fail, and let go in the end."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from peers.smtp_letters import endpoint_of, envelope
from peers.smtp_peer import Script, Session, SmtpPeer, hang_up, in_words, silence, then
from postroom_server.smtp import Level, Phase, Pool, Timeouts, TlsMode, Transaction
from postroom_server.smtp import pool as pool_module


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool()
    yield pool
    await pool.close(grace=1)
    assert pool.connections == 0


async def send(pool: Pool, peer: SmtpPeer, key: int = 1, **changes: Any) -> Transaction:
    return await pool.send(key, endpoint_of(peer, **changes), envelope())


async def test_one_connection_serves_one_mail_after_the_other(pool: Pool) -> None:
    async with SmtpPeer() as peer:
        outcomes = [(await send(pool, peer)).level for _ in range(10)]
        assert pool.connections == 1
        await pool.close(grace=1)
    assert outcomes == [Level.NONE] * 10
    assert len(peer.sessions) == 1
    assert peer.commands[-1] == "QUIT"


async def test_concurrent_mails_have_a_connection_each(pool: Pool) -> None:
    async with SmtpPeer() as peer:
        waves = [await asyncio.gather(*(send(pool, peer) for _ in range(16))) for _ in range(3)]
        assert pool.connections == 16
        await pool.close(grace=1)
    assert all(transaction.level is Level.NONE for wave in waves for transaction in wave)
    assert len(peer.sessions) == 16
    assert len(peer.messages) == 48
    assert sum(len(session.messages) > 0 for session in peer.sessions) == 16


async def test_servers_do_not_share_connections(pool: Pool) -> None:
    async with SmtpPeer() as one, SmtpPeer() as two:
        for _ in range(2):
            await send(pool, one, key=1)
            await send(pool, two, key=2)
        await pool.close(grace=1)
    assert (len(one.messages), len(two.messages)) == (2, 2)
    assert (len(one.sessions), len(two.sessions)) == (1, 1)


@pytest.mark.parametrize("changes", [{"max_messages": 1}, {"max_age": 0.0}, {"max_idle": 0.0}])
async def test_a_connection_past_its_limits_is_replaced_and_says_goodbye(
    pool: Pool, changes: dict[str, Any]
) -> None:
    async with SmtpPeer() as peer:
        for _ in range(3):
            assert (await send(pool, peer, **changes)).level is Level.NONE
        await pool.close(grace=1)
    assert len(peer.sessions) == 3
    assert all(session.commands[-1] == "QUIT" for session in peer.sessions)


async def test_a_changed_endpoint_retires_the_connections_of_the_old_one(pool: Pool) -> None:
    async with SmtpPeer(Script(offers=("AUTH PLAIN",))) as peer:
        await send(pool, peer, username="u", password="old")
        await send(pool, peer, username="u", password="new")
        await peer.until(lambda: peer.sessions[0].has_ended)
        assert pool.connections == 1
        await pool.close(grace=1)
    assert len(peer.sessions) == 2
    assert peer.sessions[0].commands[-1] == "QUIT"


async def test_a_connection_in_use_while_its_endpoint_changes_is_not_kept(pool: Pool) -> None:
    go_on = asyncio.Event()

    async def wait(session: Session) -> None:
        await go_on.wait()
        await session.say("250 ok")

    async with SmtpPeer(Script({"DOT": [wait, "250 ok"]})) as peer:
        slow = asyncio.create_task(send(pool, peer, helo_name="old.test"))
        await peer.until(lambda: len(peer.messages) == 1)
        await send(pool, peer, helo_name="new.test")
        go_on.set()
        assert (await slow).level is Level.NONE
        assert pool.connections == 1
        await peer.until(lambda: peer.sessions[0].has_ended)
        await send(pool, peer, helo_name="new.test")
        await pool.close(grace=1)
    assert [len(session.messages) for session in peer.sessions] == [1, 2]


@pytest.mark.parametrize("first", [hang_up, "421 4.4.2 idle too long", "what?", silence])
async def test_a_reused_connection_that_fails_on_its_first_command_is_reopened_once(
    pool: Pool, first: Any
) -> None:
    async with SmtpPeer(Script({"MAIL": ["250 ok", first, "250 ok"]})) as peer:
        outcomes = [(await send(pool, peer, patience={"mail": 0.2})).level for _ in range(2)]
        await pool.close(grace=1)
    assert outcomes == [Level.NONE] * 2
    assert len(peer.sessions) == 2
    assert len(peer.messages) == 2


async def test_it_is_not_reopened_twice(pool: Pool) -> None:
    async with SmtpPeer(Script({"MAIL": ["250 ok", hang_up]})) as peer:
        await send(pool, peer)
        transaction = await send(pool, peer)
        await pool.close(grace=1)
    assert (transaction.phase, transaction.level) == (Phase.MAIL, Level.CONNECTION)
    assert len(peer.sessions) == 2


async def test_a_fresh_connection_that_fails_on_its_first_command_is_not_reopened(pool: Pool) -> None:
    async with SmtpPeer(Script({"MAIL": hang_up})) as peer:
        transaction = await send(pool, peer)
        await pool.close(grace=1)
    assert (transaction.phase, transaction.level) == (Phase.MAIL, Level.CONNECTION)
    assert len(peer.sessions) == 1


@pytest.mark.parametrize(
    ("answers", "level"),
    [
        ({"MAIL": ["250 ok", "451 later"]}, Level.MESSAGE),
        ({"RCPT": ["250 ok", hang_up]}, Level.CONNECTION),
        ({"RCPT": ["250 ok", "421 bye"]}, Level.CONNECTION),
        ({"DATA": ["354 go", hang_up]}, Level.CONNECTION),
        ({"DOT": ["250 ok", hang_up]}, Level.AMBIGUOUS),
        ({"DOT": ["250 ok", "451 later"]}, Level.MESSAGE),
    ],
    ids=in_words,
)
async def test_nothing_later_than_the_first_command_is_tried_again(
    pool: Pool, answers: dict[str, Any], level: Level
) -> None:
    async with SmtpPeer(Script(answers)) as peer:
        await send(pool, peer)
        transaction = await send(pool, peer)
        await pool.close(grace=1)
    assert transaction.level is level
    assert len(peer.sessions) == 1


async def test_a_line_that_the_server_closed_while_idle_is_replaced_without_being_tried(pool: Pool) -> None:
    async with SmtpPeer(Script({"DOT": [then("250 ok", "421 4.3.2 going down", hang_up), "250 ok"]})) as peer:
        await send(pool, peer)
        await peer.until_ended()
        transaction = await send(pool, peer)
        await pool.close(grace=1)
    assert transaction.level is Level.NONE
    assert [len(session.messages) for session in peer.sessions] == [1, 1]


async def test_a_failed_opening_leaves_nothing_in_the_pool(pool: Pool) -> None:
    async with SmtpPeer(Script({"BANNER": "554 no"})) as peer:
        assert (await send(pool, peer)).phase is Phase.BANNER
        assert pool.connections == 0


async def test_timeouts_may_be_given_for_one_mail_without_another_connection(pool: Pool) -> None:
    async with SmtpPeer(Script({"DOT": ["250 ok", silence]})) as peer:
        await send(pool, peer)
        endpoint = endpoint_of(peer)
        short = dataclasses.replace(endpoint.timeouts, dot=0.1)
        transaction = await pool.send(1, endpoint, envelope(), timeouts=short)
        await pool.close(grace=1)
    assert (transaction.level, transaction.error) == (Level.AMBIGUOUS, "no reply within 0.1 s")
    assert len(peer.sessions) == 1


async def test_idle_connections_are_swept_again_and_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "SWEEP_SECONDS", 0.01)
    async with SmtpPeer() as peer:
        for _ in range(2):
            await send(pool, peer, max_idle=0.03)
            assert pool.connections == 1
            await peer.until_ended()
            assert pool.connections == 0
    assert len(peer.sessions) == 2
    assert all(session.commands[-1] == "QUIT" for session in peer.sessions)


@pytest.mark.parametrize("occasion", ["BANNER", "MAIL", "RCPT", "DATA"])
async def test_fencing_closes_what_has_not_written_its_dot(pool: Pool, occasion: str) -> None:
    async with SmtpPeer(Script({occasion: silence}, offers=())) as peer:
        task = asyncio.create_task(send(pool, peer))
        if occasion == "BANNER":
            await peer.until(lambda: len(peer.sessions) == 1)
        else:
            await peer.until(lambda: bool(peer.commands) and peer.commands[-1].startswith(occasion))
        pool.abort_before_dot()
        transaction = await task
        await peer.until_ended()
    assert (transaction.level, transaction.started, transaction.error) == (Level.LOCAL, False, "closed by us")
    assert peer.messages == []
    assert pool.connections == 0


async def test_fencing_while_the_mark_is_written_leaves_no_dot(pool: Pool) -> None:
    async def fenced() -> bool:
        pool.abort_before_dot()
        return True

    async with SmtpPeer() as peer:
        transaction = await pool.send(1, endpoint_of(peer), envelope(), fenced)
        await peer.until_ended()
    assert (transaction.level, transaction.started) == (Level.LOCAL, False)
    assert peer.messages == []


async def test_fencing_spares_what_has_written_its_dot(pool: Pool) -> None:
    go_on = asyncio.Event()

    async def wait(session: Session) -> None:
        await go_on.wait()
        await session.say("250 ok")

    async with SmtpPeer(Script({"DOT": wait})) as peer:
        task = asyncio.create_task(send(pool, peer))
        await peer.until(lambda: len(peer.messages) == 1)
        pool.abort_before_dot()
        go_on.set()
        assert (await task).level is Level.NONE


async def test_after_fencing_the_pool_serves_again(pool: Pool) -> None:
    async with SmtpPeer(Script({"MAIL": [silence, "250 ok"]})) as peer:
        task = asyncio.create_task(send(pool, peer))
        await peer.until(lambda: any(command.startswith("MAIL") for command in peer.commands))
        pool.abort_before_dot()
        assert (await task).level is Level.LOCAL
        assert (await send(pool, peer)).level is Level.NONE
        await pool.close(grace=1)


async def test_closing_waits_for_a_written_dot_and_for_nothing_else(pool: Pool) -> None:
    go_on = asyncio.Event()

    async def wait(session: Session) -> None:
        await go_on.wait()
        await session.say("250 ok")

    async with SmtpPeer(Script({"DOT": wait, "RCPT": ["250 ok", silence]})) as peer:
        after = asyncio.create_task(send(pool, peer))
        await peer.until(lambda: len(peer.messages) == 1)
        before = asyncio.create_task(send(pool, peer))
        await peer.until(lambda: sum(command.startswith("RCPT") for command in peer.commands) == 2)
        closing = asyncio.create_task(pool.close(grace=5))
        assert (await before).level is Level.LOCAL
        assert not closing.done()
        go_on.set()
        assert (await after).level is Level.NONE
        await closing
        await peer.until_ended()
    assert pool.connections == 0


async def test_what_outlasts_the_grace_is_ambiguous(pool: Pool) -> None:
    async with SmtpPeer(Script({"DOT": silence})) as peer:
        task = asyncio.create_task(send(pool, peer))
        await peer.until(lambda: len(peer.messages) == 1)
        await pool.close(grace=0.05)
        transaction = await task
        await peer.until_ended()
    assert (transaction.level, transaction.started) == (Level.AMBIGUOUS, True)


async def test_a_closed_pool_sends_nothing(pool: Pool) -> None:
    async with SmtpPeer() as peer:
        await pool.close(grace=0)
        transaction = await send(pool, peer)
    assert (transaction.level, transaction.error) == (Level.LOCAL, "the pool is closed")
    assert peer.sessions == []


async def test_a_server_that_ignores_quit_does_not_hold_up_closing(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom_server.smtp.connection.QUIT_PATIENCE", 0.05)
    async with SmtpPeer(Script({"QUIT": silence})) as peer:
        await send(pool, peer)
        async with asyncio.timeout(2):
            await pool.close(grace=0)
        await peer.until_ended()


async def test_a_cancelled_mail_takes_its_connection_with_it(pool: Pool) -> None:
    async with SmtpPeer(Script({"DOT": ["250 ok", silence, "250 ok"]})) as peer:
        await send(pool, peer)
        task = asyncio.create_task(send(pool, peer))
        await peer.until(lambda: len(peer.messages) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool.connections == 0
        assert (await send(pool, peer)).level is Level.NONE
        await pool.close(grace=1)
    assert len(peer.sessions) == 2


async def test_an_unreachable_server_is_told_as_such(pool: Pool) -> None:
    async with SmtpPeer() as peer:
        gone = endpoint_of(peer)
    transaction = await pool.send("gone", gone, envelope())
    assert (transaction.phase, transaction.level) == (Phase.CONNECT, Level.CONNECTION)


def test_the_default_patience_is_that_of_the_design() -> None:
    assert Timeouts() == Timeouts(
        connect=15, banner=60, ehlo=60, mail=120, rcpt=120, data=120, chunk=180, dot=600
    )
    assert list(TlsMode) == ["REQUIRED", "IMPLICIT", "OPPORTUNISTIC", "OFF"]
