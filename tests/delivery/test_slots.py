"""Slots over real conversations: a server that is slow, dead or limited never holds what is another's."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from delivery.carrying import World, at
from delivery.values import job, leased, server
from peers.smtp_peer import Script, Session, SmtpPeer, silence
from postroom_server.delivery.line import Job
from postroom_server.delivery.verdict import Outcome
from postroom_server.store.facts import ServerFacts
from postroom_server.store.models import Lane


def mails(count: int, *servers: ServerFacts, lane: Lane = Lane.NORMAL, first: int = 100) -> list[Job]:
    return [
        Job(leased(lane=lane, id=first + number, message_id=f"{first + number}@x.test"), servers)
        for number in range(count)
    ]


class Gate:
    """Answers when the test says so, and knows how many wait."""

    def __init__(self, answer: str) -> None:
        self.open = asyncio.Event()
        self.most = self.now = 0
        self._answer = answer

    async def __call__(self, session: Session) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await self.open.wait()
        self.now -= 1
        await session.say(self._answer)


@pytest.mark.parametrize("occasion", ["BANNER", "EHLO", "MAIL", "DATA", "DOT"])
async def test_a_server_that_is_silent_holds_its_own_slots_and_nobody_else_s(
    world: World, occasion: str
) -> None:
    async with SmtpPeer(Script({occasion: silence})) as tarpit, SmtpPeer() as well:
        stuck = mails(40, at(tarpit, max_connections=4))
        others = mails(40, at(well, 2, max_connections=4), first=200)
        world.begin(*itertools.chain.from_iterable(zip(stuck, others, strict=True)))
        assert await world.outcomes(40) == [Outcome.DELIVERED] * 40
        assert {one.leased.id for one in world.reported} == set(range(200, 240))
        # Three of the four: one is kept for urgent mail.
        assert len(tarpit.sessions) == 3


async def test_no_more_connections_are_opened_than_a_server_allows(world: World) -> None:
    gate = Gate("220 peer.test ESMTP")
    async with SmtpPeer(Script({"BANNER": gate})) as peer:
        facts = at(peer, max_connections=8)
        world.begin(*mails(30, facts, lane=Lane.BULK))
        await peer.until(lambda: len(peer.sessions) == 4)
        world.begin(*mails(30, facts, first=200))
        await peer.until(lambda: len(peer.sessions) == 6)
        world.begin(*mails(30, facts, lane=Lane.URGENT, first=300))
        await peer.until(lambda: len(peer.sessions) == 8)
        gate.open.set()
        assert await world.outcomes(90) == [Outcome.DELIVERED] * 90
    # 60 % for bulk, a quarter kept for urgent mail, and never more than eight.
    assert (gate.most, len(peer.messages)) == (8, 90)
    assert len(peer.sessions) == 8


async def test_a_dead_server_s_mail_is_carried_by_the_next_and_its_breaker_spares_the_rest(
    world: World,
) -> None:
    async with SmtpPeer() as well:
        servers = (server(66, port=1, max_connections=4), at(well, 2, priority=2, max_connections=4))
        world.begin(*mails(60, *servers))
        assert await world.outcomes(60) == [Outcome.DELIVERED] * 60
    tried = [len(one.earlier) for one in world.reported]
    # Three slots at a time knocked until the fifth failure, and nobody after that.
    assert 5 <= sum(tried) <= 7


async def test_servers_of_one_priority_carry_by_weight(world: World) -> None:
    gates = [Gate("250 taken"), Gate("250 taken")]
    async with SmtpPeer(Script({"DOT": gates[0]})) as light, SmtpPeer(Script({"DOT": gates[1]})) as heavy:
        servers = [at(light, 1, weight=1, max_connections=40), at(heavy, 2, weight=3, max_connections=40)]
        world.begin(*mails(40, *servers))
        await heavy.until(lambda: gates[1].now >= 30)
        await light.until(lambda: gates[0].now >= 10)
        assert [gate.now for gate in gates] == [10, 30]
        for gate in gates:
            gate.open.set()
        await world.outcomes(40)


async def test_a_rate_is_kept_over_all_connections(world: World) -> None:
    loop = asyncio.get_running_loop()
    begun: list[float] = []

    async def note(session: Session) -> None:
        begun.append(loop.time())
        await session.say("250 ok")

    world.clock.now = lambda: round(loop.time() * 1000)  # type: ignore[method-assign]
    async with SmtpPeer(Script({"MAIL": note})) as peer:
        facts = at(peer, max_connections=8, messages_per_second=20.0)
        far = world.clock.now() + 10**9
        world.begin(*(Job(leased(id=n, expire_time=far), (facts,)) for n in range(8)))
        assert await world.outcomes(8) == [Outcome.DELIVERED] * 8
    # Seven pauses of 50 ms; a machine that is busy makes them longer.
    assert begun[-1] - begun[0] >= 0.3


async def test_urgent_mail_goes_past_all_that_waits_for_the_same_server(world: World) -> None:
    gate = Gate("250 taken")
    async with SmtpPeer(Script({"DOT": [gate, gate, gate, "250 taken"]})) as peer:
        facts = at(peer, max_connections=4)
        waiting = mails(50, facts, lane=Lane.BULK)
        world.begin(*waiting)
        await peer.until(lambda: gate.now == 2)
        world.begin(job(facts, lane=Lane.URGENT, id=999))
        await peer.until(lambda: len(peer.sessions) == 3)
        gate.open.set()
        await world.until(lambda: any(one.leased.id == 999 for one in world.reported))
        assert len([one for one in world.reported if one.leased.id != 999]) < 50
        await world.outcomes(51)
