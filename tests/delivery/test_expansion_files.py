"""Attachments of mail to an audience: nobody is looked up before all of them are there."""

from __future__ import annotations

import hashlib

import pytest

from audiences import Audiences, to_audience
from fakes import NOON
from peers.configuration import ACME
from postroom_server.clock import HOUR, MINUTE
from postroom_server.delivery.preparation import RETRY_DELAYS, Claimed, conclude, fail, keep, next_file
from postroom_server.fetch import Fetched
from postroom_server.mail.changes import Changes
from postroom_server.mail.draft import File
from postroom_server.mail.email_record import Failure
from postroom_server.mail.limits import Limits
from postroom_server.store.models import Delivery, EmailState, Expansion, Preparation, Recipient
from postroom_server.store.opening import OpenDatabase

pytestmark = pytest.mark.every_database
TOTAL = 1 << 20
PDF = File("f.pdf", url="https://files.example.com/f.pdf")


@pytest.fixture
async def world(opened: OpenDatabase) -> Audiences:
    made = Audiences(opened)
    await made.fill()
    await made.add_server()
    await made.members([1, 2])
    return made


async def fetch(world: Audiences, email_id: int) -> None:
    """Has the one file, as the stage of attachments gets it."""
    claimed, now = Claimed(email_id, ACME), world.clock.now
    file = await world.store.write(next_file, email_id, -1, TOTAL, now)
    assert file is not None
    content = b"%PDF"
    fetched = Fetched(content, "", hashlib.sha256(content).digest())
    assert await world.store.write(keep, claimed, file, fetched, TOTAL, world.mint, now)


async def states(world: Audiences) -> list[str]:
    return [row.state for row in await world.rows(Delivery)]


async def test_the_audience_is_looked_up_once_the_files_are_there(world: Audiences) -> None:
    accepted = await world.send(to_audience(files=(PDF,)))
    assert await world.expand() == 0
    await fetch(world, accepted.id)
    assert (await world.store.write(conclude, accepted.id, world.clock.now)).ready
    assert await world.rows(Preparation) == []
    assert await world.expand() == 1
    assert await states(world) == ["READY", "READY"]


async def test_files_of_a_scheduled_audience_are_had_before_and_everybody_when_it_is_due(
    world: Audiences,
) -> None:
    accepted = await world.send(to_audience(files=(PDF,), schedule_time=NOON + HOUR))
    changes = Changes(world.clock, Limits())
    await world.store.write(changes.reschedule, ACME, accepted.id, NOON + 2 * HOUR)
    (expansion,) = await world.rows(Expansion)
    assert expansion.expand_time == NOON + 50 * HOUR  # it still waits for its files
    await fetch(world, accepted.id)
    await world.store.write(conclude, accepted.id, world.clock.now)
    (expansion,) = await world.rows(Expansion)
    assert expansion.expand_time == NOON + 2 * HOUR
    # And from now on moving it moves the look-up itself.
    await world.store.write(changes.reschedule, ACME, accepted.id, NOON + 3 * HOUR)
    world.clock.advance(2 * HOUR)
    assert await world.expand() == 0
    world.clock.advance(HOUR)
    assert await world.expand() == 1
    assert await states(world) == ["READY", "READY"]


async def test_files_that_cannot_be_had_end_it_before_anybody_was_looked_up(world: Audiences) -> None:
    accepted = await world.send(to_audience(files=(PDF,)))
    concluded = await world.store.write(fail, accepted.id, "refused", world.clock.now)
    assert concluded.failure == "refused"
    email = await world.email(accepted.id)
    assert (email.state, email.failure, email.failure_message) == (
        EmailState.FAILURE, Failure.ATTACHMENT, "an attachment could not be had",
    )  # fmt: skip
    assert await world.rows(Expansion) == await world.rows(Recipient) == await world.rows(Preparation) == []


async def test_files_that_keep_failing_are_tried_as_often_as_those_of_others(world: Audiences) -> None:
    accepted = await world.send(to_audience(files=(PDF,)))
    for delay in RETRY_DELAYS:
        assert (await world.store.write(conclude, accepted.id, world.clock.now)).failure == ""
        (preparation,) = await world.rows(Preparation)
        assert preparation.fetch_time == world.clock.now() + delay
        world.clock.advance(delay)
    assert (await world.store.write(conclude, accepted.id, world.clock.now)).failure
    assert (await world.email(accepted.id)).failure is Failure.ATTACHMENT


async def test_time_runs_out_for_files_and_audience_alike(world: Audiences) -> None:
    accepted = await world.send(to_audience(files=(PDF,), expire_time=NOON + MINUTE))
    world.clock.advance(MINUTE)
    assert await world.store.write(next_file, accepted.id, -1, TOTAL, world.clock.now) is None
    await world.store.write(conclude, accepted.id, world.clock.now)
    await world.expand()
    assert (await world.email(accepted.id)).state is EmailState.FAILURE
    assert await world.rows(Expansion) == await world.rows(Preparation) == []


async def test_a_cancelled_audience_is_prepared_no_further(world: Audiences) -> None:
    accepted = await world.send(to_audience(files=(PDF,)))
    await world.store.write(Changes(world.clock, Limits()).cancel, ACME, accepted.id)
    assert await world.store.write(next_file, accepted.id, -1, TOTAL, world.clock.now) is None
    concluded = await world.store.write(conclude, accepted.id, world.clock.now)
    assert (concluded.ready, concluded.failure) == (False, "")
    assert await world.rows(Preparation) == []
    assert (await world.email(accepted.id)).failure is Failure.RECIPIENTS
