"""Emails that came in calls of their own and are stored together: none feels who is beside it."""

from __future__ import annotations

import pytest

from accepting import Accepting, draft
from peers.configuration import AUTHOR, STRANGER
from postroom_server.mail.accept import Accepted, Outcome
from postroom_server.mail.caller import Caller
from postroom_server.mail.draft import Draft
from postroom_server.mail.limits import Limits
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Email
from postroom_server.store.opening import OpenDatabase


@pytest.fixture
async def world(opened: OpenDatabase) -> Accepting:
    made = Accepting(opened)
    await made.fill()
    await made.add_server()
    return made


async def accept_each(world: Accepting, *asked: tuple[Caller, Draft]) -> list[Outcome]:
    items = [(caller, world.acceptance.check(caller, made)) for caller, made in asked]
    return await world.store.write(world.acceptance.accept_each, items)


def reasons(outcomes: list[Outcome]) -> list[str]:
    return [outcome.reason if isinstance(outcome, Refusal) else "" for outcome in outcomes]


async def test_outcomes_come_in_the_order_of_the_calls(world: Accepting) -> None:
    outcomes = await accept_each(
        world,
        (AUTHOR, draft(subject="one")),
        (STRANGER, draft(subject="two")),
        (AUTHOR, draft(subject="three")),
    )
    stored = {row.id: row.subject for row in await world.rows(Email)}
    # The stranger's tenant has no mail server.
    assert reasons(outcomes) == ["", Reason.NO_MAIL_SERVER, ""]
    assert [stored[outcomes[i].id] for i in (0, 2) if isinstance(outcomes[i], Accepted)] == ["one", "three"]


async def test_a_request_id_that_two_calls_share_is_one_email(world: Accepting) -> None:
    twin = draft(request_id="r-1", fingerprint=b"f" * 32)
    first, second = await accept_each(world, (AUTHOR, twin), (AUTHOR, twin))
    assert isinstance(first, Accepted)
    assert second == Accepted(first.id, replayed=True)
    assert len(await world.rows(Email)) == 1


async def test_where_there_is_room_for_some_some_are_accepted(opened: OpenDatabase) -> None:
    world = Accepting(opened, Limits(pending_per_tenant=2))
    await world.fill()
    await world.add_server()
    outcomes = await accept_each(world, *[(AUTHOR, draft())] * 3)
    assert reasons(outcomes) == ["", "", Reason.BACKLOG_FULL]
