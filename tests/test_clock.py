"""Clocks: one that follows another is not misled by the machine's own."""

from __future__ import annotations

import time

import pytest

from postroom_server.clock import HOUR, Clock, SteeredClock


class ByHand(SteeredClock):
    """Its monotonic hand is turned by the test."""

    elapsed = 0.0

    def monotonic(self) -> float:
        return 1000.0 + self.elapsed


def test_a_steered_clock_shows_the_machine_s_time_until_it_is_set() -> None:
    assert abs(SteeredClock().now() - Clock().now()) < 1000


def test_then_it_goes_on_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ByHand()
    clock.steer(5 * HOUR, 1000.0)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert clock.now() == 5 * HOUR
    clock.elapsed = 1.5
    assert clock.now() == 5 * HOUR + 1500
    clock.steer(4 * HOUR, 1001.0)
    assert clock.now() == 4 * HOUR + 500
