"""Security row E7: who guesses tokens too often waits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from postroom_server.rpc.failures import Failures, bucket_of, host_of_peer

from .conftest import ManualMonotonic


def failing(failures: Failures, address: str, times: int) -> None:
    for _ in range(times):
        failures.note(address)


def test_e7_twenty_failures_are_borne_and_then_the_address_waits() -> None:
    clock = ManualMonotonic()
    failures = Failures(clock)
    failing(failures, "a", 19)
    assert failures.blocked_for("a") is None
    clock.seconds += 20
    failing(failures, "a", 1)
    assert failures.blocked_for("a") == timedelta(seconds=40)
    assert failures.blocked_for("b") is None
    clock.seconds += 40
    assert failures.blocked_for("a") is None
    assert not failures.any()


def test_e7_a_new_window_begins_with_the_first_failure_after_the_old_one() -> None:
    clock = ManualMonotonic()
    failures = Failures(clock, limit=2)
    failing(failures, "a", 1)
    clock.seconds += 60
    failing(failures, "a", 1)
    assert failures.blocked_for("a") is None
    clock.seconds += 59
    failing(failures, "a", 1)
    assert failures.blocked_for("a") == timedelta(seconds=1)


def test_e7_memory_is_bounded_and_the_oldest_address_is_forgotten() -> None:
    failures = Failures(ManualMonotonic(), limit=1, max_addresses=3)
    for address in "abcd":
        failures.note(address)
    assert [failures.blocked_for(address) is None for address in "abcd"] == [True, False, False, False]


@pytest.mark.parametrize(
    ("peer", "bucket"),
    [
        ("ipv4:192.0.2.7:50512", "192.0.2.7"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:50512", "2001:db8:1:2::/64"),
        ("ipv6:[2001:db8:1:2::9]:1", "2001:db8:1:2::/64"),
        ("ipv6:%5B::ffff:192.0.2.7%5D:50512", "192.0.2.7"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5", "fe80::/64"),
        ("unix:/run/postroom.sock", "unix"),
        ("unix:", "unix"),
        ("local:", "local"),
    ],
)
def test_e7_a_peer_has_a_bucket(peer: str, bucket: str) -> None:
    assert bucket_of(host_of_peer(peer)) == bucket
