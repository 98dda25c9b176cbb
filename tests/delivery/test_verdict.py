"""What SMTP transactions mean: the rows of delivery.md §6."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from delivery.values import ended, leased, middle, replies, reply
from fakes import NOON
from postroom_server.clock import HOUR, MINUTE, SECOND, Millis
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.verdict import (
    Next,
    Outcome,
    Verdict,
    judge,
    judge_abandoned,
    judge_local_error,
    judge_without_server,
)
from postroom_server.smtp import Level, Phase, Transaction
from postroom_server.store.models import RecipientState

D, R, U = RecipientState.DELIVERED, RecipientState.REFUSED, RecipientState.UNKNOWN
NEVER_TWICE = {"at_most_once": True}
CODE = {"is_code": True}


@dataclasses.dataclass(frozen=True)
class Row:
    says: str
    ended: Transaction
    outcome: Outcome
    states: tuple[RecipientState | None, ...]  # None: stays open
    wait: int = 0  # milliseconds, where somebody stays open
    tries: bool = True
    fails_over: bool = False
    of: dict[str, Any] = dataclasses.field(default_factory=dict)


def connection(phase: Phase, code: int | None = None, answers: tuple[Any, ...] = (None,)) -> Transaction:
    return ended(phase, Level.CONNECTION, answers, reply(code) if code else None)


def message(phase: Phase, code: int, *answers: int | None, enhanced: str = "") -> Transaction:
    return ended(phase, Level.MESSAGE, replies(*answers or (None,)), reply(code, enhanced))


def taken(*answers: Any) -> Transaction:
    everybody = all(answer == 250 for answer in answers)
    level = Level.NONE if everybody else Level.RECIPIENT
    return ended(Phase.DOT, level, replies(*answers), reply(250))


def lost(*answers: Any) -> Transaction:
    return ended(Phase.DOT, Level.AMBIGUOUS, replies(*answers))


ELSEWHERE = {"tries": False, "fails_over": True}
ROWS = [
    # connection level: next server, breaker, no try spent
    Row("connect", connection(Phase.CONNECT), Outcome.CONNECTION, (None,), **ELSEWHERE),
    Row("banner 421", connection(Phase.BANNER, 421), Outcome.CONNECTION, (None,), **ELSEWHERE),
    Row("banner 554", connection(Phase.BANNER, 554), Outcome.CONNECTION, (None,), **ELSEWHERE),
    Row("no STARTTLS", connection(Phase.STARTTLS), Outcome.CONNECTION, (None,), **ELSEWHERE),
    Row("AUTH 535", connection(Phase.AUTH, 535), Outcome.CONNECTION, (None,), **ELSEWHERE),
    Row("MAIL 421", connection(Phase.MAIL, 421), Outcome.CONNECTION, (None,), **ELSEWHERE),
    Row("RCPT 421", connection(Phase.RCPT, 421, replies(421)), Outcome.CONNECTION, (None,), **ELSEWHERE),
    Row("line lost", connection(Phase.BODY, None, replies(250)), Outcome.CONNECTION, (None,), **ELSEWHERE),
    Row(
        "RCPT 550, then 421: nothing was sent to anyone",
        connection(Phase.RCPT, 421, replies(550, 421)), Outcome.CONNECTION, (None, None), **ELSEWHERE,
    ),
    # message level
    Row("MAIL 451", message(Phase.MAIL, 451), Outcome.TRANSIENT, (None,), MINUTE, fails_over=True),
    Row("MAIL 552", message(Phase.MAIL, 552, enhanced="5.3.4"), Outcome.PERMANENT, (R,)),
    Row("MAIL 550", message(Phase.MAIL, 550), Outcome.PERMANENT, (R,)),
    Row("DATA 451", message(Phase.DATA, 451, 250), Outcome.TRANSIENT, (None,), MINUTE, fails_over=True),
    Row("DATA 554", message(Phase.DATA, 554, 250, 250), Outcome.PERMANENT, (R, R)),
    Row("dot 421", message(Phase.DOT, 421, 250), Outcome.TRANSIENT, (None,), MINUTE, fails_over=True),
    Row("dot 451", message(Phase.DOT, 451, 250), Outcome.TRANSIENT, (None,), MINUTE, fails_over=True),
    Row("dot 554", message(Phase.DOT, 554, 250), Outcome.PERMANENT, (R,)),
    Row(
        "dot 451 refuses nobody, RCPT 550 did: no other server is asked",
        message(Phase.DOT, 451, 250, 550), Outcome.TRANSIENT, (None, R), MINUTE,
    ),
    Row("dot 554, RCPT 450", message(Phase.DOT, 554, 250, 450), Outcome.TRANSIENT, (R, None), MINUTE),
    # recipient level
    Row("dot 250", taken(250), Outcome.DELIVERED, (D,)),
    Row("RCPT 251 and 252 are accepted", taken(251, 252), Outcome.DELIVERED, (D, D)),
    Row("RCPT 450", taken(250, 450), Outcome.DELIVERED, (D, None), MINUTE),
    Row("RCPT 550", taken(250, 550), Outcome.DELIVERED, (D, R)),
    Row(
        "452 4.5.3: the rest at once",
        taken(250, reply(452, "4.5.3")), Outcome.DELIVERED, (D, None), 0, tries=False,
    ),
    Row("452 alone: the rest at once", taken(250, 452), Outcome.DELIVERED, (D, None), 0, tries=False),
    Row(
        "452 4.2.2 is a full mailbox, not a limit",
        taken(250, reply(452, "4.2.2")), Outcome.DELIVERED, (D, None), MINUTE,
    ),
    Row(
        "452 to everybody is no reason to hurry",
        ended(Phase.RCPT, Level.RECIPIENT, replies(452, 452)), Outcome.TRANSIENT, (None, None), MINUTE,
        fails_over=True,
    ),
    Row("nobody wanted", ended(Phase.RCPT, Level.RECIPIENT, replies(550, 553)), Outcome.PERMANENT, (R, R)),
    Row(
        "one refused, one greylisted",
        ended(Phase.RCPT, Level.RECIPIENT, replies(550, 450)), Outcome.TRANSIENT, (R, None), MINUTE,
    ),
    # ambiguous
    Row("dot lost", lost(250), Outcome.AMBIGUOUS, (None,), 5 * MINUTE),
    Row("dot lost, one refused before", lost(250, 550), Outcome.AMBIGUOUS, (None, R), 5 * MINUTE),
    Row("dot lost, never twice", lost(250), Outcome.AMBIGUOUS, (U,), of=NEVER_TWICE),
    Row("dot lost, a code", lost(250), Outcome.AMBIGUOUS, (U,), of=CODE),
    Row(
        "dot lost, never twice, one greylisted before: they have it surely not",
        lost(250, 450, 550), Outcome.AMBIGUOUS, (U, None, R), 5 * MINUTE, of=NEVER_TWICE,
    ),
    # codes are in a hurry
    Row(
        "code, dot 451",
        message(Phase.DOT, 451, 250), Outcome.TRANSIENT, (None,), 5 * SECOND, fails_over=True, of=CODE,
    ),
    # ourselves
    Row("stopped before the dot", ended(Phase.BODY, Level.LOCAL), Outcome.ABANDONED, (None,), 0, tries=False),
]  # fmt: skip


def states(verdict: Verdict, delivery: Leased) -> tuple[RecipientState | None, ...]:
    ended_as = {one.recipient_id: one.state for one in verdict.settled}
    stay = {recipient_id for recipient_id, _ in verdict.open}
    assert ended_as.keys() | stay == {recipient.id for recipient in delivery.open_recipients}
    assert not ended_as.keys() & stay
    return tuple(ended_as.get(recipient.id) for recipient in delivery.open_recipients)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.says)
def test_a_transaction_is_judged(row: Row) -> None:
    delivery = leased(len(row.states), **row.of)
    transaction = row.ended
    if len(transaction.replies) != len(row.states):
        transaction = dataclasses.replace(transaction, replies=(None,) * len(row.states))
    verdict = judge(delivery, transaction, now=NOON, uniform=middle)
    assert verdict.outcome is row.outcome
    assert states(verdict, delivery) == row.states
    assert verdict.next is (Next.READY if None in row.states else Next.DONE)
    if None in row.states:
        assert verdict.run_at == NOON + row.wait
    assert verdict.counts_as_try is row.tries
    assert verdict.may_fail_over is row.fails_over
    assert verdict.counts_as_crash is False
    assert verdict.ambiguous is (row.outcome is Outcome.AMBIGUOUS)
    assert verdict.accepted_count == row.states.count(D)
    assert verdict.refused_count == row.states.count(R)


def test_every_message_level_wait_grows_with_the_tries_before() -> None:
    greylisted = message(Phase.DOT, 451, 250)
    waits = [judge(leased(tries=n), greylisted, now=0, uniform=middle).run_at for n in range(4)]
    assert waits == [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE]


def test_nothing_waits_beyond_its_expiry() -> None:
    soon = leased(expire_time=NOON + SECOND)
    for transaction in (message(Phase.DOT, 451, 250), lost(250)):
        assert judge(soon, transaction, now=NOON, uniform=middle).run_at == NOON + SECOND
    assert judge_local_error(soon, now=NOON, uniform=middle).run_at == NOON + SECOND


def test_replies_stay_with_their_recipients() -> None:
    verdict = judge(leased(3), taken(250, 550, 450), now=NOON, uniform=middle)
    assert [(one.recipient_id, one.reply and one.reply.code) for one in verdict.settled] == [
        (1, 250),
        (2, 550),
    ]
    assert [(id_, heard and heard.code) for id_, heard in verdict.open] == [(3, 450)]


def test_a_yes_to_rcpt_is_not_shown_as_the_reply_of_somebody_who_stays_open() -> None:
    assert judge(leased(), lost(250), now=NOON, uniform=middle).open == ((1, None),)


def test_only_open_recipients_are_judged() -> None:
    delivery = leased(3)
    first, *others = delivery.recipients
    delivery = dataclasses.replace(delivery, recipients=(dataclasses.replace(first, is_open=False), *others))
    verdict = judge(delivery, taken(250, 550), now=NOON, uniform=middle)
    assert [(one.recipient_id, one.state) for one in verdict.settled] == [(2, D), (3, R)]


@pytest.mark.parametrize(
    ("crashes", "then"), [(0, Next.READY), (1, Next.READY), (2, Next.HELD), (7, Next.HELD)]
)
def test_our_own_error_holds_the_mail_the_third_time(crashes: int, then: Next) -> None:
    verdict = judge_local_error(leased(2, crash_count=crashes), now=NOON, uniform=middle)
    assert (verdict.next, verdict.outcome) == (then, Outcome.LOCAL)
    assert verdict.open == ((1, None), (2, None))
    assert (verdict.counts_as_crash, verdict.counts_as_try) == (True, False)


def test_given_back_is_as_if_never_leased() -> None:
    verdict = judge_abandoned(leased(2), NOON + 7)
    assert (verdict.outcome, verdict.next, verdict.run_at) == (Outcome.ABANDONED, Next.READY, NOON + 7)
    assert (verdict.counts_as_crash, verdict.counts_as_try, verdict.settled) == (False, False, ())


def test_no_server_is_asked_for_expired_mail() -> None:
    verdict = judge_without_server(leased(2), RecipientState.EXPIRED, Outcome.ABANDONED, NOON)
    assert (verdict.next, verdict.open) == (Next.DONE, ())
    assert [one.state for one in verdict.settled] == [RecipientState.EXPIRED] * 2


@pytest.mark.parametrize(
    ("tries", "wait"), [(0, 5 * MINUTE), (2, 5 * MINUTE), (3, 8 * MINUTE), (5, 32 * MINUTE), (9, 4 * HOUR)]
)
def test_ambiguous_mail_waits_longer_each_time(tries: int, wait: Millis) -> None:
    # Every attempt may have been a copy.
    lost = ended(Phase.DOT, Level.AMBIGUOUS, replies(250))
    verdict = judge(leased(1, tries=tries), lost, now=NOON, uniform=middle)
    assert verdict.run_at == NOON + wait
