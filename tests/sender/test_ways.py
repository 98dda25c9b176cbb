"""When there is a sender, and that mail leaves in one way or the other whatever becomes of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from peers.smtp_peer import Script, SmtpPeer
from postroom_server.sender import ways as module
from postroom_server.sender.loan import OwnLoan, SenderLoan
from postroom_server.sender.remote import Sender
from postroom_server.sender.ways import CROWD, Use, Ways
from postroom_server.smtp import Level
from sender.sending import endpoint, letter, nobody, parcel
from waiting import until

Make = Callable[..., Ways]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Ways that have to end when their test does."""
    made: list[Ways] = []

    def one(use: Use, lost: Callable[[], None] = lambda: None) -> Ways:
        made.append(Ways(use, lost=lost))
        return made[-1]

    yield one
    for each in made:
        async with asyncio.timeout(10):
            await each.close(0)


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_processors", lambda: 2)


async def until_sender(ways: Ways, in_hand: int = CROWD) -> Sender:
    await until(lambda: ways.sender is not None, lambda: ways.look(in_hand))
    assert ways.sender
    return ways.sender


async def carry(ways: Ways, peer: SmtpPeer, number: int) -> Any:
    loan = ways.loan(1)
    try:
        return await loan.send(endpoint(peer), parcel(letter(number)), nobody)
    finally:
        loan.give_back()


def kill(sender: Sender) -> None:
    assert sender.pid is not None
    os.kill(sender.pid, signal.SIGKILL)


async def test_a_crowd_brings_a_sender_and_less_does_not(make: Make) -> None:
    ways = make(Use.AUTO)
    ways.look(CROWD - 1)
    assert (ways._sender, isinstance(ways.loan(1), OwnLoan)) == (None, True)
    await until_sender(ways, CROWD)
    assert isinstance(ways.loan(1), SenderLoan)


async def test_there_is_none_where_it_is_not_wanted_or_has_no_processor(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = make(Use.NEVER)
    monkeypatch.setattr(module, "_processors", lambda: 1)
    for ways in (never, make(Use.AUTO)):
        ways.look(10 * CROWD)
        assert ways._sender is None


async def test_one_that_is_always_wanted_comes_without_a_crowd_and_stays(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
    ways = make(Use.ALWAYS)
    sender = await until_sender(ways, 0)
    ways.look(0)
    assert ways.sender is sender


async def test_one_that_has_nothing_to_do_for_long_ends_and_mail_goes_on_without_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = make(Use.AUTO)
    async with SmtpPeer() as peer:
        assert (await carry(ways, peer, 1)).level is Level.NONE
        sender = await until_sender(ways)
        # The connection that this process had has made room.
        await peer.until(lambda: peer.sessions[0].has_ended)
        loan = ways.loan(1)
        assert (await loan.send(endpoint(peer), parcel(letter(2)), nobody)).level is Level.NONE
        ways.look(0)
        assert ways.sender is sender
        monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
        ways.look(0)
        assert (ways.sender, loan.is_current) == (None, False)
        await peer.until(lambda: peer.sessions[1].has_ended)
        assert (await carry(ways, peer, 3)).level is Level.NONE
        assert (await carry(ways, peer, 4)).level is Level.NONE
        # Connections are kept again.
        assert [len(session.messages) for session in peer.sessions] == [1, 1, 2]


async def test_one_at_work_is_not_idle_however_long_it_takes(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
    go_on = asyncio.Event()

    async def slow(session: Any) -> None:
        await go_on.wait()
        await session.say("250 taken")

    ways = make(Use.AUTO)
    sender = await until_sender(ways)
    async with SmtpPeer(Script({"DOT": slow})) as peer:
        sending = asyncio.create_task(carry(ways, peer, 1))
        await peer.until(lambda: len(peer.messages) == 1)
        ways.look(0)
        assert ways.sender is sender
        go_on.set()
        assert (await sending).level is Level.NONE


async def test_one_that_dies_is_followed_by_another_after_a_pause_that_grows(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[int] = []
    ways = make(Use.AUTO, lambda: lost.append(1))
    loop = asyncio.get_running_loop()
    for pause in (module.FIRST_PAUSE, 2 * module.FIRST_PAUSE):
        kill(await until_sender(ways))
        await until(lambda: ways._sender is None)
        assert loop.time() < ways._not_before <= loop.time() + pause
        assert ways._pause == 2 * pause
        ways.look(CROWD)
        assert ways._sender is None
        async with SmtpPeer() as peer:
            assert (await carry(ways, peer, 1)).level is Level.NONE
        monkeypatch.setattr(ways, "_not_before", 0.0)
    ways._pause = module.LONGEST_PAUSE
    kill(await until_sender(ways))
    await until(lambda: ways._sender is None)
    assert ways._pause == module.LONGEST_PAUSE
    assert len(lost) == 3


@pytest.mark.parametrize("fault", [OSError("no more processes"), TimeoutError()])
async def test_where_none_can_be_started_mail_leaves_all_the_same(
    make: Make, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fails(_: int) -> Any:
        raise fault

    monkeypatch.setattr("postroom_server.sender.remote._launch", fails)
    ways = make(Use.ALWAYS)
    ways.look(CROWD)
    await until(lambda: ways._sender is None)
    async with SmtpPeer() as peer:
        assert (await carry(ways, peer, 1)).level is Level.NONE


async def test_ways_that_close_while_a_sender_starts_leave_nothing_behind(make: Make) -> None:
    ways = make(Use.ALWAYS)
    ways.look(0)
    sender = ways._sender
    async with asyncio.timeout(10):
        await ways.close(0)
    assert sender is not None
    assert sender._process is not None
    assert sender._process.returncode is not None


async def test_one_that_stands_still_is_ended(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroom_server.sender.remote.DUMB_SECONDS", 0.2)
    monkeypatch.setattr("postroom_server.sender.remote._PING_SECONDS", 0.01)
    ways = make(Use.AUTO)
    sender = await until_sender(ways)
    for _ in range(100):  # it answers as long as it can
        ways.look(0)
        await asyncio.sleep(0.003)
    assert ways.sender is sender
    assert sender.pid is not None
    os.kill(sender.pid, signal.SIGSTOP)
    await until(lambda: ways.sender is None, lambda: ways.look(0))
    process = sender._process
    assert process is not None
    await until(lambda: process.poll() is not None)


async def test_mail_takes_the_new_way_when_the_old_one_makes_room_and_not_before(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = make(Use.ALWAYS)
    when: list[bool] = []
    stand_down = ways._pool.stand_down

    def seen() -> None:
        when.append(isinstance(ways.loan(1), OwnLoan))
        stand_down()

    monkeypatch.setattr(ways._pool, "stand_down", seen)
    await until_sender(ways, 0)
    assert when == [True]
    assert isinstance(ways.loan(1), SenderLoan)


async def test_a_server_sees_no_more_connections_than_slots_while_ways_change(make: Make) -> None:
    open_now, most = [0], [0]

    async def greet(session: Any) -> None:
        open_now[0] += 1
        most[0] = max(most[0], open_now[0])
        await session.say("220 hi")

    async def part(session: Any) -> None:
        await asyncio.sleep(0.1)
        await session.say("221 bye")
        open_now[0] -= 1

    ways = make(Use.AUTO)
    async with SmtpPeer(Script({"BANNER": greet, "QUIT": part})) as peer:
        own = [ways.loan(1) for _ in range(4)]
        for number, loan in enumerate(own):
            await loan.send(endpoint(peer), parcel(letter(number)), nobody)
        for loan in own[:2]:
            loan.give_back()
        await until_sender(ways)
        others = [ways.loan(1) for _ in range(2)]
        for loan in others:
            await loan.ready()
            await loan.send(endpoint(peer), parcel(letter(9)), nobody)
        for loan in own[2:]:
            assert not loan.is_current
            loan.give_back()
            another = ways.loan(1)
            await another.ready()
            await another.send(endpoint(peer), parcel(letter(9)), nobody)
    assert most[0] == 4
