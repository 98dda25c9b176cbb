"""An alarm: rung from any thread it ends a rest, and nobody minds one that nobody hears."""

from __future__ import annotations

import asyncio

from postroom_server.delivery.alarm import Alarm

HOUR = 3600.0


async def test_it_ends_a_rest_from_another_thread() -> None:
    alarm = Alarm()
    alarm.arm()
    resting = asyncio.create_task(alarm.rest(HOUR))
    await asyncio.to_thread(alarm.ring)
    async with asyncio.timeout(10):
        assert await resting


async def test_a_rest_that_nobody_ends_is_over_in_time() -> None:
    alarm = Alarm()
    alarm.arm()
    assert not await alarm.rest(0.01)


async def test_who_rings_before_the_rest_is_heard_until_it_is_silenced() -> None:
    alarm = Alarm()
    alarm.arm()
    alarm.ring()
    assert await alarm.rest(10)
    assert await alarm.rest(10)
    alarm.silence()
    assert not await alarm.rest(0.01)


def test_before_it_is_armed_and_after_its_loop_has_ended_ringing_does_nothing() -> None:
    alarm = Alarm()
    alarm.ring()

    async def arm() -> bool:
        alarm.arm()
        return await alarm.rest(0.01)

    assert not asyncio.run(arm())
    alarm.ring()
