"""Guesses are counted per purpose and address, lock, and are neither reset nor outrun (security.md D1-D3)."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from peers.configuration import OTHER
from postroom_server.clock import DAY, HOUR, MINUTE
from postroom_server.mail.limits import Limits
from postroom_server.store.models import CodeGuess, Event
from postroom_server.store.opening import OpenDatabase
from sent_codes import ANN, EXPIRED, LOCKED, VALID, WRONG, SentCodes, wrong

PURPOSES = ("SIGNIN", "SIGNUP", "PASSWORD_FORGET", "BIND_EMAIL")


@pytest.fixture
async def world(opened: OpenDatabase) -> SentCodes:
    # Sending often is another matter: test_codes_sends.py.
    limits = Limits(code_interval=0, codes_per_hour=100, codes_per_day=100)
    return await SentCodes(opened, limits).prepare()


async def test_d1_the_fifth_wrong_guess_locks(world: SentCodes) -> None:
    code = await world.obtain()
    assert await world.fail(6, code) == [WRONG, WRONG, WRONG, WRONG, LOCKED, LOCKED]
    assert await world.check(code) is LOCKED
    (event,) = await world.rows(Event, Event.kind == "CODE_SETTLED")
    assert event.state == "LOCKED"


async def test_d1_four_wrong_guesses_do_not(world: SentCodes) -> None:
    code = await world.obtain()
    await world.fail(4, code)
    assert await world.check(code) is VALID


async def test_d2_asking_for_a_new_code_does_not_reset_the_count(world: SentCodes) -> None:
    outcomes = [(await world.fail(1, await world.obtain()))[0] for _ in range(5)]
    assert outcomes == [WRONG, WRONG, WRONG, WRONG, LOCKED]
    assert await world.check(await world.obtain()) is LOCKED


async def test_d1_a_lock_is_over_an_hour_after_the_last_guess_that_counted(world: SentCodes) -> None:
    await world.fail(5, await world.obtain())
    world.clock.advance(HOUR - 1)
    fresh = await world.obtain()
    # Knocking at a locked door does not lengthen the lock.
    assert await world.check(wrong(fresh)) is LOCKED
    assert await world.check(fresh) is LOCKED
    world.clock.advance(1)
    assert await world.check(fresh) is VALID


async def test_d6_a_code_that_was_locked_never_comes_back(world: SentCodes) -> None:
    code = await world.obtain(validity=DAY)
    await world.fail(5, code)
    world.clock.advance(HOUR)
    assert await world.check(code) is EXPIRED


async def test_d1_a_code_has_five_guesses_however_long_it_is_valid(world: SentCodes) -> None:
    code = await world.obtain(validity=DAY)
    outcomes = []
    for n in range(1, 6):
        outcomes.append(await world.check(wrong(code, n)))
        world.clock.advance(2 * HOUR)
    assert outcomes == [WRONG, WRONG, WRONG, WRONG, LOCKED]
    assert await world.check(code) is EXPIRED


async def test_d2_the_count_is_forgotten_after_an_hour_without_wrong_guesses(world: SentCodes) -> None:
    await world.fail(4, await world.obtain())
    world.clock.advance(HOUR - 1)
    assert await world.fail(1, await world.obtain()) == [LOCKED]
    world.clock.advance(HOUR)
    assert await world.fail(4, await world.obtain()) == [WRONG] * 4
    world.clock.advance(HOUR)
    code = await world.obtain()
    assert await world.fail(4, code) == [WRONG] * 4
    assert await world.check(code) is VALID


async def test_d2_a_right_guess_resets_the_count(world: SentCodes) -> None:
    for _ in range(3):
        code = await world.obtain()
        assert await world.fail(4, code) == [WRONG] * 4
        assert await world.check(code) is VALID


async def test_d2_a_lock_is_for_one_purpose_and_address_and_tenant(world: SentCodes) -> None:
    await world.fail(5, await world.obtain())
    assert await world.check(await world.obtain(biz_key="SIGNUP"), biz_key="SIGNUP") is VALID
    bob = "bob@example.com"
    assert await world.check(await world.obtain(bob), bob) is VALID
    assert await world.check(await world.obtain(tenant_id=OTHER), tenant_id=OTHER) is VALID


async def test_d5_guesses_at_any_spelling_count_together(world: SentCodes) -> None:
    code = await world.obtain()
    spellings = [
        "ann@example.com",
        "Ann@example.com",
        "ANN@EXAMPLE.COM",
        "ann@Example.com",
        "aNN@example.com",
    ]
    outcomes = [await world.check(wrong(code, n), spelling) for n, spelling in enumerate(spellings, 1)]
    assert outcomes == [WRONG, WRONG, WRONG, WRONG, LOCKED]


async def test_d1_ten_failures_an_hour_lock_an_address_over_all_purposes(world: SentCodes) -> None:
    held = {purpose: await world.obtain(biz_key=purpose) for purpose in PURPOSES}
    for purpose in PURPOSES[:3]:
        assert await world.fail(3, held[purpose], biz_key=purpose) == [WRONG] * 3
    assert await world.fail(1, held["BIND_EMAIL"], biz_key="BIND_EMAIL") == [LOCKED]
    for purpose in PURPOSES:
        assert await world.check(held[purpose], biz_key=purpose) is LOCKED
    # Elsewhere nothing is locked.
    assert await world.check(await world.obtain(tenant_id=OTHER), tenant_id=OTHER) is VALID
    world.clock.advance(HOUR)
    assert await world.check(await world.obtain()) is VALID


async def test_d1_nine_failures_over_all_purposes_lock_nothing(world: SentCodes) -> None:
    held = {purpose: await world.obtain(biz_key=purpose) for purpose in PURPOSES}
    for purpose in PURPOSES[:3]:
        await world.fail(3, held[purpose], biz_key=purpose)
    for purpose in PURPOSES:
        assert await world.check(held[purpose], biz_key=purpose) is VALID


async def test_d1_limits_are_settings(opened: OpenDatabase) -> None:
    limits = Limits(code_interval=0, code_guesses=2, code_failures_per_hour=3)
    world = await SentCodes(opened, limits).prepare()
    assert await world.fail(2, await world.obtain()) == [WRONG, LOCKED]
    assert await world.fail(1, await world.obtain(biz_key="SIGNUP"), biz_key="SIGNUP") == [LOCKED]


@pytest.mark.every_database
async def test_d3_parallel_wrong_guesses_never_exceed_the_limit(world: SentCodes) -> None:
    code = await world.obtain()
    told = await asyncio.gather(*(world.check(wrong(code, n)) for n in range(1, 51)))
    assert Counter(told) == {WRONG: 4, LOCKED: 46}
    (tally,) = await world.rows(CodeGuess)
    assert tally.wrong_count == 5


@pytest.mark.every_database
async def test_d3_parallel_guesses_over_all_purposes_never_exceed_the_limit(world: SentCodes) -> None:
    held = {purpose: await world.obtain(biz_key=purpose) for purpose in PURPOSES}
    told = await asyncio.gather(
        *(world.check(wrong(held[purpose], n), biz_key=purpose) for n in range(1, 11) for purpose in PURPOSES)
    )
    assert Counter(told)[WRONG] <= 9
    assert sum(tally.wrong_count for tally in await world.rows(CodeGuess)) == 10


@pytest.mark.every_database
async def test_d3_a_right_guess_among_wrong_ones_succeeds_once_or_is_locked_out(world: SentCodes) -> None:
    code = await world.obtain()
    guesses = [wrong(code, n) for n in range(1, 5)] + [code] * 20 + [wrong(code, n) for n in range(5, 9)]
    told = Counter(await asyncio.gather(*(world.check(guess) for guess in guesses)))
    assert told[VALID] <= 1
    assert told[WRONG] <= 4


@pytest.mark.parametrize("tried", [ANN, "nobody@example.com"])
async def test_d1_e6_guesses_at_nothing_are_not_counted_and_leave_no_rows(
    world: SentCodes, tried: str
) -> None:
    before = await world.counts()
    for n in range(20):
        assert await world.check(f"{n:06d}", tried) is EXPIRED
    assert await world.counts() == before
    # Whoever asks now is not locked out by those who guessed before there was a code.
    code = await world.obtain(tried)
    assert await world.check(code, tried) is VALID


async def test_d1_guesses_at_a_used_or_old_code_are_not_counted(world: SentCodes) -> None:
    used = await world.obtain()
    await world.check(used)
    assert await world.fail(10, used) == [EXPIRED] * 10
    old = await world.obtain(validity=MINUTE)
    world.clock.advance(MINUTE)
    assert await world.fail(10, old) == [EXPIRED] * 10
    assert await world.rows(CodeGuess) == []


async def test_d1_a_lock_is_told_also_when_there_is_no_code(world: SentCodes) -> None:
    await world.fail(5, await world.obtain(validity=MINUTE))
    world.clock.advance(10 * MINUTE)
    assert await world.check("000000") is LOCKED
