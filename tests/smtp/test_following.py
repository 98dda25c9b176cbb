"""The next mail's commands behind the dot: one breath on the wire, two outcomes that are not mixed up."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from peers.smtp_letters import endpoint_of, envelope
from peers.smtp_peer import OFFERS, Script, Session, SmtpPeer, flood, hang_up, in_words, silence, then
from postroom_server.smtp import Envelope, Level, Loan, Phase, Pool, TlsMode, Transaction

LOCKSTEP = tuple(offer for offer in OFFERS if offer != "PIPELINING")
FIRST = envelope("first@peer.test", message=b"Subject: 1\r\n\r\n.one\r\n..\r\n.\r\n")
SECOND = envelope("a@peer.test", "b@peer.test", message=b"Subject: 2\r\n\r\ntwo\r\n")
THIRD = envelope("third@peer.test", message=b"Subject: 3\r\n\r\nthree\r\n")


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool()
    yield pool
    await pool.close(grace=1)
    assert pool.connections == 0


@dataclasses.dataclass
class Run:
    """Mails one after the other over one loan, each asked for behind the dot of the one before it."""

    loan: Loan
    peer: SmtpPeer
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)
    asked: int = 0

    async def send(self, what: Envelope, following: Envelope | None = None, **more: Any) -> Transaction:
        def ask() -> Envelope | None:
            self.asked += 1
            return following

        endpoint = endpoint_of(self.peer, **self.changes)
        return await self.loan.send(endpoint, what, following=ask, **more)

    async def both(self) -> tuple[Transaction, Transaction]:
        return await self.send(FIRST, SECOND), await self.send(SECOND)


def on_the_wire(what: Envelope) -> bytes:
    return what.message.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def told(transaction: Transaction) -> tuple[Any, ...]:
    """All that an outcome says, but for the words of faults."""
    return (*dataclasses.astuple(transaction)[:4], bool(transaction.error), transaction.started)


async def test_the_next_mail_begins_in_the_same_breath_as_the_dot(pool: Pool) -> None:
    seen = list[bytes]()

    async def look(session: Session) -> None:
        seen.append(session.inbox)
        await session.say("250 taken")

    async with SmtpPeer(Script({"DOT": look})) as peer:
        run = Run(pool.loan(1), peer)
        first, second = await run.both()
        run.loan.give_back()
        await pool.close(grace=1)
    assert (first.level, second.level, len(peer.sessions)) == (Level.NONE, Level.NONE, 1)
    assert peer.messages == [on_the_wire(FIRST), on_the_wire(SECOND)]
    assert seen[0].split(b"\r\n")[1:] == [
        b"RCPT TO:<a@peer.test>", b"RCPT TO:<b@peer.test>", b"DATA", b""
    ]  # fmt: skip
    assert peer.commands[-1] == "QUIT"


async def test_a_server_without_pipelining_is_never_told_more_than_one_thing(pool: Pool) -> None:
    async with SmtpPeer(Script(offers=LOCKSTEP)) as peer:
        run = Run(pool.loan(1), peer)
        first, second = await run.both()
        run.loan.give_back()
    assert (first.level, second.level, run.asked, len(peer.sessions)) == (Level.NONE, Level.NONE, 0, 1)


async def test_many_mails_follow_each_other_with_equal_bytes(pool: Pool) -> None:
    mails = [
        envelope(message=b"Subject: x\r\n\r\n" + b".%d\r\n" % size * size) for size in (1, 9_000, 40_000, 3)
    ]
    async with SmtpPeer() as peer:
        run = Run(pool.loan(1), peer)
        for mail, next_ in zip(mails, [*mails[1:], None], strict=True):
            assert (await run.send(mail, next_)).level is Level.NONE
        run.loan.give_back()
    assert peer.messages == [on_the_wire(mail) for mail in mails]
    assert len(peer.sessions) == 1


async def test_it_works_inside_tls(pool: Pool, certificates: Any) -> None:
    async with SmtpPeer(Script(tls=certificates.server)) as peer:
        run = Run(pool.loan(1), peer, {"tls": TlsMode.REQUIRED, "ca_file": certificates.ca_file})
        first, second = await run.both()
        run.loan.give_back()
        await pool.close(grace=1)
    assert (first.level, second.level, len(peer.sessions)) == (Level.NONE, Level.NONE, 1)
    assert second.tls_version == first.tls_version != ""


REPLIES = [
    "451 4.3.0 later", "550 5.1.1 no", "452 4.5.3 too many", "421 4.4.2 bye", "354 what?", "250 ok"
]  # fmt: skip
FAULTS = [
    "what?", then("250 ok", hang_up), then("550 no", hang_up), then(b"250 half a li", silence), hang_up,
    silence,
]  # fmt: skip
WELL = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", "DOT": "250 taken"}


async def second_of_two(pool: Pool, occasion: str, move: Any, *, follows: bool) -> tuple[Any, ...]:
    """What is told of the second mail, to whose `occasion` the server makes its move, and what came."""
    async with SmtpPeer(Script({occasion: [WELL[occasion], move, WELL[occasion]]})) as peer:
        run = Run(pool.loan(follows), peer, {"patience": {occasion.lower(): 0.1, "total": 0.5}})
        first = await run.send(FIRST, SECOND if follows else None)
        second = await run.send(SECOND)
        run.loan.give_back()
    assert first.level is Level.NONE
    return (*told(second), [session.messages for session in peer.sessions])


@pytest.mark.parametrize("move", REPLIES)
@pytest.mark.parametrize("occasion", list(WELL))
async def test_a_reply_to_the_next_mail_means_what_it_means_to_one_that_comes_alone(
    pool: Pool, occasion: str, move: str
) -> None:
    behind, alone = [await second_of_two(pool, occasion, move, follows=follows) for follows in (True, False)]
    assert behind == alone


@pytest.mark.parametrize("move", FAULTS, ids=in_words)
@pytest.mark.parametrize("occasion", list(WELL))
async def test_a_fault_in_the_next_mail_is_told_as_of_one_that_comes_alone_or_it_is_not_begun(
    pool: Pool, occasion: str, move: Any
) -> None:
    behind, alone = [await second_of_two(pool, occasion, move, follows=follows) for follows in (True, False)]
    # A line that is found lost before the mail's turn has come is nothing to the mail: it takes another.
    if behind[1] is Level.NONE and occasion != "DOT":
        assert behind[-1] == [[on_the_wire(FIRST)], [on_the_wire(SECOND)]]
    else:
        assert behind == alone


@pytest.mark.parametrize("occasion", list(WELL))
async def test_replies_without_end_deliver_nothing_twice(pool: Pool, occasion: str) -> None:
    *_, started, sessions = await second_of_two(pool, occasion, flood(b"250 ok\r\n" * 100), follows=True)
    messages = [message for session in sessions for message in session]
    assert messages == [on_the_wire(FIRST), *[on_the_wire(SECOND)] * started]


@pytest.mark.parametrize(
    "move", [hang_up, silence, "354 go on", "what?", then(b"250 tak", hang_up), then(b"250 tak", silence)],
    ids=in_words,
)  # fmt: skip
async def test_a_line_lost_after_the_dot_leaves_that_mail_in_doubt_and_the_next_one_unsent(
    pool: Pool, move: Any
) -> None:
    async with SmtpPeer(Script({"DOT": [move, "250 taken"]})) as peer:
        run = Run(pool.loan(1), peer, {"patience": {"dot": 0.1}})
        first, second = await run.both()
        run.loan.give_back()
        await pool.close(grace=1)
    assert (first.phase, first.level, first.started) == (Phase.DOT, Level.AMBIGUOUS, True)
    assert second.level is Level.NONE
    assert [session.messages for session in peer.sessions] == [[on_the_wire(FIRST)], [on_the_wire(SECOND)]]


async def test_a_server_that_leaves_with_its_verdict_is_asked_again_for_the_next(pool: Pool) -> None:
    for verdict, level in [("250 taken", Level.NONE), ("451 later", Level.MESSAGE), ("421 x", Level.MESSAGE)]:
        async with SmtpPeer(Script({"DOT": [then(verdict, hang_up), "250 taken"]})) as peer:
            run = Run(pool.loan(verdict), peer)
            first, second = await run.both()
            run.loan.give_back()
        assert (first.level, second.level) == (level, Level.NONE)
        assert [len(session.messages) for session in peer.sessions] == [1, 1]


@pytest.mark.parametrize("refusal", ["451 4.7.1 later", "554 5.7.1 spam"])
async def test_behind_a_refused_message_all_goes_on(pool: Pool, refusal: str) -> None:
    async with SmtpPeer(Script({"DOT": [refusal, "250 taken"]})) as peer:
        run = Run(pool.loan(1), peer)
        first, second = await run.both()
        run.loan.give_back()
        await pool.close(grace=1)
    assert (first.level, str(first.final), second.level) == (Level.MESSAGE, refusal, Level.NONE)
    assert len(peer.sessions) == 1


@pytest.mark.parametrize("occasion", ["MAIL", "RCPT", "DATA"])
async def test_a_refusal_behind_a_refused_message_is_asked_for_again_over_a_line_of_its_own(
    pool: Pool, occasion: str
) -> None:
    well = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go"}[occasion]
    answers = {"DOT": ["552 5.3.4 too big", "250 taken"], occasion: [well, "550 5.7.1 no", well]}
    async with SmtpPeer(Script(answers)) as peer:
        run = Run(pool.loan(1), peer)
        first, second = await run.both()
        run.loan.give_back()
    assert (first.level, second.level) == (Level.MESSAGE, Level.NONE)
    assert [len(session.messages) for session in peer.sessions] == [1, 1]


async def test_a_message_refused_twice_is_not_the_next_one_s_refusal(pool: Pool) -> None:
    twice = then(b"552 5.3.4 too big\r\n552 5.3.4 I said: too big\r\n")
    async with SmtpPeer(Script({"DOT": [twice, "250 taken"]})) as peer:
        run = Run(pool.loan(1), peer)
        first, second = await run.both()
        run.loan.give_back()
    assert (first.level, second.level) == (Level.MESSAGE, Level.NONE)
    assert [len(session.messages) for session in peer.sessions] == [1, 1]


async def test_the_next_mail_may_still_be_stopped_before_its_dot(pool: Pool) -> None:
    async def stop() -> bool:
        return False

    async with SmtpPeer() as peer:
        run = Run(pool.loan(1), peer)
        first = await run.send(FIRST, SECOND)
        second = await run.send(SECOND, THIRD, before_dot=stop)
        third = await run.send(THIRD)
        run.loan.give_back()
        await peer.until(lambda: peer.sessions[0].has_ended)
    assert [first.level, second.level, third.level] == [Level.NONE, Level.LOCAL, Level.NONE]
    assert (second.phase, second.started, run.asked) == (Phase.BODY, False, 2)
    assert [len(session.messages) for session in peer.sessions] == [1, 1]
    assert not {"RSET", "QUIT"} & set(peer.sessions[0].commands)


async def test_a_begun_mail_that_is_given_up_closes_the_line_and_leaves_nothing(pool: Pool) -> None:
    async with SmtpPeer() as peer:
        run = Run(pool.loan(1), peer)
        assert (await run.send(FIRST, SECOND)).level is Level.NONE
        assert (await run.send(THIRD)).level is Level.NONE
        assert (await run.send(FIRST, SECOND)).level is Level.NONE
        run.loan.give_back()
        await peer.until(lambda: all(session.has_ended for session in peer.sessions))
        assert pool.connections == 0
    assert [len(session.messages) for session in peer.sessions] == [1, 2]
    assert not {"RSET", "QUIT"} & set(peer.commands)
    # Nor as text: the server has said 354.
    assert [session.inbox for session in peer.sessions] == [b"", b""]


async def test_what_the_server_cannot_take_is_not_begun_and_the_line_goes_on(pool: Pool) -> None:
    big = envelope(message=b"x" * 98 + b"\r\n")
    async with SmtpPeer(Script(offers=("PIPELINING", "SIZE 50"))) as peer:
        run = Run(pool.loan(1), peer)
        outcomes = [await run.send(FIRST, big), await run.send(big), await run.send(THIRD)]
        run.loan.give_back()
    assert [one.level for one in outcomes] == [Level.NONE, Level.MESSAGE, Level.NONE]
    assert [len(session.messages) for session in peer.sessions] == [2]


@pytest.mark.parametrize(("changes", "sessions"), [({"max_messages": 2}, 2), ({"max_age": 0.0}, 4)])
async def test_a_connection_s_limits_count_what_follows(
    pool: Pool, changes: dict[str, Any], sessions: int
) -> None:
    mails = [envelope() for _ in range(4)]
    async with SmtpPeer() as peer:
        run = Run(pool.loan(1), peer, changes)
        for mail, next_ in zip(mails, [*mails[1:], None], strict=True):
            assert (await run.send(mail, next_)).level is Level.NONE
        run.loan.give_back()
        await pool.close(grace=1)
    assert len(peer.sessions) == sessions
    assert all(session.commands[-1] == "QUIT" for session in peer.sessions)
    assert len(peer.messages) == 4


async def test_a_changed_endpoint_takes_the_next_mail_elsewhere(pool: Pool) -> None:
    async with SmtpPeer() as peer:
        run = Run(pool.loan(1), peer)
        await run.send(FIRST, SECOND)
        run.changes = {"helo_name": "new.test"}
        assert (await run.send(SECOND)).level is Level.NONE
        run.loan.give_back()
        await pool.close(grace=1)
    assert [len(session.messages) for session in peer.sessions] == [1, 1]
    assert peer.sessions[1].commands[0] == "EHLO new.test"


@pytest.mark.parametrize("closing", [False, True])
async def test_fencing_lets_the_dot_have_its_answer_and_the_next_mail_none_of_the_line(
    pool: Pool, closing: bool
) -> None:
    go_on = asyncio.Event()

    async def wait(session: Session) -> None:
        await go_on.wait()
        await session.say("250 taken")

    async with SmtpPeer(Script({"DOT": [wait, "250 taken"]})) as peer:
        run = Run(pool.loan(1), peer)
        task = asyncio.create_task(run.send(FIRST, SECOND))
        await peer.until(lambda: len(peer.messages) == 1)
        fencing = asyncio.create_task(pool.close(grace=5)) if closing else None
        await asyncio.sleep(0)
        pool.abort_before_dot()
        go_on.set()
        assert (await task).level is Level.NONE
        second = await run.send(SECOND)
        assert second.level is (Level.LOCAL if closing else Level.NONE)
        run.loan.give_back()
        if fencing:
            await fencing
        await peer.until(lambda: peer.sessions[0].has_ended)
    assert len(peer.sessions[0].messages) == 1


async def test_a_cancelled_mail_takes_what_was_begun_behind_it_along(pool: Pool) -> None:
    async with SmtpPeer(Script({"DOT": [silence, "250 taken"]})) as peer:
        run = Run(pool.loan(1), peer)
        task = asyncio.create_task(run.send(FIRST, SECOND))
        await peer.until(lambda: len(peer.messages) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await run.send(SECOND)).level is Level.NONE
        run.loan.give_back()
    assert [len(session.messages) for session in peer.sessions] == [1, 1]


async def test_a_mistake_in_asking_writes_no_dot(pool: Pool) -> None:
    def broken() -> Envelope | None:
        raise ZeroDivisionError

    async with SmtpPeer() as peer:
        loan = pool.loan(1)
        with pytest.raises(ZeroDivisionError):
            await loan.send(endpoint_of(peer), FIRST, following=broken)
        loan.give_back()
        await peer.until_ended()
    assert peer.messages == []
