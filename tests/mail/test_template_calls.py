"""Remembered calls are forgotten in time, and are never more than is of use."""

from __future__ import annotations

import pytest

from fakes import NOON, ManualClock
from postroom_server.clock import DAY, HOUR
from postroom_server.mail.call_shape import shape_of
from postroom_server.mail.housekeeping import Housekeeping
from postroom_server.mail.limits import Limits
from postroom_server.mail.template_calls import (
    MOST_CALLERS,
    MOST_SHAPES,
    crowded_templates,
    find_callers,
    find_calls,
    forget_calls,
)
from postroom_server.store.models import TemplateCall, TemplateCaller
from postroom_server.store.statement import insert
from postroom_server.store.unit import Store

MIDNIGHT = NOON - 12 * HOUR
_CALL, _CALLER = insert(TemplateCall), insert(TemplateCaller)


def put(*calls: tuple[str, int], template_id: int = 1, callers: int = 1, labels: str = "[]") -> None:
    _CALL.many([(template_id, digest, "en", 0, '{"name":"text"}', False, time) for digest, time in calls])
    _CALLER.many(
        [
            (template_id, digest, token, 7, f"token {token}", labels, time + token)
            for digest, time in calls
            for token in range(callers)
        ]
    )


def kept() -> tuple[list[str], list[tuple[str, int]]]:
    calls = [row.digest for row in TemplateCall.select().order_by(TemplateCall.digest)]
    return calls, sorted((row.digest, row.token_id) for row in TemplateCaller.select())


@pytest.mark.every_database
async def test_what_was_seen_too_long_ago_is_forgotten(store: Store) -> None:
    clock = ManualClock()
    first_day = MIDNIGHT - 30 * DAY
    await store.write(put, ("old", first_day - 1), ("first", first_day), ("today", NOON))
    await Housekeeping(store, clock, Limits()).tidy()
    assert await store.read(kept) == (["first", "today"], [("first", 0), ("today", 0)])
    await Housekeeping(store, clock, Limits(), guard_days=1).tidy()
    assert await store.read(kept) == (["today"], [("today", 0)])


@pytest.mark.every_database
async def test_a_long_list_is_forgotten_in_short_units(store: Store) -> None:
    await store.write(put, *((f"{i:04}", MIDNIGHT - 40 * DAY) for i in range(600)))
    assert await store.write(forget_calls, NOON - 30 * DAY) == 500
    assert len((await store.read(kept))[0]) == 100
    await Housekeeping(store, ManualClock(), Limits()).tidy()
    assert await store.read(kept) == ([], [])


@pytest.mark.every_database
async def test_of_one_template_the_latest_kinds_of_calls_are_kept(store: Store) -> None:
    await store.write(put, *((f"{i:04}", NOON - i) for i in range(MOST_SHAPES)))
    await store.write(put, ("other", NOON - DAY), template_id=2)
    assert await store.read(crowded_templates) == []
    await store.write(put, ("latest", NOON + 1))
    assert await store.read(crowded_templates) == [1]
    await Housekeeping(store, ManualClock(), Limits()).tidy()
    calls, callers = await store.read(kept)
    assert len(calls) == MOST_SHAPES + 1
    assert f"{MOST_SHAPES - 1:04}" not in calls
    assert {digest for digest, _ in callers} == set(calls) >= {"latest", "other", "0000"}


@pytest.mark.every_database
async def test_of_one_kind_of_call_the_latest_callers_are_kept(store: Store) -> None:
    await store.write(put, ("a", NOON), callers=MOST_CALLERS)
    assert await store.read(crowded_templates) == []
    await store.write(put, ("b", NOON), callers=MOST_CALLERS + 2)
    assert await store.read(crowded_templates) == [1]
    await Housekeeping(store, ManualClock(), Limits()).tidy()
    assert (await store.read(kept))[1] == [
        *(("a", token) for token in range(MOST_CALLERS)),
        *(("b", token) for token in range(2, MOST_CALLERS + 2)),
    ]


@pytest.mark.every_database
async def test_only_the_latest_are_compared_and_told(store: Store) -> None:
    await store.write(put, *((f"{i:04}", NOON - i) for i in range(MOST_SHAPES + 1)))
    found = await store.read(find_calls, 1, NOON - DAY)
    assert [call.digest for call in found] == [f"{i:04}" for i in range(MOST_SHAPES)]
    assert found[0].shape == shape_of({"name": "Ann"})
    await store.write(put, ("told", NOON), callers=MOST_CALLERS + 1, template_id=3)
    callers = (await store.read(find_callers, 3, ["told"], NOON))["told"]
    assert [one.token for one in callers] == [f"token {i}" for i in range(MOST_CALLERS, 0, -1)]


@pytest.mark.every_database
async def test_labels_that_most_calls_have_are_told_first(store: Store) -> None:
    labels = '[{"run":"1","app":"web"},{"run":"2","app":"web"},{"run":"3"}]'
    await store.write(put, ("a", NOON), labels=labels)
    (caller,) = (await store.read(find_callers, 1, ["a"], NOON))["a"]
    assert caller.labels[0] == "app=web"
    assert set(caller.labels) == {"app=web", "run=1", "run=2", "run=3"}


@pytest.mark.every_database
async def test_the_latest_calls_of_each_token_come_first_and_stay(store: Store) -> None:
    """One token's noise is newer than all that another sent."""
    noise = [f"noise{i:03}" for i in range(MOST_SHAPES + 5)]

    def fill() -> None:
        put(("quiet1", NOON - 2 * DAY), ("quiet2", NOON - 2 * DAY - 1))
        _CALL.many([(1, digest, "en", 0, "{}", False, NOON) for digest in noise])
        _CALLER.many([(1, digest, 9, 7, "noisy", "[]", NOON) for digest in noise])

    await store.write(fill)
    found = [call.digest for call in await store.read(find_calls, 1, NOON - 5 * DAY)]
    assert found == [noise[0], "quiet1", noise[1], "quiet2", *noise[2 : MOST_SHAPES - 2]]
    await Housekeeping(store, ManualClock(), Limits()).tidy()
    calls, callers = await store.read(kept)
    assert (len(calls), calls) == (MOST_SHAPES, sorted(found))
    assert {digest for digest, _ in callers} == set(found)
