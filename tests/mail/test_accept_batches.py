"""Accepting many at once: a result for each, and limits for all together."""

from __future__ import annotations

from typing import Any

import pytest

from accepting import Accepting, draft, templated
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER
from postroom_server.mail.accept import Accepted
from postroom_server.mail.draft import Draft
from postroom_server.mail.limits import Limits
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Email
from postroom_server.store.opening import OpenDatabase
from refusing import refusal_of


@pytest.fixture
async def world(opened: OpenDatabase) -> Accepting:
    made = Accepting(opened)
    await made.fill()
    await made.add_server()
    return made


async def test_each_item_of_a_batch_has_its_own_result(world: Accepting) -> None:
    outcomes = await world.accept_many(
        [
            draft(),
            draft(subject="", to=("bad",)),
            templated("unknown"),
            draft(validate_only=True),
            draft(tenant_id=OTHER),
            draft(from_address="x@acme.example"),
        ]
    )
    reasons = [outcome.reason if isinstance(outcome, Refusal) else "ok" for outcome in outcomes]
    assert reasons == [
        "ok",
        Reason.INVALID_FIELD,
        Reason.TEMPLATE_NOT_FOUND,
        Reason.INVALID_FIELD,
        Reason.TENANT_FORBIDDEN,
        "ok",
    ]
    assert isinstance(outcomes[1], Refusal)
    assert [violation.field for violation in outcomes[1].violations] == ["to[0]", "subject"]
    stored = [outcome.id for outcome in outcomes if isinstance(outcome, Accepted)]
    assert [row.id for row in await world.rows(Email)] == stored


async def test_a_batch_may_be_for_several_tenants(world: Accepting) -> None:
    await world.add_server(OTHER)
    outcomes = await world.accept_many(
        [draft(tenant_id=OTHER), draft(tenant_id=ACME), draft(tenant_id=99), draft(tenant_id=OTHER)], OPERATOR
    )
    ids = [outcome.id for outcome in outcomes if isinstance(outcome, Accepted)]
    tenants = {row.id: row.tenant_id for row in await world.rows(Email)}
    assert [tenants[id_] for id_ in ids] == [OTHER, ACME, OTHER]
    assert isinstance(outcomes[2], Refusal)
    assert outcomes[2].reason is Reason.TENANT_NOT_FOUND


@pytest.fixture
async def narrow(opened: OpenDatabase) -> Accepting:
    made = Accepting(opened, Limits(batch_items=3, batch_recipients=6))
    await made.fill()
    await made.add_server()
    return made


async def test_e6_a_batch_may_be_as_large_as_its_limits(narrow: Accepting) -> None:
    pair = draft(to=("a@x.test",), cc=("b@x.test",))
    assert len(await narrow.accept_many([pair, pair, pair])) == 3
    assert len(await narrow.rows(Email)) == 3


@pytest.mark.parametrize(
    "drafts",
    [[], [draft()] * 4, [draft(to=("a@x.test",) * 3, bcc=("b@x.test",) * 4)], [draft(to=("bad",) * 4)] * 2],
)
async def test_e6_a_batch_that_is_too_large_is_refused_whole(narrow: Accepting, drafts: list[Draft]) -> None:
    before = await narrow.counts()
    refusal = await refusal_of(narrow.accept_many(drafts))
    assert [violation.field for violation in refusal.violations] == ["items"]
    assert await narrow.counts() == before


async def test_nothing_is_read_of_a_batch_with_too_many_items(world: Accepting) -> None:
    def drafts() -> Any:
        raise AssertionError("looked into the batch")
        yield

    with pytest.raises(Refusal):
        world.acceptance.check_batch(AUTHOR, 1001, drafts())


async def test_a_thousand_items_are_one_commit(world: Accepting) -> None:
    outcomes = await world.accept_many([draft(out_id=str(n)) for n in range(1000)])
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    by_id = {row.id: row.out_id for row in await world.rows(Email)}
    assert [by_id[outcome.id] for outcome in outcomes if isinstance(outcome, Accepted)] == [
        str(n) for n in range(1000)
    ]
