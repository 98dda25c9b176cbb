"""A line's slots, its order, its rate, and who loses patience in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from delivery.values import CONNECTION, job, server
from fakes import NOON
from postroom_server.clock import SECOND
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


def test_a_rate_spaces_beginnings_out() -> None:
    there = line(messages_per_second=4.0)
    put(there, NORMAL, NORMAL, NORMAL)
    assert take_all(there) == [NORMAL]
    assert there.pause(NOON) == 0.25
    assert take_all(there, NOON + 249) == []
    assert take_all(there, NOON + 250) == [NORMAL]
    assert take_all(there, NOON + 10 * SECOND) == [NORMAL]
    assert there.pause(NOON) == 0


def test_who_waits_long_for_a_slot_is_let_go() -> None:
    there = line(max_connections=1)
    running, *waiting = put(there, NORMAL, BULK, URGENT)
    assert there.take(NOON) is waiting[1]
    late = job()
    there.put(late, NOON + SECOND)
    assert there.take_impatient(NOON + 10 * SECOND - 1) == []
    assert set(there.take_impatient(NOON + 10 * SECOND)) == {running, waiting[0]}
    assert there.empty() == [late]


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
