"""How much of each lane a process leases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.delivery.shares import share
from postroom_server.store.models import Lane

URGENT, NORMAL, BULK = Lane


def held(urgent: int = 0, normal: int = 0, bulk: int = 0) -> dict[Lane, int]:
    return {URGENT: urgent, NORMAL: normal, BULK: bulk}


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (held(), (100, 75, 60)),
        (held(normal=60), (40, 15, 15)),
        (held(normal=75), (25, 0, 0)),
        (held(bulk=60), (40, 15, 0)),
        (held(normal=15, bulk=60), (25, 0, 0)),
        (held(urgent=100), (0, 0, 0)),
        (held(urgent=90), (10, 0, 0)),
        # in bites of an eighth: one free place is not worth a question
        (held(normal=63), (37, 12, 12)),
        (held(normal=64), (36, 0, 0)),
    ],
)
def test_shares(there: dict[Lane, int], wanted: tuple[int, int, int]) -> None:
    assert tuple(share(lane, there, 100) for lane in Lane) == wanted


@pytest.mark.parametrize("capacity", [1, 2, 3, 8, 512])
def test_an_idle_process_leases_of_every_lane_whatever_its_size(capacity: int) -> None:
    assert share(URGENT, held(), capacity) == capacity
    assert capacity == 1 or share(NORMAL, held(), capacity) >= 1


@given(st.integers(2, 600), st.lists(st.sampled_from(list(Lane)), max_size=60), st.data())
def test_whatever_comes_and_goes_a_quarter_stays_for_urgent_mail(
    capacity: int, lanes: list[Lane], data: st.DataObject
) -> None:
    there = held()
    for lane in lanes:
        there[lane] += share(lane, there, capacity)
        assert sum(there.values()) <= capacity
        assert there[NORMAL] + there[BULK] <= 0.75 * capacity
        assert there[BULK] <= 0.6 * capacity
        done = data.draw(st.sampled_from(list(Lane)))
        there[done] -= data.draw(st.integers(0, there[done]))
