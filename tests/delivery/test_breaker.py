"""The breaker: closed, open, half open, and back."""

from __future__ import annotations

import pytest

from delivery.values import CONNECTION, DELIVERED, ended, reply
from fakes import NOON
from postroom_server.clock import MINUTE, SECOND, Millis
from postroom_server.delivery.breaker import Breaker, BreakerState
from postroom_server.smtp import Level, Phase, Transaction

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
WRONG_PASSWORD = ended(Phase.AUTH, Level.CONNECTION, final=reply(535))
STOPPED = ended(Phase.BODY, Level.LOCAL)


def fail(breaker: Breaker, times: int = 1, now: Millis = NOON, how: Transaction = CONNECTION) -> None:
    for _ in range(times):
        breaker.record(how, now, now)


def opened() -> Breaker:
    breaker = Breaker()
    fail(breaker, 5)
    return breaker


def test_a_probe_that_a_clock_set_back_lets_begin_before_the_opening_is_not_the_last() -> None:
    breaker = opened()
    early, late = NOON - SECOND, NOON + SECOND
    assert breaker.may_try(early)
    assert not breaker.may_try(early)
    breaker.record(DELIVERED, early, late)
    again = breaker.reopen_time
    assert breaker.may_try(again)
    breaker.record(DELIVERED, again, again)
    assert breaker.state(again) is CLOSED


def test_five_failures_in_a_row_open_it_for_half_a_minute() -> None:
    breaker = Breaker()
    fail(breaker, 4)
    assert breaker.state(NOON) is CLOSED
    assert breaker.may_try(NOON)
    fail(breaker)
    assert breaker.state(NOON) is OPEN
    assert breaker.reopen_time == NOON + 30 * SECOND
    assert not breaker.may_try(NOON + 30 * SECOND - 1)


@pytest.mark.parametrize(
    "success",
    [
        DELIVERED,
        ended(Phase.DOT, Level.MESSAGE, final=reply(554)),
        ended(Phase.MAIL, Level.MESSAGE, final=reply(451)),
        ended(Phase.RCPT, Level.RECIPIENT),
    ],
)
def test_a_server_that_speaks_its_mind_is_no_failure(success: Transaction) -> None:
    breaker = Breaker()
    fail(breaker, 4)
    breaker.record(success, NOON, NOON)
    fail(breaker, 4)
    assert breaker.state(NOON) is CLOSED


@pytest.mark.parametrize(
    ("failure", "pause"),
    [
        (WRONG_PASSWORD, 30 * SECOND),
        (ended(Phase.AUTH, Level.CONNECTION), 30 * SECOND),
        (ended(Phase.BANNER, Level.CONNECTION, final=reply(554)), 15 * MINUTE),
    ],
)
def test_some_failures_open_it_at_once(failure: Transaction, pause: Millis) -> None:
    breaker = Breaker()
    fail(breaker, how=failure)
    assert breaker.state(NOON) is OPEN
    assert breaker.reopen_time == NOON + pause


@pytest.mark.parametrize(
    "failure",
    [
        ended(Phase.AUTH, Level.CONNECTION, final=reply(454)),
        ended(Phase.BANNER, Level.CONNECTION, final=reply(421)),
        ended(Phase.STARTTLS, Level.CONNECTION),
    ],
)
def test_others_count_like_any(failure: Transaction) -> None:
    breaker = Breaker()
    fail(breaker, how=failure)
    assert breaker.state(NOON) is CLOSED


def test_half_open_it_lets_one_probe_through() -> None:
    breaker, later = opened(), NOON + 30 * SECOND
    assert breaker.state(later) is HALF_OPEN
    assert breaker.may_try(later)
    assert not breaker.may_try(later)


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker, later = opened(), NOON + 30 * SECOND
    assert breaker.may_try(later)
    breaker.record(DELIVERED, later, later)
    assert breaker.state(later) is CLOSED
    assert (breaker.failures, breaker.phase, breaker.reply) == (0, None, "")
    fail(breaker, 4, later)
    assert breaker.state(later) is CLOSED


def test_each_probe_that_fails_doubles_the_pause_up_to_a_quarter_of_an_hour() -> None:
    breaker, now, pauses = opened(), NOON, []
    for _ in range(8):
        pauses.append((breaker.reopen_time - now) // SECOND)
        now = breaker.reopen_time
        assert breaker.may_try(now)
        fail(breaker, now=now)
        assert breaker.state(now) is OPEN
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]


def test_connections_that_fail_together_count_as_one_opening() -> None:
    breaker = Breaker()
    for after in range(16):
        breaker.record(CONNECTION, NOON, NOON + 1 + after)
    assert breaker.openings == 1
    assert breaker.reopen_time == NOON + 5 + 30 * SECOND
    for after in range(16):
        breaker.record(WRONG_PASSWORD, NOON + 2, NOON + 100 + after)
    assert breaker.openings == 1


def test_what_was_begun_before_it_opened_neither_ends_the_probe_nor_closes_it() -> None:
    breaker, later = opened(), NOON + 31 * SECOND
    assert breaker.may_try(later)
    for old in (CONNECTION, DELIVERED):
        breaker.record(old, NOON - 1, later + 1)
        assert breaker.state(later + 1) is HALF_OPEN
        assert not breaker.may_try(later + 1)


def test_a_probe_that_we_stopped_ourselves_makes_room_for_another() -> None:
    breaker, later = opened(), NOON + 30 * SECOND
    assert breaker.may_try(later)
    breaker.record(STOPPED, later, later)
    assert breaker.may_try(later)
    breaker.give_up_probe()
    assert breaker.may_try(later)


def test_it_says_what_it_last_heard() -> None:
    breaker = Breaker()
    fail(breaker, how=WRONG_PASSWORD)
    assert (breaker.phase, breaker.reply) == (Phase.AUTH, "said")


def test_a_line_lost_behind_the_dot_is_a_failure_too() -> None:
    breaker = Breaker()
    fail(breaker, 4)
    fail(breaker, how=ended(Phase.DOT, Level.AMBIGUOUS))
    assert breaker.state(NOON) is OPEN


def test_a_clock_that_is_set_back_does_not_keep_it_open() -> None:
    breaker = opened()
    earlier = NOON - 60 * MINUTE
    assert breaker.state(earlier) is HALF_OPEN
    assert breaker.may_try(earlier)
    breaker.record(CONNECTION, earlier, earlier)
    assert breaker.state(earlier) is OPEN
    assert breaker.state(earlier + 60 * SECOND) is HALF_OPEN
    assert breaker.may_try(earlier + 60 * SECOND)
    breaker.record(DELIVERED, earlier + 60 * SECOND, earlier + 61 * SECOND)
    assert breaker.state(earlier + 61 * SECOND) is CLOSED
