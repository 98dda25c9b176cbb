"""A server's limit of recipients is remembered for a while, and nobody is kept waiting by it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from delivery.carrying import BY_ITSELF, World, at
from delivery.ledgers import delivery, put_and_take, recipient_states
from delivery.values import ended, job, leased, middle, replies, reply
from fakes import NOON, ManualClock
from peers.smtp_peer import Script, Session, SmtpPeer
from postroom_server.clock import HOUR, MINUTE
from postroom_server.delivery import transmission
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.line import Job
from postroom_server.delivery.recipient_limits import MOST_SERVERS, RecipientLimits
from postroom_server.delivery.settle import settle
from postroom_server.delivery.verdict import Next, Outcome, Verdict, judge, judge_unread
from postroom_server.smtp import Level, Phase, Reply, Transaction
from postroom_server.store.ids import IdMint
from postroom_server.store.unit import Store

TOO_MANY = reply(452, "4.5.3")


def heard(*answers: Reply | int | None) -> Transaction:
    return ended(Phase.DOT, Level.RECIPIENT, replies(*answers), reply(250))


def asked(limits: RecipientLimits, count: int, now: int = NOON, *, transactions: int = 0) -> list[int]:
    """Which of so many recipients are asked."""
    part = limits.share(1, leased(count, transactions=transactions), now)
    return [recipient.id for recipient in part.open_recipients]


def test_a_server_that_named_no_limit_gets_everybody_in_one_transaction() -> None:
    limits = RecipientLimits()
    limits.learn(1, heard(250, 450, 550), NOON)
    whole = leased(500)
    assert limits.share(1, whole, NOON) is whole


@pytest.mark.parametrize(
    ("answers", "limit"),
    [
        ((250, 250, TOO_MANY, TOO_MANY), 2),
        ((250, 550, 452), 2),
        ((250, reply(451, "4.5.3")), 1),
        # A full mailbox is no limit, and none at all is nothing to live with.
        ((250, reply(452, "4.2.2")), None),
        ((TOO_MANY, TOO_MANY), None),
        ((250, None), None),
    ],
)
def test_the_limit_is_where_the_server_said_so(answers: tuple[Reply | int, ...], limit: int | None) -> None:
    limits = RecipientLimits()
    limits.learn(1, heard(*answers), NOON)
    assert (limits.of(1, NOON), limits.of(2, NOON)) == (limit, None)


def test_as_many_as_the_limit_go_together_and_not_one_more() -> None:
    limits = RecipientLimits()
    limits.learn(1, heard(250, 250, TOO_MANY), NOON)
    assert asked(limits, 2) == [1, 2]
    assert asked(limits, 3) == [1, 2]


def test_who_goes_first_changes_from_lease_to_lease() -> None:
    limits = RecipientLimits()
    limits.learn(1, heard(250, 250, TOO_MANY), NOON)
    turns = [asked(limits, 5, transactions=n) for n in range(1, 4)]
    assert turns == [[3, 4], [1, 5], [2, 3]]


def test_a_limit_is_forgotten_after_an_hour() -> None:
    limits = RecipientLimits()
    limits.learn(1, heard(250, TOO_MANY), NOON)
    assert limits.of(1, NOON + HOUR - 1) == 1
    assert limits.of(1, NOON + HOUR) is None
    assert limits.of(1, NOON - 1) is None


def test_a_lower_limit_counts_and_a_higher_one_only_when_the_old_is_forgotten() -> None:
    limits = RecipientLimits()
    limits.learn(1, heard(250, 250, 250, TOO_MANY), NOON)
    limits.learn(1, heard(250, TOO_MANY), NOON)
    limits.learn(1, heard(250, 250, TOO_MANY), NOON + MINUTE)
    assert limits.of(1, NOON + MINUTE) == 1
    limits.learn(1, heard(250, 250, TOO_MANY), NOON + 2 * HOUR)
    assert limits.of(1, NOON + 2 * HOUR) == 2


def test_no_more_servers_are_remembered_than_fit() -> None:
    limits = RecipientLimits()
    for server_id in range(MOST_SERVERS + 1):
        limits.learn(server_id, heard(250, TOO_MANY), NOON)
    known = [server_id for server_id in range(MOST_SERVERS + 1) if limits.of(server_id, NOON)]
    assert known == list(range(1, MOST_SERVERS + 1))


# What becomes of those who are spared.


def spared(*answers: Reply | int | None, count: int = 3, final: int = 250, **changes: object) -> object:
    part = RecipientLimits()
    part.learn(1, heard(*[250] * len(answers), TOO_MANY), NOON)
    one = part.share(1, leased(count, transactions=0, **changes), NOON)  # type: ignore[arg-type]
    phase, level = (Phase.DOT, Level.RECIPIENT) if final else (Phase.DOT, Level.AMBIGUOUS)
    said = ended(phase, level, replies(*answers), reply(final) if final else None)
    verdict = judge(one, said, now=NOON, uniform=middle)
    return (verdict.next, [id_ for id_, _ in verdict.open], verdict.run_at - NOON, verdict.counts_as_try)


def test_they_go_at_once_when_anybody_was_settled() -> None:
    assert spared(250, 250) == (Next.READY, [3], 0, False)
    assert spared(250, 450) == (Next.READY, [2, 3], 0, False)
    assert spared(550, 450) == (Next.READY, [2, 3], 0, False)


def test_they_wait_with_the_others_when_nobody_was() -> None:
    assert spared(450, 451, count=4) == (Next.READY, [1, 2, 3, 4], MINUTE, True)


def test_they_wait_behind_an_ambiguous_dot_unless_that_has_ended_the_others() -> None:
    assert spared(250, 550, final=0) == (Next.READY, [1, 3], 5 * MINUTE, True)
    assert spared(250, 250, final=0, at_most_once=True) == (Next.READY, [3], 0, False)


@pytest.mark.every_database
async def test_they_stay_open_in_the_tables(store: Store) -> None:
    taken = await store.write(put_and_take, cc=["b@example.com", "c@example.com"])
    limits = RecipientLimits()
    limits.learn(1, heard(250, TOO_MANY), NOON)
    part = limits.share(1, taken, NOON)
    said = ended(Phase.DOT, Level.NONE, replies(250), reply(250))
    verdict = judge(part, said, now=NOON, uniform=middle)
    settlement = Settlement(part, verdict, said, 1, NOON, NOON)
    await store.write(settle, 1, [settlement], IdMint(ManualClock()), NOON)
    assert sorted(await store.read(recipient_states, taken.id)) == ["DELIVERED", "OPEN", "OPEN"]
    assert (await store.read(delivery, taken.id))["state"] == "READY"


# Over real conversations.


class Stingy:
    """Takes so many recipients a transaction."""

    def __init__(self, most: int) -> None:
        self._most = most

    async def __call__(self, session: Session) -> None:
        begun = max(n for n, command in enumerate(session.commands) if command.startswith("MAIL"))
        there = len(session.commands) - 1 - begun
        await session.say("250 yes" if there <= self._most else "452 4.5.3 too many recipients")


async def test_a_rider_s_recipients_are_those_that_its_letter_names(world: World) -> None:
    """The limit is learned from the mail before it, when its own commands are under way already."""
    told = list[str]()

    async def stingy_once(session: Session) -> None:
        await (Stingy(2)(session) if len(told) < 3 else session.say("250 yes"))
        told.append(session.commands[-1])

    async with SmtpPeer(Script({"RCPT": stingy_once})) as peer:
        world.begin(*three_jobs(peer))
        assert await world.outcomes(3) == [Outcome.DELIVERED] * 3
        first, second, _ = (settlement.verdict for settlement in world.reported)
        assert [id_ for id_, _ in first.open] == [3]
        assert ([one.recipient_id for one in second.settled], second.open) == ([1, 2, 3], ())
        assert len(peer.sessions) == 1


async def test_a_rider_that_is_too_many_too_is_told_so_and_the_slot_goes_on(world: World) -> None:
    async with SmtpPeer(Script({"RCPT": Stingy(2)})) as peer:
        world.begin(*three_jobs(peer))
        assert await world.outcomes(3) == [Outcome.DELIVERED] * 3
    assert [[id_ for id_, _ in one.verdict.open] for one in world.reported] == [[3], [3], []]


@BY_ITSELF
async def test_what_was_written_ahead_to_everybody_is_not_sent_to_a_part(world: World) -> None:
    async with SmtpPeer(Script({"RCPT": Stingy(2)})) as peer:
        jobs = [job(at(peer, max_connections=1), id=100 + n) for n in range(4)]
        for n, one in enumerate(jobs):
            one.leased = leased(3, id=100 + n, message_id=f"{n}@x.test")
        world.begin(*jobs)
        assert await world.outcomes(4) == [Outcome.DELIVERED] * 4
        commands = [command for session in peer.sessions for command in session.commands]
    # The second rode when the limit was not known yet; those behind it were written along with it.
    starts = [n for n, command in enumerate(commands) if command.startswith("MAIL")]
    named = [commands[start:].index("DATA") - 1 for start in starts]
    assert named == [3, 3, 2, 2]
    assert [len(one.verdict.open) for one in world.reported] == [1] * 4
    assert all(one.envelope is None for one in jobs)


def three_jobs(peer: SmtpPeer) -> list[Job]:
    """For one slot: two of three recipients each, and one of one."""
    jobs = [job(at(peer, max_connections=1), id=100 + n, message_id=f"{n}@x.test") for n in range(3)]
    jobs[0].leased, jobs[1].leased = leased(3, id=100), leased(3, id=101)
    return jobs


@pytest.mark.parametrize(("crashes", "following"), [(0, Next.READY), (1, Next.READY), (2, Next.HELD)])
async def test_a_transaction_that_cannot_be_read_is_ambiguous_and_the_slot_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, crashes: int, following: Next
) -> None:
    def stumble(one: Leased, *given: Any, **named: Any) -> Verdict:
        if one.id == 100:
            raise ValueError("ours")
        return judge(one, *given, **named)

    monkeypatch.setattr(transmission, "judge", stumble)
    async with SmtpPeer(Script({})) as peer:
        facts = at(peer, max_connections=1)
        world.begin(job(facts, id=100, crash_count=crashes), job(facts, id=101, message_id="1@x.test"))
        assert await world.outcomes(2) == [Outcome.AMBIGUOUS, Outcome.DELIVERED]
    verdict = world.reported[0].verdict
    assert (verdict.counts_as_crash, verdict.counts_as_try, verdict.next) == (True, False, following)


def test_who_is_spared_stays_open_when_a_transaction_cannot_be_read() -> None:
    """A mail that must not repeat ends for those who were asked, not for the others."""
    part = dataclasses.replace(leased(3, at_most_once=True), spared=frozenset({3}))
    verdict = judge_unread(part, heard(250, 250), now=NOON, uniform=middle)
    assert [one.recipient_id for one in verdict.settled] == [1, 2]
    assert ([id_ for id_, _ in verdict.open], verdict.next) == ([3], Next.READY)


async def test_the_next_mail_asks_for_no_more_than_the_server_took(world: World) -> None:
    async with SmtpPeer(Script({"RCPT": Stingy(2)})) as peer:
        one = job(at(peer))
        one.leased = leased(3)
        world.begin(one)
        assert await world.outcomes(1) == [Outcome.DELIVERED]
        first = world.reported[0].verdict
        assert ([id_ for id_, _ in first.open], first.run_at, first.counts_as_try) == ([3], NOON, False)
        another = job(at(peer))
        another.leased = leased(3, id=11, transactions=2)
        world.begin(another)
        assert await world.outcomes(2) == [Outcome.DELIVERED] * 2
        second = world.reported[1].verdict
        assert ([id_ for id_, _ in second.open], second.run_at) == ([1], NOON)
        assert [command[:4] for command in peer.commands].count("RCPT") == 3 + 2
