"""Accepting mail: the rows of one email, batches, and refusals that leave nothing behind."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re

import pytest

from accepting import FROM, Accepting, draft, templated
from fakes import NOON
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, STRANGER, template
from postroom_server.clock import HOUR
from postroom_server.mail.accept import Accepted
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.copies import Copy, split
from postroom_server.mail.draft import CopyMode, CustomBody, File
from postroom_server.mail.limits import Limits
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import (
    Attachment,
    Blob,
    Content,
    Delivery,
    Email,
    Event,
    Idempotency,
    Recipient,
    Role,
    TemplateKind,
)
from postroom_server.store.opening import OpenDatabase
from refusing import refusal_of


@pytest.fixture
async def world(opened: OpenDatabase) -> Accepting:
    made = Accepting(opened)
    await made.fill()
    await made.add_server(subject_prefix="Acme", from_name="Acme Inc.")
    return made


async def test_an_email_is_these_rows_and_no_others(world: Accepting) -> None:
    before = await world.counts()
    made = draft(
        to=("ann@example.com", "bob@example.com"),
        cc=("cc@example.com",),
        bcc=("bcc@example.com",),
        body=CustomBody(html="<p>Hello</p>", text="Hello"),
        request_id="r-1",
        fingerprint=b"f" * 32,
        out_id="o-1",
        biz_key="SIGNUP",
        language="zh_cn",
        from_address="Me@ACME.example",
        from_name="Me",
        reply_to=("back@example.com",),
        labels={"a": "1"},
        headers={"X-B": "2"},
        files=(File("图.png", content_id="x", content=b"png"),),
        schedule_time=NOON + HOUR,
        expire_time=NOON + 2 * HOUR,
        urgent=True,
        at_most_once=True,
        ignore_suppression=True,
        sender_user_id=42,
    )
    accepted = await world.accept(made)

    after = await world.counts()
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "email": 1,
        "content": 1,
        "delivery": 2,
        "recipient": 4,
        "attachment": 1,
        "blob": 1,
        "event": 1,
        "idempotency": 1,
    }
    (email,) = await world.rows(Email)
    row = dict(email.__data__)
    assert row | {"labels": json.loads(row["labels"]), "headers": json.loads(row["headers"])} == {
        "id": accepted.id,
        "tenant_id": ACME,
        "token_id": AUTHOR.token_id,
        "sender_user_id": 42,
        "out_id": "o-1",
        "biz_key": "SIGNUP",
        "language": "zh-CN",
        "template_language": None,
        "invoke_name": None,
        "template_version_id": None,
        "html": True,
        "subject": "Hi",
        "subject_prefix": "Acme",
        "from_address": "Me@acme.example",
        "from_name": "Me",
        "reply_to": '["back@example.com"]',
        "ignore_suppression": True,
        "separate": True,
        "at_most_once": True,
        "urgent": True,
        "test": False,
        "verification": False,
        "validity": None,
        "labels": {"a": "1"},
        "headers": {"X-B": "2"},
        "audience": None,
        "audience_cursor": None,
        "state": "PENDING",
        "failure_reason": None,
        "recipient_count": 4,
        "open_count": 4,
        **{
            f"{state}_count": 0
            for state in (
                "delivered", "refused", "expired", "cancelled", "suppressed", "unknown", "bounced",
                "ambiguous",
            )
        },
        "accept_time": NOON,
        "schedule_time": NOON + HOUR,
        "expire_time": NOON + 2 * HOUR,
        "expire_fixed": True,
        "settle_time": None,
        "delete_time": None,
        "audience_state": None,
        "audience_found": None,
        "audience_unknown": None,
    }  # fmt: skip
    (content,) = await world.rows(Content)
    assert (content.email_id, content.tenant_id, content.html, content.text, content.params) == (
        accepted.id, ACME, "<p>Hello</p>", "Hello", None,
    )  # fmt: skip
    deliveries = await world.rows(Delivery)
    assert [
        (d.tenant_id, d.email_id, d.lane, d.position, d.state, d.run_at, d.date_time, d.expire_time,
         d.at_most_once, d.lease_owner, d.lease_token, d.transactions, d.tries, d.crash_count)
        for d in deliveries
    ] == [
        (ACME, accepted.id, 0, position, "READY", NOON + HOUR, NOON + HOUR, NOON + 2 * HOUR, True, None,
         0, 0, 0, 0)
        for position in (0, 1)
    ]  # fmt: skip
    identities = {d.message_id for d in deliveries}
    assert len(identities) == 2
    assert all(re.fullmatch(r"[0-9a-f]+\.[0-9a-f]{16}@acme\.example", identity) for identity in identities)
    recipients = await world.rows(Recipient)
    first, second = (d.id for d in deliveries)
    assert [(r.tenant_id, r.email_id, r.delivery_id, r.role, r.address, r.state) for r in recipients] == [
        (ACME, accepted.id, first, "TO", "ann@example.com", "OPEN"),
        (ACME, accepted.id, first, "CC", "cc@example.com", "OPEN"),
        (ACME, accepted.id, first, "BCC", "bcc@example.com", "OPEN"),
        (ACME, accepted.id, second, "TO", "bob@example.com", "OPEN"),
    ]
    (blob,) = await world.rows(Blob)
    assert (blob.tenant_id, bytes(blob.sha256), blob.size, bytes(blob.content)) == (
        ACME, hashlib.sha256(b"png").digest(), 3, b"png",
    )  # fmt: skip
    (file,) = await world.rows(Attachment)
    assert (file.tenant_id, file.email_id, file.position, file.name, file.content_type, file.content_id) == (
        ACME, accepted.id, 0, "图.png", "image/png", "x",
    )  # fmt: skip
    assert (file.blob_id, file.url) == (blob.id, None)
    (event,) = await world.rows(Event)
    assert (event.tenant_id, event.email_id, event.kind, event.time) == (
        ACME, accepted.id, "EMAIL_ACCEPTED", NOON,
    )  # fmt: skip
    (remembered,) = await world.rows(Idempotency)
    assert (remembered.tenant_id, remembered.method, remembered.request_id) == (ACME, "SendEmail", "r-1")
    assert (bytes(remembered.fingerprint), json.loads(remembered.answer)) == (
        b"f" * 32, {"id": accepted.id},
    )  # fmt: skip


async def test_what_is_not_said_has_a_default(world: Accepting) -> None:
    await world.change_tenant(default_language="zh-CN")
    await world.accept(draft(), dataclasses.replace(AUTHOR, user_id=9))
    (email,) = await world.rows(Email)
    assert re.fullmatch(r"INNER-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", email.out_id)
    assert (email.language, email.sender_user_id, email.html, email.schedule_time) == (
        "zh-CN", 9, False, None,
    )  # fmt: skip
    assert (email.from_address, email.from_name, email.expire_time) == (FROM, "Acme Inc.", NOON + 48 * HOUR)
    (delivery,) = await world.rows(Delivery)
    assert (delivery.lane, delivery.run_at, delivery.date_time) == (1, NOON, NOON)
    assert await world.rows(Idempotency) == []


async def test_a_time_that_has_passed_means_at_once_and_48_hours_count_from_when_it_is_due(
    world: Accepting,
) -> None:
    await world.accept(draft(schedule_time=NOON - 1000 * HOUR))
    await world.accept(draft(schedule_time=NOON + HOUR))
    past, future = await world.rows(Delivery)
    assert (past.run_at, past.expire_time) == (NOON, NOON + 48 * HOUR)
    assert (future.run_at, future.expire_time) == (NOON + HOUR, NOON + 49 * HOUR)


async def test_an_expire_time_that_has_passed_refuses_a_new_email(world: Accepting) -> None:
    before = await world.counts()
    refusal = await refusal_of(world.accept(draft(expire_time=NOON)))
    assert [violation.field for violation in refusal.violations] == ["expire_time"]
    assert await world.counts() == before


TO, CC, BCC = ("a@x.test", "b@x.test"), ("c@x.test",), ("d@x.test",)


@pytest.mark.parametrize(
    ("to", "cc", "bcc", "mode", "expected"),
    [
        (TO, CC, BCC, "SEPARATE", [["TO a", "CC c", "BCC d"], ["TO b"]]),
        (TO, CC, BCC, "SHARED", [["TO a", "TO b", "CC c", "BCC d"]]),
        (TO, (), (), "SEPARATE", [["TO a"], ["TO b"]]),
        (TO[:1], CC, (), "SEPARATE", [["TO a", "CC c"]]),
        (TO[:1], (), BCC, "SHARED", [["TO a", "BCC d"]]),
        ((), CC, BCC, "SEPARATE", [["CC c", "BCC d"]]),
        ((), (), BCC, "SHARED", [["BCC d"]]),
    ],
)
def test_a5_recipients_are_spread_so_that_nobody_learns_of_others(
    to: tuple[str, ...], cc: tuple[str, ...], bcc: tuple[str, ...], mode: str, expected: list[list[str]]
) -> None:
    copies = split(to, cc, bcc, CopyMode(mode))
    assert [[f"{role} {address[0]}" for role, address in copy.recipients] for copy in copies] == expected


def test_every_recipient_is_on_exactly_one_copy() -> None:
    to = tuple(f"u{n}@x.test" for n in range(500))
    copies = split(to, (), (), CopyMode.SEPARATE)
    assert copies == tuple(Copy(((Role.TO, address),)) for address in to)


async def test_bulk_templates_and_urgent_mail_have_lanes_of_their_own(world: Accepting) -> None:
    bulk = dataclasses.replace(template("news"), kind=TemplateKind.BATCH)
    await world.new_template(bulk)
    await world.accept(templated("news"))
    await world.accept(templated("news", urgent=True))
    await world.accept(draft())
    assert [row.lane for row in await world.rows(Delivery)] == [2, 0, 1]


async def test_a_test_tokens_mail_is_marked(world: Accepting) -> None:
    await world.accept(draft(), dataclasses.replace(AUTHOR, test=True))
    assert [row.test for row in await world.rows(Email)] == [True]


async def test_equal_files_of_a_tenant_are_stored_once(world: Accepting) -> None:
    await world.add_server(OTHER)
    same = (File("a.bin", content=b"same"), File("b.bin", content=b"same"))
    await world.accept(draft(files=same))
    await world.accept_many([draft(files=same[:1]), draft(files=(File("c", content=b"more"),))])
    await world.accept(draft(files=same[:1]), STRANGER)
    blobs = await world.rows(Blob)
    assert sorted((blob.tenant_id, bytes(blob.content)) for blob in blobs) == [
        (ACME, b"more"), (ACME, b"same"), (OTHER, b"same"),
    ]  # fmt: skip
    owners = {blob.id: blob.tenant_id for blob in blobs}
    files = await world.rows(Attachment)
    assert [owners[file.blob_id] for file in files] == [file.tenant_id for file in files]
    assert len(files) == 5


async def test_a_token_that_belongs_to_a_user_speaks_for_nobody_else(world: Accepting) -> None:
    mine = dataclasses.replace(AUTHOR, user_id=5)
    before = await world.counts()
    for other in (6, 0):
        refusal = await refusal_of(world.accept(draft(sender_user_id=other, expire_time=NOON), mine))
        assert [violation.field for violation in refusal.violations] == ["sender_user_id", "expire_time"]
    assert await world.counts() == before
    operator = dataclasses.replace(mine, scopes=frozenset(Scope))
    for sender, caller in ((5, mine), (6, operator), (7, AUTHOR)):
        await world.accept(draft(sender_user_id=sender), caller)
    assert [row.sender_user_id for row in await world.rows(Email)] == [5, 6, 7]


async def test_e4_naming_another_tenant_needs_scope_platform(world: Accepting) -> None:
    before = await world.counts()
    refusal = await refusal_of(world.accept(draft(tenant_id=ACME), STRANGER))
    assert refusal.reason is Reason.TENANT_FORBIDDEN
    assert await world.counts() == before
    await world.accept(draft(tenant_id=ACME), OPERATOR)
    await world.accept(draft(tenant_id=ACME))
    for model in (Email, Content, Delivery, Recipient, Event):
        assert {row.tenant_id for row in await world.rows(model)} == {ACME}


async def test_an_unknown_tenant_has_no_mail(world: Accepting) -> None:
    refusal = await refusal_of(world.accept(draft(tenant_id=99), OPERATOR))
    assert (refusal.reason, refusal.metadata) == (Reason.TENANT_NOT_FOUND, {"tenant_id": "99"})


async def test_a_paused_tenant_sends_nothing_new(world: Accepting) -> None:
    first = await world.accept(draft(request_id="r", fingerprint=b"1"))
    await world.change_tenant(state="PAUSED")
    before = await world.counts()
    assert (await refusal_of(world.accept(draft()))).reason is Reason.TENANT_PAUSED
    outcomes = await world.accept_many([draft(), draft(request_id="r", fingerprint=b"1")])
    assert isinstance(outcomes[0], Refusal)
    assert outcomes[1] == Accepted(first.id, replayed=True)
    assert await world.counts() == before
    await world.change_tenant(state="ACTIVE")
    assert not (await world.accept(draft())).replayed


async def test_a_refused_call_stores_nothing(world: Accepting) -> None:
    await world.new_template()
    before = await world.counts()
    for refused in (
        draft(to=()),
        draft(from_address="x@elsewhere.example", tenant_id=99),
        templated(params={}),
        templated("unknown"),
        templated(params={"name": "a\r\nBcc: v@example.com"}, request_id="again"),
    ):
        await refusal_of(world.accept(refused, OPERATOR if refused.tenant_id else AUTHOR))
    await refusal_of(world.accept(draft(), Caller(99, 1, "nobody", frozenset({Scope.SEND}))))
    assert await world.counts() == before


async def test_the_plan_of_a_preview_stores_nothing(world: Accepting) -> None:
    before = await world.counts()
    checked = world.acceptance.check(AUTHOR, draft())
    plan = await world.store.read(world.acceptance.plan, AUTHOR, checked)
    assert (plan.sender.address, len(plan.copies)) == (FROM, 1)
    assert await world.counts() == before


def test_cc_travels_with_every_copy_where_the_setting_says_so() -> None:
    copies = split(
        ("a@x.test", "b@x.test"), ("c@x.test",), ("d@x.test",), CopyMode.SEPARATE, cc_every_copy=True
    )
    beside = ((Role.CC, "c@x.test"), (Role.BCC, "d@x.test"))
    assert [copy.recipients for copy in copies] == [
        ((Role.TO, "a@x.test"), *beside),
        ((Role.TO, "b@x.test"), *beside),
    ]


@pytest.mark.parametrize("most", [4, 3])
async def test_copies_of_copies_are_counted(opened: OpenDatabase, most: int) -> None:
    limits = dataclasses.replace(Limits(), batch_recipients=most)
    world = Accepting(opened, limits, cc_every_copy=True)
    await world.fill()
    await world.add_server()
    mail = draft(to=("a@x.test", "b@x.test"), cc=("c@x.test",))
    if most == 3:
        refused = await refusal_of(world.accept(mail))
        assert [violation.field for violation in refused.violations] == ["cc"]
        return
    await world.accept(mail)
    (row,) = await world.rows(Email)
    assert (row.recipient_count, row.open_count) == (4, 4)
    assert len(await world.rows(Recipient)) == 4
