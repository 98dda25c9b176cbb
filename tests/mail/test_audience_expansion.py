"""Looking an audience up: every member gets one copy, whoever interferes, and nobody twice."""

from __future__ import annotations

import asyncio
import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
import structlog

from audiences import ALL, BILINGUAL, Audiences, audience, put_members, templated_to, to_audience
from fakes import NOON
from peers.configuration import ACME, OTHER, template
from postroom_server.clock import HOUR, SECOND
from postroom_server.mail.audience_claims import CLAIM, CLAIM_POSTGRESQL, CLAIM_SQLITE, Claimed
from postroom_server.mail.audience_copies import Copies, FoundCopy
from postroom_server.mail.audience_members import FoundMember
from postroom_server.mail.changes import Changes
from postroom_server.mail.draft import File, TemplateBody
from postroom_server.mail.email_record import Failure
from postroom_server.mail.limits import Limits
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import PageRequest
from postroom_server.mail.recipients import Recipients
from postroom_server.mail.retries import Retries
from postroom_server.mail.template_form import ContentForm, VariantForm
from postroom_server.message.liquid.template import LiquidTemplate
from postroom_server.refusals import Reason, Refusal
from postroom_server.store import expansions, history, outcome, suppressed
from postroom_server.store.history import START, Kind, Progress
from postroom_server.store.models import (
    AudienceState,
    Delivery,
    Email,
    EmailState,
    Event,
    Expansion,
    Lane,
    Member,
    MemberCopy,
    Recipient,
    RecipientState,
    SuppressionReason,
    Syntax,
    TemplateKind,
    bound,
)
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.suppressed import Entry

pytestmark = pytest.mark.every_database


@pytest.fixture
async def world(opened: OpenDatabase) -> Audiences:
    made = Audiences(opened)
    await made.fill()
    await made.add_server()
    return made


async def events(world: Audiences, kind: Kind) -> list[history.Happening]:
    told = await world.store.read(history.read_after, ACME, START, 10_000)
    return [happening for happening in told if happening.kind is kind]


async def addresses(world: Audiences) -> list[str]:
    return [row.address for row in await world.rows(Recipient)]


def members(*ids: int) -> list[str]:
    return [f"m{id_}@example.com" for id_ in ids]


async def deliver(world: Audiences, email_id: int) -> int:
    """Settles everybody who is open, as the engine does; how many those are."""

    def unit() -> int:
        opened = [
            row.id
            for row in Recipient.select().where(
                (Recipient.email_id == email_id) & (Recipient.state == "OPEN")
            )
        ]
        Recipient.update(state="DELIVERED").where(Recipient.id << opened).execute()
        Delivery.update(state="DONE").where(Delivery.email_id == email_id).execute()
        outcome.record([(email_id, RecipientState.DELIVERED, len(opened))], world.clock.now())
        return len(opened)

    return await world.store.write(unit)


async def test_each_member_gets_a_copy_of_their_own(world: Audiences) -> None:
    await world.members([1, 2, 3])
    accepted = await world.send()
    assert await world.expand() == 1
    email = await world.email(accepted.id)
    assert (email.state, email.counts.total, email.counts.open) == (EmailState.PENDING, 3, 3)
    assert email.audience is not None
    assert (email.audience.found, email.audience.done, email.audience.is_complete) == (3, 0, True)
    deliveries, recipients = await world.rows(Delivery), await world.rows(Recipient)
    assert [row.address for row in recipients] == members(1, 2, 3)
    assert [row.delivery_id for row in recipients] == [row.id for row in deliveries]
    assert {(row.lane, row.state, row.run_at, row.expire_time, row.at_most_once) for row in deliveries} == {
        (Lane.BULK, "READY", NOON, NOON + 48 * HOUR, False)
    }
    assert [row.position for row in deliveries] == [0, 1, 2]
    assert len({row.message_id for row in deliveries}) == 3
    assert all(row.message_id.endswith("@acme.example") for row in deliveries)
    assert [(row.user_id, row.language, row.member) for row in await world.rows(MemberCopy)] == [
        (id_, None, None) for id_ in (1, 2, 3)
    ]
    assert await world.rows(Expansion) == []


async def test_it_settles_once_everybody_is_found_and_settled(world: Audiences) -> None:
    await world.members(range(1, 601))
    accepted = await world.send()
    await world.step(gives_way=True)
    assert await deliver(world, accepted.id) == 500
    # Nobody of the first page is open any more, and the email is not settled: others are to come.
    email = await world.email(accepted.id)
    assert (email.state, email.counts.delivered, email.audience.done) == (EmailState.PENDING, 500, 500)  # type: ignore[union-attr]
    await world.expand()
    assert (await world.email(accepted.id)).state is EmailState.PENDING
    assert await deliver(world, accepted.id) == 100
    email = await world.email(accepted.id)
    assert (email.state, email.failure_message) == (EmailState.SUCCESS, "")
    assert [event.state for event in await events(world, Kind.EMAIL_SETTLED)] == ["SUCCESS"]


async def test_it_settles_with_the_last_page_when_all_others_are_settled(world: Audiences) -> None:
    await world.members(range(1, 501))
    accepted = await world.send()
    await world.step(gives_way=True)
    await deliver(world, accepted.id)
    assert await world.expand() == 1  # a page of nobody, which is the last
    assert (await world.email(accepted.id)).state is EmailState.SUCCESS
    assert len(await events(world, Kind.EMAIL_SETTLED)) == 1


async def test_every_page_tells_how_far_it_has_come(world: Audiences) -> None:
    await world.members(range(1, 1101))
    accepted = await world.send()
    await world.step(gives_way=True)
    await deliver(world, accepted.id)
    await world.expand()
    told = await events(world, Kind.AUDIENCE_PROGRESS)
    assert [event.progress for event in told] == [
        Progress(500, 500, 0, complete=False),
        Progress(1000, 1000, 500, complete=False),
        Progress(1100, 1100, 500, complete=True),
    ]
    assert {event.email_id for event in told} == {accepted.id}


async def test_an_audience_of_nobody_fails_and_says_so(world: Audiences) -> None:
    await world.members([1], of=[("DEPT", "1")], enabled=False)
    accepted = await world.send(to_audience(audience("DEPT", 1, 2)))
    await world.expand()
    email = await world.email(accepted.id)
    assert (email.state, email.failure, email.failure_message) == (
        EmailState.FAILURE, Failure.NO_RECIPIENTS, "the audience held nobody",
    )  # fmt: skip
    assert email.audience is not None
    assert (email.audience.is_complete, email.audience.found) == (True, 0)
    assert email.audience.unknown.object_ids == (2,)
    assert [event.state for event in await events(world, Kind.EMAIL_SETTLED)] == ["FAILURE"]
    assert await world.rows(Delivery) == []


async def test_what_names_nobody_is_told_when_it_is_complete(world: Audiences) -> None:
    await world.members(range(1, 502), of=[("POLICY", "VIP")])
    accepted = await world.send(to_audience(audience("POLICY", 7, codes=["VIP", "OLD"])))
    await world.step(gives_way=True)
    assert (await world.email(accepted.id)).audience.unknown.policy_codes == ()  # type: ignore[union-attr]
    await world.expand()
    record = await world.email(accepted.id)
    assert record.audience is not None
    assert (record.audience.unknown.object_ids, record.audience.unknown.policy_codes) == ((7,), ("OLD",))
    assert record.state is EmailState.PENDING  # the others get theirs


async def test_who_shares_an_address_gets_a_copy_each(world: Audiences) -> None:
    await world.members([1, 2], address="family@example.com", of=[("GROUP", "1"), ("GROUP", "2")])
    await world.send(to_audience(audience("GROUP", 1, 2)))
    await world.expand()
    assert await addresses(world) == ["family@example.com"] * 2


async def test_each_copy_is_in_its_members_language_and_keeps_what_it_shows(world: Audiences) -> None:
    await world.new_template(template(body=BILINGUAL))
    ann = {"name": "Ann", "secret": "not shown"}
    await world.members([1], language="zh-Hant-TW", attributes=ann)
    await world.members([2], language="fr", attributes=ann)
    await world.members([3], attributes=ann)
    await world.send(templated_to(language="zh"))
    await world.expand()
    copies = await world.rows(MemberCopy)
    # French is not there: the template's own language. No language: the email's.
    assert [row.language for row in sorted(copies, key=lambda row: row.user_id)] == ["zh-CN", "en", "zh-CN"]
    assert {row.member for row in copies} == {'{"name":"Ann"}'}


async def test_a_member_who_lacks_something_is_refused_by_name_and_nobody_else(world: Audiences) -> None:
    await world.new_template(template(body=BILINGUAL))
    await world.members([1, 3])
    await world.members([2], attributes={"city": "Ulm"})
    await world.members([4], attributes={"name": "two\nlines"})
    accepted = await world.send(templated_to())
    await world.expand()
    recipients = {row.address: row for row in await world.rows(Recipient)}
    assert {address: row.state for address, row in recipients.items()} == {
        "m1@example.com": "OPEN", "m2@example.com": "REFUSED", "m3@example.com": "OPEN",
        "m4@example.com": "REFUSED",
    }  # fmt: skip
    lacking, unsafe = recipients["m2@example.com"], recipients["m4@example.com"]
    assert (lacking.last_reply, lacking.last_code, lacking.settle_time) == (
        "member.name has no value", None, NOON,
    )  # fmt: skip
    assert unsafe.last_reply.startswith("subject: has a control character")
    states = {row.id: row.state for row in await world.rows(Delivery)}
    assert states[lacking.delivery_id] == "DONE"
    told = await events(world, Kind.RECIPIENT_SETTLED)
    assert [(event.recipient_id, event.state) for event in told] == [
        (lacking.id, "REFUSED"), (unsafe.id, "REFUSED"),
    ]  # fmt: skip
    await deliver(world, accepted.id)
    email = await world.email(accepted.id)
    assert (email.state, email.failure_message) == (
        EmailState.FAILURE, "2 of 4 recipients not delivered: 2 refused",
    )  # fmt: skip
    # What was refused here was never on its way: there is nothing to try again.
    with pytest.raises(Refusal) as caught:
        await world.store.write(Retries(world.clock, Limits()).retry, ACME, accepted.id)
    assert caught.value.reason is Reason.NOTHING_TO_RETRY


async def test_an_audience_of_whom_nobody_can_be_written_to_fails(world: Audiences) -> None:
    await world.new_template(template(body=BILINGUAL))
    await world.members([1, 2], attributes={})
    accepted = await world.send(templated_to())
    await world.expand()
    email = await world.email(accepted.id)
    assert (email.state, email.failure, email.counts.refused) == (EmailState.FAILURE, Failure.RECIPIENTS, 2)
    assert (email.audience.found, email.audience.done) == (2, 2)  # type: ignore[union-attr]


async def test_the_suppression_list_is_asked_for_each_member(world: Audiences) -> None:
    await world.members([1, 2, 3])
    entries = [
        Entry(ACME, "m1@example.com", SuppressionReason.BOUNCED),
        Entry(ACME, "M2@EXAMPLE.com", SuppressionReason.UNSUBSCRIBED),
        Entry(OTHER, "m3@example.com", SuppressionReason.BOUNCED),
    ]
    await world.store.write(suppressed.put, entries, world.mint, NOON)
    accepted = await world.send()
    await world.expand()
    rows = {row.address: row.state for row in await world.rows(Recipient)}
    assert rows == dict(zip(members(1, 2, 3), ("SUPPRESSED", "SUPPRESSED", "OPEN"), strict=True))
    email = await world.email(accepted.id)
    assert (email.counts.suppressed, email.counts.open, email.audience.done) == (2, 1, 2)  # type: ignore[union-attr]
    assert [row.state for row in await world.rows(Delivery)] == ["DONE", "DONE", "READY"]
    assert [event.state for event in await events(world, Kind.RECIPIENT_SETTLED)] == ["SUPPRESSED"] * 2


async def test_who_has_unsubscribed_gets_nothing_whatever_an_audience_is_sent(world: Audiences) -> None:
    await world.members([1, 2])
    entry = Entry(ACME, "m1@example.com", SuppressionReason.UNSUBSCRIBED)
    await world.store.write(suppressed.put, [entry], world.mint, NOON)
    form = template(body=BILINGUAL)
    for name, kind in (("few", TemplateKind.TRIGGER), ("many", TemplateKind.BATCH)):
        await world.new_template(type(form)(name, name, kind, form.content))
        accepted = await world.send(templated_to(body=TemplateBody(name, {"what": "x"})))
        await world.expand()
        email = await world.email(accepted.id)
        assert (email.counts.suppressed, email.counts.open) == (1, 1)
    regardless = await world.send(to_audience(ignore_suppression=True, biz_key="SYS_SECURITY_NOTICE"))
    await world.expand()
    assert (await world.email(regardless.id)).counts.open == 2


async def test_everybody_suppressed_is_a_failure_at_once(world: Audiences) -> None:
    await world.members([1])
    entry = Entry(ACME, "m1@example.com", SuppressionReason.MANUAL)
    await world.store.write(suppressed.put, [entry], world.mint, NOON)
    accepted = await world.send()
    await world.expand()
    assert (await world.email(accepted.id)).state is EmailState.FAILURE


async def test_cc_and_bcc_travel_with_the_first_copy(world: Audiences) -> None:
    await world.members(range(1, 702))
    accepted = await world.send(to_audience(cc=("cc@example.com",), bcc=("bcc@example.com",)))
    await world.expand()
    (carrying,) = [row for row in await world.rows(Delivery) if row.position == 0]
    carried = await world.rows(Recipient, Recipient.delivery_id == carrying.id)
    assert [(row.role, row.address) for row in carried] == [
        ("TO", "m1@example.com"), ("CC", "cc@example.com"), ("BCC", "bcc@example.com"),
    ]  # fmt: skip
    rows = await world.rows(Recipient)
    assert (len(rows), sum(row.role != "TO" for row in rows)) == (703, 2)
    email = await world.email(accepted.id)
    assert (email.counts.total, email.audience.found, email.audience.done) == (703, 701, 0)  # type: ignore[union-attr]
    assert [event.progress.done for event in await events(world, Kind.AUDIENCE_PROGRESS)] == [0, 0]  # type: ignore[union-attr]
    # Who gets a copy beside a member is no member.
    page = await world.store.read(
        Recipients(PageTokens(b"k" * 32)).page, ACME, accepted.id, PageRequest(page_size=4)
    )
    assert [(one.address, one.user_id) for one in page.items] == [
        ("m1@example.com", 1), ("cc@example.com", 0), ("bcc@example.com", 0), ("m2@example.com", 2),
    ]  # fmt: skip


async def test_an_urgent_audience_takes_of_the_tenants_share_copy_by_copy(world: Audiences) -> None:
    await world.change_tenant(limits={"urgent_per_minute": 60, "urgent_burst": 3})
    await world.members(range(1, 6))
    await world.send(to_audience(urgent=True))
    await world.expand()
    assert [row.lane for row in await world.rows(Delivery)] == [0, 0, 0, 2, 2]


async def test_a_scheduled_audience_is_whom_it_holds_when_it_is_due(world: Audiences) -> None:
    await world.members([1, 2])
    await world.send(to_audience(schedule_time=NOON + HOUR))
    assert await world.expand() == 0
    world.clock.advance(HOUR - 1)
    assert await world.expand() == 0
    await world.members([3])
    await world.store.write(lambda: Member.delete().where(Member.id == 1).execute())
    world.clock.advance(1)
    assert await world.expand() == 1
    assert await addresses(world) == members(2, 3)
    assert {row.run_at for row in await world.rows(Delivery)} == {NOON + HOUR}


async def test_nobody_is_found_twice_by_two_who_look_at_the_same_page(world: Audiences) -> None:
    await world.members(range(1, 701))
    await world.send()
    claimed = await world.store.write(world.steps.claim, [])
    assert claimed is not None
    one = await world.store.read(world.steps.look_up, claimed)
    other = await world.store.read(world.steps.look_up, claimed)
    take = functools.partial(world.steps.take, gives_way=True)
    taken = await asyncio.gather(*(world.store.write(take, step) for step in (one, other)))
    assert sorted(each.queued for each in taken) == [0, 500]
    await world.expand()
    assert sorted(await addresses(world)) == sorted(members(*range(1, 701)))
    assert len({row.position for row in await world.rows(Delivery)}) == 700


async def test_many_processes_at_once_find_everybody_once(world: Audiences) -> None:
    """On PostgreSQL they really are at it at once."""
    await world.members(range(1, 3001), of=[("GROUP", "1"), ("GROUP", "2")])
    await world.send(to_audience(audience("GROUP", 1, 2)))
    rivals = [world.new_steps() for _ in range(4)]
    claimed = await world.store.write(world.steps.claim, [])
    assert claimed is not None

    async def rival(steps: Any) -> None:
        while (step := await world.store.read(steps.look_up, claimed)) is not None:
            await world.store.write(lambda: steps.take(step, gives_way=False))

    async with asyncio.TaskGroup() as together:
        for steps in rivals:
            together.create_task(rival(steps))
    assert await addresses(world) == members(*range(1, 3001))
    (email,) = await world.rows(Email)
    assert (email.audience_found, email.recipient_count, email.open_count) == (3000, 3000, 3000)


async def test_a_claim_keeps_others_away_for_a_while(world: Audiences) -> None:
    await world.members([1])
    accepted = await world.send()
    rival = world.new_steps()
    claimed = await world.store.write(world.steps.claim, [])
    assert claimed is not None
    assert claimed.email_id == accepted.id
    world.clock.advance(CLAIM - 1)
    assert await world.store.write(rival.claim, []) is None
    world.clock.advance(1)
    assert await world.store.write(rival.claim, []) == claimed


async def test_what_a_process_left_goes_on_at_once_where_it_was_the_only_one(world: Audiences) -> None:
    await world.members([1])
    await world.send()
    await world.send(to_audience(schedule_time=NOON + CLAIM))
    waits = await world.send(
        to_audience(expire_time=NOON + CLAIM, files=(File("f", url="https://x.test/f"),))
    )
    await world.store.write(world.steps.claim, [])
    assert await world.store.write(world.steps.claim, []) is None
    await world.store.write(world.steps.resume)
    due = {row.email_id: row.expand_time for row in await world.rows(Expansion)}
    assert sorted(due.values()) == [NOON, NOON + CLAIM, NOON + CLAIM]
    assert due[waits.id] == NOON + CLAIM


async def test_tenants_take_turns_and_the_busy_are_passed_over(world: Audiences) -> None:
    for tenant_id in (ACME, OTHER):
        await world.store.write(lambda t=tenant_id: put_members([t], tenant_id=t))
    ours = [(await world.send()).id for _ in range(3)]

    def as_other() -> None:
        Email.update(tenant_id=OTHER).where(Email.id == ours[2]).execute()
        Expansion.update(tenant_id=OTHER).where(Expansion.email_id == ours[2]).execute()

    await world.store.write(as_other)
    claimed = [await world.store.write(world.steps.claim, []) for _ in range(4)]
    assert [one and one.email_id for one in claimed] == [ours[0], ours[2], ours[1], None]
    world.clock.advance(CLAIM)
    claimed = [await world.store.write(world.steps.claim, [ACME]) for _ in range(2)]
    assert [one and one.email_id for one in claimed] == [ours[2], None]


async def test_the_claim_walks_the_index(world: Audiences, database: str) -> None:
    def plan() -> str:
        connection = bound.connection()
        if database.startswith("sqlite"):
            values: tuple[Any, ...] = (-1, "[]", 256, 5, NOON, "[]")
            rows = connection.execute(f"EXPLAIN QUERY PLAN {CLAIM_SQLITE}", values).fetchall()
        else:
            # Otherwise a table as small as this one is not worth an index.
            connection.execute("SET LOCAL enable_seqscan = off")
            rows = connection.execute(f"EXPLAIN {CLAIM_POSTGRESQL}", (-1, [], 256, NOON, [], 5)).fetchall()
        return "\n".join(str(row[-1]) for row in rows)

    told = await world.store.write(plan)
    assert told.count("expansion_due") >= 2
    assert "SCAN expansion" not in told
    assert "Seq Scan" not in told


# What callers, time and want of room do to it.


async def test_a_cancel_ends_the_look_up_and_what_was_queued(world: Audiences) -> None:
    await world.members(range(1, 601))
    accepted = await world.send()
    await world.step(gives_way=True)
    changes = Changes(world.clock, Limits())
    cancelled = await world.store.write(changes.cancel, ACME, accepted.id)
    assert (cancelled.cancelled_count, cancelled.rest) == (500, None)
    assert await world.expand() == 0
    email = await world.email(accepted.id)
    assert (email.state, email.counts.total, email.counts.cancelled) == (EmailState.FAILURE, 500, 500)
    assert email.failure_message == (
        "cancelled before its whole audience was found; 500 of 500 recipients not delivered: 500 cancelled"
    )
    assert len(await events(world, Kind.EMAIL_CANCELLED)) == 1
    assert len(await events(world, Kind.EMAIL_SETTLED)) == 1
    # Repeating answers the same.
    again = await world.store.write(changes.cancel, ACME, accepted.id)
    assert (again.cancelled_count, again.in_flight_count, again.too_late_count) == (500, 0, 0)


async def test_a_cancel_before_anybody_was_found_is_in_time(world: Audiences) -> None:
    accepted = await world.send(to_audience(schedule_time=NOON + HOUR))
    changes = Changes(world.clock, Limits())
    for _ in range(2):
        cancelled = await world.store.write(changes.cancel, ACME, accepted.id)
        assert (cancelled.cancelled_count, cancelled.too_late_count) == (0, 0)
    email = await world.email(accepted.id)
    assert (email.state, email.failure_message) == (
        EmailState.FAILURE, "cancelled before its whole audience was found",
    )  # fmt: skip
    assert len(await events(world, Kind.EMAIL_CANCELLED)) == 1


async def test_a_page_that_was_read_before_a_cancel_is_not_written_behind_it(world: Audiences) -> None:
    await world.members([1])
    accepted = await world.send()
    claimed = await world.store.write(world.steps.claim, [])
    assert claimed is not None
    step = await world.store.read(world.steps.look_up, claimed)
    await world.store.write(Changes(world.clock, Limits()).cancel, ACME, accepted.id)
    taken = await world.store.write(lambda: world.steps.take(step, gives_way=False))
    assert (taken.queued, taken.goes_on) == (0, False)
    assert await world.rows(Recipient) == []


async def test_a_cancel_of_very_many_goes_part_by_part(world: Audiences) -> None:
    await world.members(range(1, 2502))
    accepted = await world.send()
    await world.expand()
    changes = Changes(world.clock, Limits())
    done = await world.store.write(changes.cancel, ACME, accepted.id)
    counts = [done.cancelled_count]
    while done.rest is not None:
        done = await world.store.write(changes.cancel, ACME, accepted.id, done.rest)
        counts.append(done.cancelled_count)
    assert counts == [1000, 2000, 2501]
    assert len(await events(world, Kind.EMAIL_CANCELLED)) == 1
    assert (await world.email(accepted.id)).state is EmailState.FAILURE


async def test_a_deleted_audience_is_looked_up_no_further_and_hidden_when_all_is_cancelled(
    world: Audiences,
) -> None:
    await world.members(range(1, 1502))
    accepted = await world.send()
    for _ in range(3):
        await world.step(gives_way=True)
    changes = Changes(world.clock, Limits())
    (part,) = await world.store.read(changes.delete_parts, ACME, [accepted.id])
    done = await world.store.write(changes.delete, ACME, part)
    # Should it break off here, repeating finds it again.
    assert (done.count, await world.store.read(changes.delete_parts, ACME, [accepted.id])) == (0, [part])
    done = await world.store.write(changes.delete, ACME, part, done.rest)  # type: ignore[arg-type]
    assert (done.count, done.rest) == (1, None)
    assert await world.expand() == 0
    assert {row.state for row in await world.rows(Delivery)} == {"CANCELLED"}
    (email,) = await world.rows(Email)
    assert (email.state, email.audience_state, email.cancelled_count) == ("FAILURE", "CANCELLED", 1500)
    assert len(await events(world, Kind.EMAIL_DELETED)) == 1


async def test_a_look_up_that_has_not_begun_can_be_moved(world: Audiences) -> None:
    await world.members([1])
    accepted = await world.send(to_audience(schedule_time=NOON + HOUR))
    fixed = await world.send(to_audience(schedule_time=NOON + HOUR, expire_time=NOON + 4 * HOUR))
    changes = Changes(world.clock, Limits())
    moved = await world.store.write(changes.reschedule, ACME, accepted.id, NOON + 3 * HOUR)
    assert (moved.schedule_time, moved.expire_time) == (NOON + 3 * HOUR, NOON + 51 * HOUR)
    moved = await world.store.write(changes.reschedule, ACME, fixed.id, NOON + 2 * HOUR)
    assert (moved.schedule_time, moved.expire_time) == (NOON + 2 * HOUR, NOON + 4 * HOUR)
    with pytest.raises(Refusal) as caught:
        await world.store.write(changes.reschedule, ACME, fixed.id, NOON + 4 * HOUR)
    assert caught.value.reason is Reason.INVALID_FIELD
    world.clock.advance(2 * HOUR)
    await world.expand()
    assert {row.email_id for row in await world.rows(Delivery)} == {fixed.id}
    assert len(await events(world, Kind.EMAIL_RESCHEDULED)) == 2


async def test_a_look_up_that_has_begun_cannot_be_moved(world: Audiences) -> None:
    await world.members(range(1, 601))
    accepted = await world.send()
    await world.step(gives_way=True)
    changes = Changes(world.clock, Limits())
    for _ in range(2):
        with pytest.raises(Refusal) as caught:
            await world.store.write(changes.reschedule, ACME, accepted.id, NOON + HOUR)
        assert caught.value.reason is Reason.TOO_LATE
        await world.expand()  # the second time it is complete


async def test_a_page_that_was_read_before_a_move_is_not_written_behind_it(world: Audiences) -> None:
    await world.members([1])
    accepted = await world.send()
    claimed = await world.store.write(world.steps.claim, [])
    assert claimed is not None
    step = await world.store.read(world.steps.look_up, claimed)
    await world.store.write(Changes(world.clock, Limits()).reschedule, ACME, accepted.id, NOON + HOUR)
    await world.store.write(lambda: world.steps.take(step, gives_way=False))
    assert await world.rows(Recipient) == []
    world.clock.advance(HOUR)
    await world.expand()
    assert await addresses(world) == members(1)


async def test_a_look_up_ends_when_its_email_expires(world: Audiences) -> None:
    await world.members(range(1, 601))
    accepted = await world.send(to_audience(expire_time=NOON + HOUR))
    await world.step(gives_way=True)
    await deliver(world, accepted.id)
    world.clock.advance(HOUR)
    await world.expand()
    email = await world.email(accepted.id)
    # Who was found was delivered, and yet it is no success: others were not found.
    assert (email.state, email.counts.delivered, email.counts.total) == (EmailState.FAILURE, 500, 500)
    assert (email.failure, email.failure_message) == (
        Failure.RECIPIENTS, "time ran out before its whole audience was found",
    )  # fmt: skip
    assert (email.audience.is_complete, await world.rows(Expansion)) == (False, [])  # type: ignore[union-attr]


async def test_what_is_in_hand_is_not_claimed_again(world: Audiences) -> None:
    await world.members([1])
    first, second = await world.send(), await world.send()
    world.clock.advance(CLAIM)
    claimed = await world.store.write(world.steps.claim, [], [first.id])
    assert claimed is not None
    assert claimed.email_id == second.id
    world.clock.advance(CLAIM)
    assert await world.store.write(world.steps.claim, [], [first.id, second.id]) is None
    assert await world.store.write(world.steps.claim, [], [second.id]) == Claimed(first.id, ACME)


async def test_a_page_that_takes_long_is_stored_as_far_as_it_came(
    world: Audiences, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.members(range(1, 6))
    accepted = await world.send()
    of = Copies.of

    def slow(copies: Copies, member: FoundMember) -> FoundCopy:
        world.clock.advance(SECOND)
        return of(copies, member)

    monkeypatch.setattr(Copies, "of", slow)
    found = []
    for _ in range(3):
        taken = await world.step(gives_way=True)
        assert taken is not None
        email = await world.email(accepted.id)
        assert email.audience is not None
        found.append((taken.queued, email.audience.found, email.audience.is_complete))
    # Two seconds each; the last one is as long as it may be and not cut short.
    assert found == [(2, 2, False), (2, 4, False), (1, 5, True)]
    assert await addresses(world) == members(1, 2, 3, 4, 5)


async def test_a_page_has_one_copy_at_least(world: Audiences, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.members([1, 2])
    await world.send()
    of = Copies.of

    def slow(copies: Copies, member: FoundMember) -> FoundCopy:
        world.clock.advance(3 * SECOND)
        return of(copies, member)

    monkeypatch.setattr(Copies, "of", slow)
    assert await world.expand() == 2
    assert await addresses(world) == members(1, 2)


async def test_what_only_rendering_shows_is_left_to_the_delivery(
    world: Audiences, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = ContentForm(
        variants=(VariantForm("en", "Hi {{ member.name }}", '<a href="{{ member.url }}">x</a>'),),
        syntax=Syntax.LIQUID,
    )
    await world.new_liquid(template(body=body))
    await world.members([1], attributes={"name": "Ann", "url": "javascript:x"})
    await world.members([2], attributes={"name": "Bob"})
    await world.send(templated_to(body=TemplateBody("welcome", {})))
    monkeypatch.delattr(LiquidTemplate, "check")
    await world.expand()
    assert [(row.state, row.last_reply) for row in await world.rows(Recipient)] == [
        ("OPEN", None), ("REFUSED", "member.url has no value"),
    ]  # fmt: skip


async def test_why_it_waits_is_logged_once(world: Audiences) -> None:
    await world.members([1])
    await world.send()
    await world.change_tenant(state="PAUSED")
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert await world.expand() == 1
            world.clock.advance(5 * SECOND)
    assert [(line["log_level"], line["reason"]) for line in logs if line["event"] == "audience_waits"] == [
        ("info", "the tenant is paused")
    ]


async def test_a_paused_tenant_waits(world: Audiences) -> None:
    await world.members([1])
    await world.send()
    await world.change_tenant(state="PAUSED")
    assert await world.expand() == 1  # which puts it off
    assert await world.expand() == 0
    assert await world.rows(Recipient) == []
    await world.change_tenant(state="ACTIVE")
    world.clock.advance(5 * SECOND)
    await world.expand()
    assert await addresses(world) == members(1)


@pytest.mark.parametrize("limit", [1, 7, 600])
async def test_no_more_copies_wait_than_may(world: Audiences, limit: int) -> None:
    await world.change_tenant(limits={"max_pending_emails": limit})
    await world.members(range(1, 1001))
    accepted = await world.send()
    for _ in range(20):
        await world.expand(most=5)
        world.clock.advance(SECOND)
        waiting = sum(row.state == "READY" for row in await world.rows(Delivery))
        assert waiting <= limit
    # It is full, but for less than would be worth a page.
    assert waiting > limit - max(1, min(500, limit) // 4)
    assert (await world.email(accepted.id)).state is EmailState.PENDING
    await deliver(world, accepted.id)
    world.clock.advance(SECOND)
    assert await world.expand(most=1) == 1
    assert len(await addresses(world)) == min(1000, waiting + min(500, limit))


async def test_the_copies_of_other_emails_count_as_well(world: Audiences) -> None:
    await world.change_tenant(limits={"max_pending_emails": 100})
    await world.members(range(1, 101))
    first, second = await world.send(), await world.send()
    await world.expand(most=20)
    assert len(await addresses(world)) == 100
    assert (await world.email(first.id)).counts.open + (await world.email(second.id)).counts.open == 100


async def test_a_disk_that_is_nearly_full_makes_it_wait(
    opened: OpenDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Audiences(opened, Limits(min_free_disk_bytes=1), tmp_path)
    await world.fill()
    await world.add_server()
    await world.members([1])
    await world.send()
    world.clock.advance(SECOND)
    real = os.statvfs(tmp_path)
    full = os.statvfs_result([0 if i == 4 else part for i, part in enumerate(real)])
    with monkeypatch.context() as patched:
        patched.setattr(os, "statvfs", lambda _: full)
        assert await world.expand() == 1
        assert await world.rows(Recipient) == []
    world.clock.advance(5 * SECOND)
    await world.expand()
    assert await addresses(world) == members(1)


async def test_a_snapshot_stays_whatever_becomes_of_the_member(world: Audiences) -> None:
    await world.new_template(template(body=BILINGUAL))
    await world.members([1], attributes={"name": "Ann"})
    await world.send(templated_to())
    await world.expand()
    before = [dict(row.__data__) for row in await world.rows(MemberCopy)]

    def change() -> None:
        Member.update(attributes='{"name":"Bob"}', address="new@example.com").execute()

    await world.store.write(change)
    await world.store.write(lambda: Member.delete().execute())
    assert [dict(row.__data__) for row in await world.rows(MemberCopy)] == before
    assert json.loads(before[0]["member"]) == {"name": "Ann"}


async def test_a_failed_page_leaves_nothing_behind(world: Audiences, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.members([1, 2])
    await world.send()
    before = await world.counts()

    def fail(*_: Any) -> None:
        raise RuntimeError("the last statement of all")

    with monkeypatch.context() as patched:
        patched.setattr(history, "append", fail)
        with pytest.raises(RuntimeError):
            await world.step()
    assert await world.counts() == before
    world.clock.advance(CLAIM)
    await world.expand()
    assert await addresses(world) == members(1, 2)


async def test_a_part_without_html_and_a_body_of_the_callers_own_have_no_variables(world: Audiences) -> None:
    body = ContentForm(variants=(VariantForm("en", "Hi", text="%what%"),))
    await world.new_template(template(body=body))
    await world.members([1], attributes={"name": "a\nb"})
    await world.send(templated_to())
    await world.send()
    await world.expand()
    assert [(row.language, row.member, row.problem) for row in await world.rows(MemberCopy)] == [
        ("en", None, None), (None, None, None),
    ]  # fmt: skip
    assert [row.state for row in await world.rows(Recipient)] == ["OPEN", "OPEN"]


async def test_a_look_up_is_ended_once_and_settles_once(world: Audiences) -> None:
    accepted = await world.send(to_audience(ALL, schedule_time=NOON + HOUR))

    def end() -> list[int]:
        stopped = expansions.stop([accepted.id])
        expansions.end(stopped, AudienceState.ABANDONED, NOON)
        return stopped

    assert await world.store.write(end) == [accepted.id]
    assert await world.store.write(end) == []
    assert len(await events(world, Kind.EMAIL_SETTLED)) == 1
    assert len([row for row in await world.rows(Event) if row.progress]) == 0
