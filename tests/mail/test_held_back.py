"""Accepting mail to addresses that the suppression list names."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from accepting import Accepting, draft, templated
from peers.configuration import ACME, AUTHOR, OTHER, template
from postroom_server.mail.draft import CopyMode
from postroom_server.mail.preview import preview
from postroom_server.mail.server_test import ServerTest
from postroom_server.mail.suppression_override import SECURITY_KEYS
from postroom_server.refusals import Refusal
from postroom_server.store import suppressed
from postroom_server.store.models import (
    Delivery,
    Email,
    Event,
    Idempotency,
    Recipient,
    SuppressionReason,
    TemplateKind,
)
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.suppressed import Entry

pytestmark = pytest.mark.every_database
ANN, BOB, CAT = "ann@example.com", "bob@example.com", "cat@example.com"


@pytest.fixture
async def world(opened: OpenDatabase) -> Accepting:
    made = Accepting(opened)
    await made.fill()
    await made.add_server()
    return made


async def list_(
    world: Accepting,
    *addresses: str,
    reason: SuppressionReason = SuppressionReason.MANUAL,
    tenant_id: int = ACME,
) -> None:
    entries = [Entry(tenant_id, address, reason) for address in addresses]
    await world.store.write(suppressed.put, entries, world.mint, world.clock.now())


async def states(world: Accepting) -> dict[str, str]:
    return {row.address: row.state for row in await world.rows(Recipient)}


async def fields_of(awaitable: Any) -> list[str]:
    with pytest.raises(Refusal) as caught:
        await awaitable
    return [violation.field for violation in caught.value.violations]


async def test_who_is_listed_is_told_and_held_back_and_the_others_are_sent_to(world: Accepting) -> None:
    await list_(world, "ANN@example.com", "dan@example.com")
    accepted = await world.accept(draft(to=(ANN, BOB), cc=(CAT,), bcc=("dan@example.com",)))
    assert accepted.suppressed == (ANN, "dan@example.com")
    assert await states(world) == {
        ANN: "SUPPRESSED", BOB: "OPEN", CAT: "OPEN", "dan@example.com": "SUPPRESSED",
    }  # fmt: skip
    # The first copy still goes to the Cc.
    assert [row.state for row in await world.rows(Delivery)] == ["READY", "READY"]
    (email,) = await world.rows(Email)
    assert (email.state, email.open_count, email.suppressed_count) == ("PENDING", 2, 2)


async def test_an_email_to_nobody_else_ends_at_once(world: Accepting) -> None:
    await list_(world, ANN, BOB)
    accepted = await world.accept(draft(to=(ANN, BOB)))
    assert accepted.suppressed == (ANN, BOB)
    (email,) = await world.rows(Email)
    assert (email.state, email.suppressed_count, email.settle_time) == ("FAILURE", 2, world.clock.now())
    assert [row.state for row in await world.rows(Delivery)] == ["DONE", "DONE"]
    assert [(row.kind, row.state) for row in await world.rows(Event)] == [
        ("EMAIL_ACCEPTED", None),
        ("RECIPIENT_SETTLED", "SUPPRESSED"),
        ("RECIPIENT_SETTLED", "SUPPRESSED"),
        ("EMAIL_SETTLED", "FAILURE"),
    ]


async def test_a_shared_copy_goes_to_those_who_are_left(world: Accepting) -> None:
    await list_(world, ANN)
    accepted = await world.accept(draft(to=(ANN, BOB), copy_mode=CopyMode.SHARED))
    assert accepted.suppressed == (ANN,)
    assert [row.state for row in await world.rows(Delivery)] == ["READY"]


async def test_a_list_is_the_tenants_own(world: Accepting) -> None:
    await list_(world, ANN, tenant_id=OTHER)
    await list_(world, ANN, tenant_id=0)
    assert (await world.accept(draft())).suppressed == ()


async def test_who_unsubscribed_gets_what_is_not_sent_to_many(world: Accepting) -> None:
    await list_(world, ANN, reason=SuppressionReason.UNSUBSCRIBED)
    await world.new_template(template("welcome"))
    await world.new_template(dataclasses.replace(template("news"), kind=TemplateKind.BATCH))
    custom = await world.accept(draft())
    trigger = await world.accept(templated("welcome"))
    batch = await world.accept(templated("news"))
    assert [custom.suppressed, trigger.suppressed, batch.suppressed] == [(), (), (ANN,)]


async def test_each_item_of_a_batch_has_its_own(world: Accepting) -> None:
    await list_(world, ANN)
    outcomes = await world.accept_many([draft(), draft(to=(BOB,)), draft(to=("bad",)), draft(to=(BOB, ANN))])
    assert [getattr(one, "suppressed", None) for one in outcomes] == [(ANN,), (), None, (ANN,)]


async def test_a_replay_tells_the_same_and_keeps_no_address(world: Accepting) -> None:
    await list_(world, BOB)
    made = draft(to=(ANN, BOB), request_id="r", fingerprint=b"f")
    first = await world.accept(made)
    await list_(world, ANN)
    again = await world.accept(made)
    assert (first.suppressed, again.suppressed, again.replayed) == ((BOB,), (BOB,), True)
    (remembered,) = await world.rows(Idempotency)
    assert "example" not in remembered.answer


async def test_a_repetition_within_a_batch_tells_the_same(world: Accepting) -> None:
    await list_(world, BOB)
    made = draft(to=(ANN, BOB), request_id="r", fingerprint=b"f")
    first, again = await world.accept_many([made, made])
    assert first.suppressed == again.suppressed == (BOB,)  # type: ignore[union-attr]


async def test_nothing_is_remembered_of_a_list_that_names_nobody(world: Accepting) -> None:
    accepted = await world.accept(draft(request_id="r", fingerprint=b"f"))
    (remembered,) = await world.rows(Idempotency)
    assert remembered.answer == f'{{"id": {accepted.id}}}'


async def test_a_preview_tells_whom_a_send_would_hold_back(world: Accepting) -> None:
    await list_(world, ANN)
    checked = world.acceptance.check(AUTHOR, draft(to=(ANN, BOB), validate_only=True))
    shown = await world.store.read(preview, world.acceptance, world.memory, AUTHOR, checked)
    assert shown.suppressed == (ANN,)
    assert [copy.recipients for copy in shown.copies] == [(ANN,), (BOB,)]


async def test_a_security_mail_may_set_the_list_aside(world: Accepting) -> None:
    await list_(world, ANN)
    for biz_key in SECURITY_KEYS:
        accepted = await world.accept(draft(biz_key=biz_key, ignore_suppression=True))
        assert accepted.suppressed == (), biz_key
    assert {row.state for row in await world.rows(Recipient)} == {"OPEN"}
    assert all(row.ignore_suppression for row in await world.rows(Email))
    assert len(SECURITY_KEYS) == 9


async def test_so_may_a_verification_mail_of_any_purpose(world: Accepting) -> None:
    await list_(world, ANN)
    made = draft(biz_key="OURS", has_verification=True, ignore_suppression=True)
    assert (await world.accept(made)).suppressed == ()
    held = await world.accept(draft(to=(ANN, BOB), biz_key="OURS"))
    assert held.suppressed == (ANN,)


async def test_no_other_mail_may(world: Accepting) -> None:
    for changes in ({}, {"biz_key": "EVENT_NOTICE"}, {"biz_key": "signup"}):
        fields = await fields_of(world.accept(draft(ignore_suppression=True, **changes)))
        assert "ignore_suppression" in fields
    fields = await fields_of(world.accept(draft(ignore_suppression=True, to=("bad",))))
    assert fields == ["to[0]", "ignore_suppression"]


async def test_a_server_is_tried_with_whoever_is_named(world: Accepting) -> None:
    await list_(world, ANN)
    server = await world.add_server(name="tried")
    trial = ServerTest(world.acceptance, world.memory, world.clock)
    asked = trial.check(AUTHOR, None, None, server.id, (ANN,), None)
    await world.store.write(trial.accept, AUTHOR, asked)
    assert await states(world) == {ANN: "OPEN"}
    (email,) = await world.rows(Email)
    assert email.ignore_suppression
