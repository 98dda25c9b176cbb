"""Codes and counts of guesses that can matter no more are deleted; what can still matter is kept."""

from __future__ import annotations

from typing import Any

import pytest

from postroom_server.clock import DAY, HOUR, MINUTE, Millis
from postroom_server.mail.codes import forget_codes
from postroom_server.mail.housekeeping import Housekeeping
from postroom_server.mail.limits import Limits
from postroom_server.refusals import Refusal
from postroom_server.store.models import Code, CodeGuess, Delivery
from postroom_server.store.opening import OpenDatabase
from sent_codes import ANN, EXPIRED, VALID, WRONG, SentCodes, code_mail, wrong


@pytest.fixture
async def world(opened: OpenDatabase) -> SentCodes:
    return await SentCodes(opened).prepare()


def tidy(world: SentCodes) -> Any:
    return Housekeeping(world.store, world.clock, Limits()).tidy()


def finish(email_id: int, state: str) -> None:
    Delivery.update(state=state).where(Delivery.email_id == email_id).execute()


@pytest.mark.every_database
async def test_codes_that_are_over_are_forgotten_after_two_days(world: SentCodes) -> None:
    used, unused = await world.obtain("a@x.test"), await world.obtain("b@x.test")
    await world.check(used, "a@x.test")
    world.clock.advance(2 * DAY)
    await tidy(world)
    assert len(await world.rows(Code)) == 2
    world.clock.advance(6 * MINUTE)
    assert await world.check(unused, "b@x.test") is EXPIRED
    await tidy(world)
    assert await world.rows(Code) == []
    assert await world.check(unused, "b@x.test") is EXPIRED


async def test_d2_codes_that_count_for_the_limits_are_kept(world: SentCodes) -> None:
    await world.obtain(validity=1000)
    world.clock.advance(MINUTE - 1)
    await tidy(world)
    with pytest.raises(Refusal):
        await world.send()
    for _ in range(9):
        world.clock.advance(2 * HOUR)
        await world.obtain(validity=1000)
    world.clock.advance(5 * HOUR)
    await tidy(world)
    with pytest.raises(Refusal):
        await world.send()


async def test_d6_a_code_that_is_still_valid_is_kept(world: SentCodes) -> None:
    email_id = await world.send(validity=DAY, schedule_time=world.clock.now() + 30 * DAY)
    world.clock.advance(30 * DAY)
    await tidy(world)
    await world.hand_over(email_id)
    world.clock.advance(DAY - 1)
    await tidy(world)
    assert await world.check(await world.code_of(email_id)) is VALID


@pytest.mark.parametrize(
    ("state", "kept"),
    [("PREPARING", 1), ("READY", 1), ("LEASED", 1), ("HELD", 1), ("DONE", 0), ("CANCELLED", 0)],
)
async def test_d6_a_code_that_is_still_to_be_sent_is_kept(world: SentCodes, state: str, kept: int) -> None:
    email_id = await world.send(schedule_time=world.clock.now() + 300 * DAY)
    await world.store.write(finish, email_id, state)
    world.clock.advance(3 * DAY)
    await tidy(world)
    assert len(await world.rows(Code)) == kept


async def test_d1_counts_of_guesses_outlive_the_codes_they_are_about(world: SentCodes) -> None:
    code = await world.obtain(validity=DAY)
    assert await world.check(wrong(code)) is WRONG
    world.clock.advance(DAY - 1)
    await tidy(world)
    assert await world.fail(3, code) == [WRONG] * 3
    (tally,) = await world.rows(CodeGuess)
    assert tally.wrong_count == 4
    world.clock.advance(2 * DAY)
    await tidy(world)
    assert len(await world.rows(CodeGuess)) == 1
    world.clock.advance(1)
    await tidy(world)
    assert await world.rows(CodeGuess) == []


@pytest.mark.every_database
async def test_e6_many_codes_are_forgotten_in_short_units(world: SentCodes) -> None:
    to = tuple(f"u{n}@x.test" for n in range(450))
    waiting = await world.accept(code_mail(*to, schedule_time=world.clock.now() + 300 * DAY))
    for _ in range(2):
        world.clock.advance(DAY)
        await world.hand_over((await world.accept(code_mail(*to, validity=1000))).id)
    world.clock.advance(3 * DAY)

    before: Millis = world.clock.now() - 2 * DAY
    first = await world.store.write(forget_codes, 0, before)
    assert len(await world.rows(Code)) == 3 * 450 - 50
    assert await world.store.write(forget_codes, first, before) > first
    assert len(await world.rows(Code)) == 3 * 450 - 50 - 500
    await tidy(world)

    assert {code.email_id for code in await world.rows(Code)} == {waiting.id}
    assert ANN not in to
