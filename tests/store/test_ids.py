"""Ids grow whatever the clock does, and never repeat."""

from __future__ import annotations

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import ManualClock
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.ids import EPOCH, IdMint, first_id_at

COUNTERS = 4096


def parts(made: int) -> tuple[int, int, int]:
    """Milliseconds since 2024, node, counter: the layout of DESIGN §6, written out a second time."""
    return made >> 22, (made >> 12) & 0x3FF, made & 0xFFF


def test_an_id_tells_when_and_where_it_was_made() -> None:
    clock = ManualClock()
    first, second = IdMint(clock, node=1023).many(2)
    assert parts(first) == (clock.now() - EPOCH, 1023, 0)
    assert parts(second) == (clock.now() - EPOCH, 1023, 1)


def test_the_counter_begins_anew_in_each_millisecond() -> None:
    clock = ManualClock()
    mint = IdMint(clock)
    mint.many(100)
    clock.advance(1)
    assert parts(mint.one()) == (clock.now() - EPOCH, 0, 0)


def test_a_clock_set_back_keeps_the_last_millisecond_and_counts_on() -> None:
    clock = ManualClock()
    mint = IdMint(clock)
    before = mint.one()
    clock.set_back(3_600_000)
    assert mint.one() == before + 1


def test_a_full_counter_borrows_the_next_millisecond() -> None:
    clock = ManualClock()
    made = IdMint(clock).many(2 * COUNTERS + 1)
    now = clock.now() - EPOCH
    assert parts(made[COUNTERS - 1]) == (now, 0, COUNTERS - 1)
    assert parts(made[COUNTERS]) == (now + 1, 0, 0)
    assert parts(made[2 * COUNTERS]) == (now + 2, 0, 0)


def test_a_borrowed_millisecond_is_not_used_again_when_it_comes() -> None:
    clock = ManualClock()
    mint = IdMint(clock)
    borrowed = mint.many(COUNTERS + 1)
    clock.advance(1)
    assert parts(mint.one()) == (clock.now() - EPOCH, 0, 1)
    assert len(set(borrowed)) == COUNTERS + 1


def test_none_are_made_when_none_are_asked_for() -> None:
    clock = ManualClock()
    mint = IdMint(clock)
    assert mint.many(0) == []
    assert parts(mint.one())[2] == 0


@pytest.mark.parametrize("node", [-1, 1024])
def test_a_node_has_ten_bits(node: int) -> None:
    with pytest.raises(ValueError, match=r"0\.\.1023"):
        IdMint(ManualClock(), node=node)


def test_nothing_is_made_while_the_node_number_is_in_doubt() -> None:
    beating = threading.Event()
    mint = IdMint(ManualClock(), may_mint=beating.is_set)
    with pytest.raises(Refusal) as refused:
        mint.many(3)
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    beating.set()
    assert len(mint.many(3)) == 3


def test_the_first_id_of_a_time_parts_earlier_rows_from_later_ones() -> None:
    clock = ManualClock()
    mint = IdMint(clock, node=5)
    earlier = mint.many(COUNTERS)
    clock.advance(1)
    assert max(earlier) < first_id_at(clock.now()) < mint.one()


def test_the_first_id_of_a_time_before_ids_is_the_least() -> None:
    assert first_id_at(0) == first_id_at(EPOCH) == 0


@given(st.integers(min_value=0, max_value=EPOCH + 2**41 - 2), st.integers(min_value=0, max_value=1023))
def test_every_id_is_a_positive_64_bit_number(now: int, node: int) -> None:
    """Also on a machine whose clock has not been set: zero means "no such row" in the contract."""
    assert 0 < IdMint(ManualClock(now), node=node).one() < 2**63


@given(
    st.lists(
        st.tuples(st.integers(min_value=-5000, max_value=5000), st.integers(min_value=0, max_value=5000)),
        max_size=12,
    )
)
def test_ids_grow_whatever_the_clock_does(turns: list[tuple[int, int]]) -> None:
    clock = ManualClock()
    mint = IdMint(clock, node=7)
    made: list[int] = []
    for step, count in turns:
        clock.advance(step)
        made += mint.many(count)
    assert all(one < next_one for one, next_one in itertools.pairwise(made))
    assert {parts(one)[1] for one in made} <= {7}


def test_threads_share_a_mint() -> None:
    mint = IdMint(ManualClock())
    made: list[list[int]] = []
    threads = [threading.Thread(target=lambda: made.append(mint.many(5000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for batch in made for one in batch}) == 20_000
