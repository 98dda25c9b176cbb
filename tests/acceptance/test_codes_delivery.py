"""When a code counts as handed over, whatever becomes of its mail on the way (security.md D6)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from code_calls import ANN, FROM, Codes
from peers.smtp_peer import Script, Session, SmtpPeer, hang_up
from postroom.v1 import email_pb2, recipient_pb2
from postroom_server.clock import HOUR, MINUTE, SECOND, Clock, Millis
from postroom_server.delivery.lease import Turns, lease
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.marks import mark_dot
from postroom_server.delivery.rescue import rescue
from postroom_server.store.models import Code, Lane
from postroom_server.store.opening import OpenDatabase
from sent_codes import EXPIRED, VALID, SentCodes
from serving import ACME, Served, serving

SHORT_OF_TIME = "451 4.7.1 come again"


class LateClock(Clock):
    """The machine's clock, put forward by hand."""

    def __init__(self) -> None:
        self.ahead: Millis = 0

    def now(self) -> Millis:
        return super().now() + self.ahead


@pytest.fixture
async def world(opened: OpenDatabase) -> SentCodes:
    return await SentCodes(opened).prepare()


async def application(served: Served, peer: SmtpPeer) -> Codes:
    await served.add_server(ACME, port=peer.port, from_address=FROM)
    secret = await served.token("application")
    return Codes(served, secret, secret)


def code_of(message: bytes) -> str:
    (code,) = re.findall(rb"It is ([0-9]{6})\.", message)
    return str(code.decode())


def states(email: email_pb2.Email) -> list[str]:
    return [
        recipient_pb2.RecipientState.Name(each.state).removeprefix("RECIPIENT_STATE_")
        for each in email.recipients
    ]


@pytest.mark.every_database
async def test_d6_a_mail_that_left_perhaps_is_not_sent_again_and_its_code_is_valid(database: str) -> None:
    async with SmtpPeer(Script({"DOT": hang_up})) as peer, serving(database) as served:
        codes = await application(served, peer)
        sent = (await codes.send()).message
        email = await codes.settled(sent.id)
        assert states(email) == ["UNKNOWN"]
        assert len(peer.messages) == 1
        assert await codes.check(code_of(peer.messages[0])) == "VALID"


async def test_d6_the_code_of_a_mail_that_was_refused_was_never_handed_over(database: str) -> None:
    async with SmtpPeer(Script({"DOT": "554 5.7.1 no"})) as peer, serving(database) as served:
        codes = await application(served, peer)
        email = await codes.settled((await codes.send()).message.id)
        assert states(email) == ["REFUSED"]
        assert await codes.check(code_of(peer.messages[0])) == "EXPIRED"


async def test_d6_a_mail_that_comes_late_brings_a_code_that_is_valid_from_then_on(
    sqlite_database: str,
) -> None:
    clock = LateClock()
    script = Script({"DOT": [SHORT_OF_TIME, "250 2.0.0 taken"]})
    async with SmtpPeer(script) as peer, serving(sqlite_database, clock=clock) as served:
        codes = await application(served, peer)
        expires = email_pb2.Email()
        expires.expire_time.FromMilliseconds(clock.now() + HOUR)
        fields = {"verification": {"validity": {"seconds": 60}}, "expire_time": expires.expire_time}
        sent = (await codes.send(**fields)).message
        await peer.until(lambda: len(peer.messages) == 1)
        first = code_of(peer.messages[0])
        assert await codes.check(first) == "EXPIRED"
        # Ten times as long as the code is valid goes by before a server takes the mail.
        clock.ahead += 10 * MINUTE
        await peer.until(lambda: len(peer.messages) == 2)
        assert states(await codes.settled(sent.id)) == ["DELIVERED"]
        assert code_of(peer.messages[1]) == first
        assert await codes.check(first) == "VALID"


async def test_d6_a_mail_that_is_too_late_is_not_sent_at_all(sqlite_database: str) -> None:
    clock = LateClock()
    async with (
        SmtpPeer(Script({"DOT": SHORT_OF_TIME})) as peer,
        serving(sqlite_database, clock=clock) as served,
    ):
        codes = await application(served, peer)
        sent = (await codes.send(verification={"validity": {"seconds": 300}})).message
        await peer.until(lambda: len(peer.messages) == 1)
        clock.ahead += 5 * MINUTE
        email = await codes.settled(sent.id)
        assert states(email) == ["EXPIRED"]
        assert email.state == email_pb2.EMAIL_STATE_FAILURE
        assert len(peer.messages) == 1
        assert await codes.check(code_of(peer.messages[0])) == "EXPIRED"


async def test_d6_a_code_ends_with_its_validity(sqlite_database: str) -> None:
    clock = LateClock()
    async with SmtpPeer() as peer, serving(sqlite_database, clock=clock) as served:
        codes = await application(served, peer)
        sent = (await codes.send(verification={"validity": {"seconds": 3600}})).message
        await codes.settled(sent.id)
        clock.ahead += HOUR
        assert await codes.check(code_of(peer.messages[0])) == "EXPIRED"


def take(now: Millis) -> Leased:
    (leased,) = lease(1, dict.fromkeys(Lane, 0), 10, Turns(), now, alone=False)
    return leased


async def crash(world: SentCodes, *, at_dot: bool, after: Millis = MINUTE) -> int:
    """A mail whose process died with it, and was rescued later."""
    email_id = await world.send(validity=HOUR)
    leased = await world.store.write(take, world.clock.now())
    if at_dot:
        assert await world.store.write(mark_dot, 1, leased.id, leased.lease_token, world.clock.now())
    world.clock.advance(after)
    assert (await world.store.write(rescue, 1, world.mint, world.clock.now())).total == 1
    return email_id


@pytest.mark.every_database
async def test_d6_after_a_crash_at_the_dot_a_code_is_valid_from_the_dot_on(world: SentCodes) -> None:
    began = world.clock.now()
    email_id = await crash(world, at_dot=True)
    (row,) = await world.rows(Code)
    assert row.hand_over_time == began
    code = await world.code_of(email_id)
    world.clock.advance(HOUR - MINUTE - SECOND)
    assert await world.check(code) is VALID


@pytest.mark.every_database
async def test_d6_after_a_crash_before_the_dot_a_code_is_sent_as_if_nothing_had_been(
    world: SentCodes,
) -> None:
    email_id = await crash(world, at_dot=False)
    code = await world.code_of(email_id)
    assert await world.check(code) is EXPIRED
    (row,) = await world.rows(Code)
    assert row.hand_over_time is None


async def test_d6_a_code_mail_that_has_lost_its_code_does_not_leave(world: SentCodes) -> None:
    letters: Any = Letters(world.store, world.memory, world.maker)
    await world.send(ANN, cc=("cc@x.test",))
    await world.store.write(lambda: Code.delete().execute())

    def take_both() -> list[Leased]:
        return lease(1, dict.fromkeys(Lane, 0), 10, Turns(), world.clock.now(), alone=False)

    mine, masked = await world.store.write(take_both)
    with pytest.raises(ValueError, match="has lost its code"):
        await letters.envelope(mine)
    assert b"******" in (await letters.envelope(masked)).message


async def test_d4_a_server_that_quotes_the_code_does_not_bring_it_into_the_tables(
    sqlite_database: str,
) -> None:
    async def quote(session: Session) -> None:
        await session.say(f"554 5.7.1 no mail about {code_of(session.messages[-1])} please")

    async with SmtpPeer(Script({"DOT": quote})) as peer, serving(sqlite_database) as served:
        codes = await application(served, peer)
        email = await codes.settled((await codes.send()).message.id)
        (recipient,) = email.recipients
        assert recipient.reply == "no mail about ****** please"
        assert [attempt.reply for attempt in email.attempts] == ["no mail about ****** please"]
