"""A line's slots, its order, its rate, and who loses patience in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from delivery.values import CONNECTION, job, server
from fakes import NOON
from postroom_server.clock import HOUR, SECOND
from postroom_server.delivery.line import Job, Line
from postroom_server.store.models import Lane

URGENT, NORMAL, BULK = Lane


def line(**changes: Any) -> Line:
    return Line(server(**changes), 16)


def put(there: Line, *lanes: Lane) -> list[Job]:
    jobs = [job(lane=lane) for lane in lanes]
    for one in jobs:
        there.put(one, NOON)
    return jobs


def take_all(there: Line, now: int = NOON) -> list[Lane]:
    taken = []
    while (one := there.take(now)) is not None:
        taken.append(one.leased.lane)
    return taken


@pytest.mark.parametrize(
    ("slots", "waiting", "taken"),
    [
        (8, [NORMAL] * 9, [NORMAL] * 6),
        (8, [BULK] * 9, [BULK] * 4),
        (8, [BULK] * 9 + [NORMAL] * 9, [NORMAL] * 6),
        (8, [BULK] * 9 + [NORMAL], [NORMAL] + [BULK] * 4),
        (8, [NORMAL] * 9 + [URGENT] * 9, [URGENT] * 8),
        (8, [NORMAL] * 9 + [URGENT], [URGENT] + [NORMAL] * 6),
        # Small lines still carry every lane.
        (1, [BULK, BULK], [BULK]),
        (2, [BULK, NORMAL, NORMAL], [NORMAL]),
        (2, [NORMAL, URGENT, URGENT], [URGENT, URGENT]),
        # The server names no number: the deployment's.
        (0, [URGENT] * 20, [URGENT] * 16),
    ],
)
def test_slots(slots: int, waiting: Sequence[Lane], taken: list[Lane]) -> None:
    there = line(max_connections=slots)
    put(there, *waiting)
    assert take_all(there) == taken


def test_a_slot_that_is_given_back_is_taken_by_whoever_is_next() -> None:
    there = line(max_connections=1)
    first, second = put(there, NORMAL, NORMAL)
    assert there.take(NOON) is first
    assert there.take(NOON) is None
    there.done(first)
    assert there.take(NOON) is second


@pytest.mark.parametrize(
    ("slots", "running", "lane", "waiting", "taken"),
    [
        (1, [NORMAL], NORMAL, [NORMAL], True),
        (1, [BULK], BULK, [BULK], True),
        (4, [BULK] * 2, BULK, [BULK], True),
        # Urgent mail waits for a slot, and nobody is to keep one from it.
        (1, [URGENT], URGENT, [URGENT], False),
        (1, [NORMAL], NORMAL, [NORMAL, URGENT], False),
        # A slot passes on within its lane only, and not past a lane that goes first.
        (1, [NORMAL], NORMAL, [BULK], False),
        (1, [BULK], BULK, [NORMAL], False),
        (1, [BULK], BULK, [NORMAL, BULK], False),
        (1, [NORMAL], NORMAL, [NORMAL, BULK], True),
        (1, [NORMAL], NORMAL, [], False),
    ],
)
def test_who_rides_behind_a_dot(
    slots: int, running: Sequence[Lane], lane: Lane, waiting: Sequence[Lane], taken: bool
) -> None:
    there = line(max_connections=slots)
    put(there, *running)
    assert take_all(there) == running
    jobs = put(there, *waiting)
    rider = there.take_behind(lane, NOON, lambda _: True)
    assert (rider in jobs and rider.leased.lane is lane) if taken else rider is None


def test_who_does_not_fit_stays_where_it_was() -> None:
    there = line(max_connections=1)
    _, second, third = put(there, NORMAL, NORMAL, NORMAL)
    assert there.take(NOON)
    assert there.take_behind(NORMAL, NOON, lambda _: False) is None
    assert there.take_behind(NORMAL, NOON, lambda _: True) is second
    there.put_first(second)
    assert there.empty() == [second, third]


def test_who_is_leased_alone_goes_first_in_its_lane_and_does_not_ride() -> None:
    there = line(max_connections=1)
    first, second = put(there, NORMAL, NORMAL)
    assert there.take(NOON) is first
    alone = job(alone=True)
    there.put(alone, NOON)
    assert there.take_behind(NORMAL, NOON, lambda _: True) is None
    there.done(first)
    assert there.take(NOON) is alone
    assert there.empty() == [second]


def test_nobody_rides_where_a_rate_or_a_breaker_or_fewer_slots_forbid_it() -> None:
    def rider(failures: int = 0, **changes: Any) -> Job | None:
        there = line(max_connections=4)
        put(there, *[NORMAL] * 4)
        assert take_all(there) == [NORMAL] * 3
        there.server = server(**{"max_connections": 4, **changes})
        for _ in range(failures):
            there.breaker.record(CONNECTION, NOON, NOON)
        return there.take_behind(NORMAL, NOON, lambda _: True)

    assert rider() is not None
    assert rider(messages_per_second=100.0) is None
    assert rider(max_connections=2) is None
    assert rider(failures=5) is None


def test_a_rate_spaces_beginnings_out() -> None:
    there = line(messages_per_second=4.0)
    put(there, NORMAL, NORMAL, NORMAL)
    assert take_all(there) == [NORMAL]
    assert there.pause(NOON) == 0.25
    assert take_all(there, NOON + 249) == []
    assert take_all(there, NOON + 250) == [NORMAL]
    assert take_all(there, NOON + 10 * SECOND) == [NORMAL]
    assert there.pause(NOON) == 0


def test_a_clock_that_is_set_back_does_not_stop_a_line_with_a_rate() -> None:
    there = line(messages_per_second=4.0)
    put(there, NORMAL, NORMAL, NORMAL)
    assert take_all(there) == [NORMAL]
    assert there.pause(NOON - HOUR) == 0
    assert take_all(there, NOON - HOUR) == [NORMAL]
    assert take_all(there, NOON - HOUR + 249) == []
    assert take_all(there, NOON - HOUR + 250) == [NORMAL]


def test_who_waits_long_for_a_slot_is_let_go() -> None:
    there = line(max_connections=1)
    running, *waiting = put(there, NORMAL, BULK, URGENT)
    assert there.take(NOON) is waiting[1]
    late = job()
    there.put(late, NOON + SECOND)
    assert there.take_impatient(NOON + 10 * SECOND - 1) == []
    assert set(there.take_impatient(NOON + 10 * SECOND)) == {running, waiting[0]}
    assert there.empty() == [late]


def test_who_is_leased_alone_makes_way_soon_and_nobody_waits_for_a_clock_that_was_set_back() -> None:
    there = line()
    ordinary, alone = job(), job(alone=True)
    for one in (ordinary, alone):
        there.put(one, NOON)
    assert there.take_impatient(NOON + SECOND // 4 - 1) == []
    assert there.take_impatient(NOON + SECOND // 4) == [alone]
    assert there.take_impatient(NOON - 1) == [ordinary]


def test_mail_only_waits_when_it_was_written_a_while_ago() -> None:
    one = job()
    assert not one.only_waits(1000.0)
    one.written_at = 999.5
    assert not one.only_waits(1000.0)
    assert one.only_waits(1000.5)


def test_jobs_are_taken_out_one_by_one_or_all() -> None:
    there = line()
    first, second, third = put(there, NORMAL, BULK, NORMAL)
    assert there.remove(second)
    assert not there.remove(second)
    assert there.empty() == [first, third]
    assert there.empty() == []


def test_an_open_breaker_lets_nothing_begin_and_a_half_open_one_a_single_job() -> None:
    there = line()
    put(there, NORMAL, URGENT)
    for _ in range(5):
        there.breaker.record(CONNECTION, NOON, NOON)
    assert take_all(there) == []
    assert take_all(there, NOON + 30 * SECOND) == [URGENT]


def test_it_asks_for_one_probe() -> None:
    there = line()
    for _ in range(5):
        there.breaker.record(CONNECTION, NOON, NOON)
    later = NOON + 30 * SECOND
    assert not there.wants_probe(later - 1)
    assert there.wants_probe(later)
    put(there, NORMAL)
    assert not there.wants_probe(later)
    assert there.take(later)
    assert not there.wants_probe(later)
