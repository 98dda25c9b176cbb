"""Urgent mail goes ahead of the queue, within the tenant's share."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from accepting import Accepting, draft, templated
from fakes import ManualClock
from peers.configuration import ACME, AUTHOR, OTHER, STRANGER, template
from postroom_server.mail.limits import Limits
from postroom_server.mail.preview import preview
from postroom_server.mail.server_test import ServerTest
from postroom_server.mail.urgency import Urgency
from postroom_server.refusals import Refusal
from postroom_server.store.models import Delivery, Email, Lane, TemplateKind
from postroom_server.store.opening import OpenDatabase

SMALL = Limits(urgent_per_minute=6, urgent_burst=2)


def taken(urgency: Urgency, count: int, tenant_id: int = 1, **own: int) -> list[bool]:
    return [urgency.admits(tenant_id, own) for _ in range(count)]


def test_a_burst_and_not_one_more() -> None:
    urgency = Urgency(ManualClock(), Limits())
    assert taken(urgency, 121) == [True] * 120 + [False]


def test_the_share_grows_evenly_and_not_beyond_the_burst() -> None:
    clock = ManualClock()
    urgency = Urgency(clock, Limits())
    taken(urgency, 120)
    clock.advance(999)
    assert taken(urgency, 1) == [False]
    clock.advance(1)
    assert taken(urgency, 2) == [True, False]
    clock.advance(60_000)
    assert taken(urgency, 61) == [True] * 60 + [False]
    clock.advance(3_600_000)
    assert taken(urgency, 121) == [True] * 120 + [False]


def test_each_tenant_has_its_own_share() -> None:
    urgency = Urgency(ManualClock(), SMALL)
    assert taken(urgency, 3, 1) == taken(urgency, 3, 2) == [True, True, False]


def test_a_tenants_own_limits_stand_in_for_the_settings() -> None:
    clock = ManualClock()
    urgency = Urgency(clock, SMALL)
    assert taken(urgency, 4, 1, urgent_burst=3) == [True] * 3 + [False]
    clock.advance(1000)
    assert taken(urgency, 2, 1, urgent_per_minute=60) == [True, False]


@pytest.mark.parametrize("limit", ["urgent_per_minute", "urgent_burst"])
def test_none_is_none(limit: str) -> None:
    assert taken(Urgency(ManualClock(), SMALL), 1, **{limit: 0}) == [False]


# What accepting does with it.


@pytest.fixture
async def world(opened: OpenDatabase) -> Accepting:
    made = Accepting(opened, SMALL)
    await made.fill()
    await made.add_server()
    await made.new_template(template("welcome"))
    await made.new_template(dataclasses.replace(template("news"), kind=TemplateKind.BATCH))
    return made


async def lanes(world: Accepting) -> list[int]:
    return [row.lane for row in await world.rows(Delivery)]


@pytest.mark.every_database
async def test_beyond_the_share_urgent_mail_goes_as_it_would_without(world: Accepting) -> None:
    made = [draft(urgent=True), templated("news", urgent=True), draft(urgent=True)]
    outcomes = await world.accept_many([*made, templated("news", urgent=True), draft()])
    assert not [one for one in outcomes if isinstance(one, Refusal)]
    assert await lanes(world) == [Lane.URGENT, Lane.URGENT, Lane.NORMAL, Lane.BULK, Lane.NORMAL]
    # What was asked for is told as it was asked for.
    assert [row.urgent for row in await world.rows(Email)] == [True, True, True, True, False]
    world.clock.advance(10_000)  # type: ignore[attr-defined]
    await world.accept(draft(urgent=True))
    assert (await lanes(world))[-1] == Lane.URGENT


async def test_an_email_counts_once_however_many_its_copies(world: Accepting) -> None:
    for to in (("a@example.com", "b@example.com", "c@example.com"), ("d@example.com",)):
        await world.accept(draft(urgent=True, to=to))
    assert await lanes(world) == [Lane.URGENT] * 4


async def test_codes_go_ahead_and_take_nothing_of_the_share(world: Accepting) -> None:
    for name in "abc":
        made = draft(urgent=True, has_verification=True, biz_key="SIGNUP", to=(f"{name}@example.com",))
        await world.accept(made)
    for _ in range(3):
        await world.accept(draft(urgent=True))
    assert await lanes(world) == [Lane.URGENT] * 5 + [Lane.NORMAL]


async def test_what_stores_nothing_takes_nothing_of_the_share(world: Accepting) -> None:
    async def refused(made: Any) -> None:
        with pytest.raises(Refusal):
            await world.accept(made)

    checked = world.acceptance.check(AUTHOR, draft(urgent=True))
    trial = ServerTest(world.acceptance, world.memory, world.clock)
    server = await world.add_server(name="tried")
    for _ in range(3):
        await refused(templated("none", urgent=True))
        await refused(templated("welcome", params={}, urgent=True))
        await world.store.read(preview, world.acceptance, world.memory, AUTHOR, checked)
        asked = trial.check(AUTHOR, None, None, server.id, ("ann@example.com",), None)
        await world.store.write(trial.accept, AUTHOR, asked)
    made = draft(urgent=True, request_id="r", fingerprint=b"f")
    for _ in range(3):
        await world.accept(made)
    await world.accept(draft(urgent=True))
    await world.accept(draft(urgent=True))
    assert (await lanes(world))[3:] == [Lane.URGENT, Lane.URGENT, Lane.NORMAL]


async def test_a_tenants_own_share_is_its_own(world: Accepting) -> None:
    await world.change_tenant(ACME, limits={"urgent_per_minute": 60, "urgent_burst": 0})
    await world.add_server(OTHER, name="other", from_address="x@other.example")
    await world.accept(draft(urgent=True))
    await world.accept(draft(urgent=True), STRANGER)
    assert await lanes(world) == [Lane.NORMAL, Lane.URGENT]
