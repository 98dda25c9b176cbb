"""When to try again."""

from __future__ import annotations

import pytest

from delivery.values import low, middle
from postroom_server.clock import HOUR, MINUTE, SECOND, Millis
from postroom_server.delivery import retry


@pytest.mark.parametrize(
    ("tries", "wait"),
    [
        (1, MINUTE),
        (2, 2 * MINUTE),
        (3, 4 * MINUTE),
        (8, 128 * MINUTE),
        (9, 4 * HOUR),
        (10, 4 * HOUR),
        (10_000, 4 * HOUR),
    ],
)
def test_delays_double_up_to_four_hours(tries: int, wait: Millis) -> None:
    assert retry.delay(tries, is_code=False, uniform=middle) == wait


@pytest.mark.parametrize(("tries", "seconds"), [(1, 5), (2, 15), (3, 45), (4, 120), (5, 120), (99, 120)])
def test_codes_are_tried_sooner(tries: int, seconds: int) -> None:
    assert retry.delay(tries, is_code=True, uniform=middle) == seconds * SECOND


@pytest.mark.parametrize("is_code", [True, False])
def test_delays_differ_by_a_fifth_either_way(is_code: bool) -> None:
    asked: list[tuple[float, float]] = []

    def high(least: float, most: float) -> float:
        asked.append((least, most))
        return most

    whole = retry.delay(3, is_code=is_code, uniform=middle)
    assert retry.delay(3, is_code=is_code, uniform=low) == round(0.8 * whole)
    assert retry.delay(3, is_code=is_code, uniform=high) == round(1.2 * whole)
    assert asked == [(0.8, 1.2)]


def test_a_delay_is_not_asked_before_a_try() -> None:
    with pytest.raises(ValueError, match="after a try"):
        retry.delay(0, is_code=False, uniform=middle)


@pytest.mark.parametrize(
    ("transactions", "wait"), [(0, 5), (1, 5), (2, 10), (3, 20), (8, 640), (9, 900), (5000, 900)]
)
def test_a_server_that_turns_one_mail_away_is_not_asked_again_at_once(transactions: int, wait: int) -> None:
    assert retry.pause(transactions, uniform=middle) == wait * SECOND
