"""The timetable of an open loop."""

from __future__ import annotations

import itertools

import pytest
from bench.schedule import arrivals


def test_a_timetable_ascends_and_ends_in_time() -> None:
    plan = arrivals(500.0, 4.0, seed=1)

    assert plan == sorted(plan)
    assert plan[0] > 0
    assert plan[-1] < 4.0


def test_as_many_are_planned_as_the_rate_says() -> None:
    # Ten thousand on average; the seed fixes which sample this is.
    assert 9_700 < len(arrivals(1000.0, 10.0, seed=3)) < 10_300


def test_gaps_are_uneven_as_those_of_callers_who_do_not_know_of_each_other() -> None:
    plan = arrivals(1000.0, 10.0, seed=3)
    gaps = [later - earlier for earlier, later in itertools.pairwise(plan)]

    # Of an exponential distribution 1 - 1/e are shorter than the mean.
    assert 0.60 < sum(gap < 0.001 for gap in gaps) / len(gaps) < 0.66


def test_a_seed_names_a_timetable() -> None:
    assert arrivals(100.0, 1.0, seed=5) == arrivals(100.0, 1.0, seed=5)
    assert arrivals(100.0, 1.0, seed=5) != arrivals(100.0, 1.0, seed=6)


@pytest.mark.parametrize("rate", [0.0, -1.0])
def test_a_rate_is_more_than_nothing(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        arrivals(rate, 1.0, seed=1)
