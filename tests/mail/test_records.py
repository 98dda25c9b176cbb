"""One email is read back whole, and only by those it belongs to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fakes import NOON
from postroom_server.clock import HOUR
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.email_record import EmailRecord, Failure, View
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import PageRequest
from postroom_server.mail.recipients import Recipients
from postroom_server.mail.records import Records
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import (
    Attachment,
    Attempt,
    Blob,
    Content,
    Delivery,
    Email,
    MailServer,
    Recipient,
    TemplateVariant,
    TemplateVersion,
)
from postroom_server.store.unit import Store
from stored_mail import deliveries_of, new_id, put_email

READER = Caller(1, 1, "reader", frozenset({Scope.READ}))
INSIDER = Caller(1, 1, "insider", frozenset({Scope.READ, Scope.READ_CONTENT}))
TOKENS = PageTokens(b"k" * 32)
RECORDS = Records(TOKENS)
RECIPIENTS = Recipients(TOKENS)


def get(
    email_id: int, *, caller: Caller = INSIDER, tenant_id: int = 1, view: View = View.DETAIL
) -> EmailRecord:
    return RECORDS.get(caller, tenant_id, email_id, view)


async def test_an_email_is_told_as_it_was_asked(store: Store) -> None:
    email_id = await store.write(
        put_email,
        to=["ann@example.com", "bob@example.com"],
        cc=["cid@example.com"],
        biz_key="SIGNUP",
        labels=json.dumps({"team": "a"}),
        headers=json.dumps({"X-One": "1"}),
        reply_to=json.dumps(["help@example.com"]),
        schedule_time=NOON + HOUR,
    )
    email = await store.read(get, email_id, view=View.BASIC)
    assert (email.to, email.cc, email.bcc) == (
        ("ann@example.com", "bob@example.com"),
        ("cid@example.com",),
        (),
    )
    assert (email.biz_key, email.invoke_name, email.template_version) == ("SIGNUP", "", 0)
    assert (email.labels, email.headers) == ({"team": "a"}, {"X-One": "1"})
    assert email.reply_to == ("help@example.com",)
    assert (email.schedule_time, email.settle_time, email.failure, email.failure_message) == (
        NOON + HOUR,
        None,
        None,
        "",
    )
    assert (email.counts.total, email.counts.open) == (3, 3)
    assert (email.content, email.recipients, email.attempts) == (None, (), ())


async def test_a_copied_address_is_told_once_however_many_copies_carry_it(store: Store) -> None:
    def put() -> int:
        email_id = put_email(to=["ann@example.com", "bob@example.com"], cc=["cid@example.com"])
        second = deliveries_of(email_id)[1]
        Recipient.insert(
            id=new_id(), tenant_id=1, email_id=email_id, delivery_id=second.id, role="CC",
            address="cid@example.com", state="OPEN",
        ).execute()  # fmt: skip
        return email_id

    assert (await store.read(get, await store.write(put))).cc == ("cid@example.com",)


@pytest.mark.every_database
async def test_the_detail_tells_content_recipients_and_attempts(store: Store) -> None:
    def put() -> int:
        email_id = put_email(
            content={"html": "<p>Hi", "params": {"a": 1}, "recipient_params": {"x@y.z": {"b": True}}}
        )
        [delivery] = deliveries_of(email_id)
        put_server(9, name="Main")
        for n in range(3):
            put_attempt(email_id, delivery.id, server_id=9 if n else None, code=450 + n, start_time=NOON + n)
        Recipient.update(last_code=450, last_enhanced="4.2.0", last_reply="later").execute()
        Delivery.update(tries=3, run_at=NOON + HOUR).execute()
        Blob.insert(id=5, tenant_id=1, sha256=bytes(32), size=7, content=b"1234567").execute()
        Attachment.insert(
            id=6,
            tenant_id=1,
            email_id=email_id,
            position=0,
            name="a.txt",
            content_type="text/plain",
            blob_id=5,
        ).execute()
        return email_id

    email = await store.read(get, await store.write(put))
    assert email.content is not None
    assert (email.content.html, email.content.text) == ("<p>Hi", "Hi")
    assert (email.content.params, email.content.recipient_params) == ({"a": 1}, {"x@y.z": {"b": True}})
    [attachment] = email.content.attachments
    assert (attachment.name, attachment.size, attachment.sha256) == ("a.txt", 7, "00" * 32)
    [recipient] = email.recipients
    assert (recipient.code, recipient.enhanced_code, recipient.reply) == (450, "4.2.0", "later")
    assert (recipient.tries, recipient.next_try_time) == (3, NOON + HOUR)
    assert recipient.message_id.startswith("<")
    assert recipient.message_id.endswith("@example.com>")
    assert [(a.code, a.server_id, a.server_name) for a in email.attempts] == [
        (450, 0, ""),
        (451, 9, "Main"),
        (452, 9, "Main"),
    ]


async def test_the_detail_tells_500_recipients_and_the_newest_500_attempts(store: Store) -> None:
    def put() -> int:
        email_id = put_email()
        [delivery] = deliveries_of(email_id)
        for n in range(501):
            put_attempt(email_id, delivery.id, code=n)
            Recipient.insert(
                id=new_id(),
                tenant_id=1,
                email_id=email_id,
                delivery_id=delivery.id,
                role="BCC",
                address=f"{n}@example.com",
                state="OPEN",
            ).execute()
        return email_id

    email = await store.read(get, await store.write(put))
    assert (len(email.recipients), email.recipients[0].address) == (500, "ann@example.com")
    assert [attempt.code for attempt in email.attempts] == list(range(1, 501))


async def test_the_content_is_told_only_with_the_scope(store: Store) -> None:
    email_id = await store.write(put_email)
    assert (await store.read(get, email_id, caller=READER)).content is None
    assert len((await store.read(get, email_id, caller=READER)).recipients) == 1
    listed = await store.read(RECORDS.page, READER, 1, PageRequest(), View.DETAIL)
    assert [email.content for email in listed.items] == [None]


async def test_a_mail_with_codes_shows_neither_bodies_nor_codes(store: Store) -> None:
    email_id = await store.write(
        put_email,
        verification=True,
        content={
            "html": "secret",
            "params": {"verificationCode": "123456", "name": "Ann"},
            "recipient_params": {"a@b.c": {}},
        },
    )
    content = (await store.read(get, email_id)).content
    assert content is not None
    assert (content.html, content.text) == ("", "")
    assert content.params == {"verificationCode": "******", "name": "Ann"}
    assert content.recipient_params == {"a@b.c": {"verificationCode": "******"}}


async def test_purged_content_is_no_content(store: Store) -> None:
    def put() -> int:
        email_id = put_email()
        Email.update(subject=None).execute()
        Content.delete().execute()
        return email_id

    email = await store.read(get, await store.write(put))
    assert (email.content, email.subject) == (None, "")


async def test_without_a_subject_of_its_own_the_templates_is_told(store: Store) -> None:
    def put() -> int:
        TemplateVersion.insert(
            id=5, tenant_id=1, template_id=4, number=3, name="W", kind="TRIGGER", syntax="PERCENT",
            default_language="en", author="t", create_time=NOON, review_state="APPROVED",
        ).execute()  # fmt: skip
        for position, (language, subject) in enumerate([("en", "Hello %name%"), ("zh-CN", "你好 %name%")]):
            TemplateVariant.insert(
                id=6 + position, version_id=5, position=position, language=language, subject=subject
            ).execute()
        return put_email(
            subject=None, invoke_name="welcome", template_version_id=5, template_language="zh-CN"
        )

    email = await store.read(get, await store.write(put))
    assert (email.subject, email.template_version, email.invoke_name) == ("你好 %name%", 3, "welcome")


@pytest.mark.parametrize(
    ("columns", "failure", "message"),
    [
        (
            {"refused_count": 1, "delivered_count": 2},
            Failure.RECIPIENTS,
            "1 of 3 recipients not delivered: 1 refused",
        ),
        (
            {"expired_count": 1, "suppressed_count": 1, "delivered_count": 0, "bounced_count": 1},
            Failure.RECIPIENTS,
            "2 of 3 recipients not delivered: 1 expired, 1 suppressed",
        ),
        ({"failure_reason": "NO_RECIPIENTS"}, Failure.NO_RECIPIENTS, "the audience held nobody"),
        ({"failure_reason": "ATTACHMENT"}, Failure.ATTACHMENT, "an attachment could not be had"),
    ],
)
async def test_a_failure_says_why_and_counts(
    store: Store, columns: dict[str, Any], failure: Failure, message: str
) -> None:
    email_id = await store.write(
        put_email, to=["a@b.c", "d@e.f", "g@h.i"], state="FAILURE", open_count=0, **columns
    )
    email = await store.read(get, email_id)
    assert (email.failure, email.failure_message) == (failure, message)


async def test_held_deliveries_are_counted(store: Store) -> None:
    def put() -> int:
        email_id = put_email(to=["a@b.c", "d@e.f"], delivery={"state": "HELD"})
        put_email(delivery={"state": "HELD"})
        return email_id

    assert (await store.read(get, await store.write(put))).held_count == 2


async def test_a_recipient_that_waits_for_nothing_has_no_next_try(store: Store) -> None:
    email_id = await store.write(put_email, delivery={"state": "LEASED"})
    [recipient] = (await store.read(get, email_id)).recipients
    assert (recipient.next_try_time, recipient.delivery_state) == (None, "LEASED")


async def test_foreign_deleted_and_unknown_emails_are_alike(store: Store) -> None:
    foreign = await store.write(put_email, tenant_id=2)
    deleted = await store.write(put_email, delete_time=NOON)
    for email_id in (foreign, deleted, 12345):
        with pytest.raises(Refusal) as caught:
            await store.read(get, email_id)
        assert (caught.value.reason, caught.value.metadata) == (
            Reason.EMAIL_NOT_FOUND,
            {"email_id": str(email_id)},
        )


def put_server(server_id: int, name: str) -> None:
    MailServer.insert(
        id=server_id, tenant_id=1, name=name, host="h", port=25, tls_mode="OFF", auth_mechanism="NONE",
        priority=0, weight=1, max_connections=1, allowed_senders="[]", state="ENABLED", create_time=NOON,
        update_time=NOON,
    ).execute()  # fmt: skip


def put_attempt(email_id: int, delivery_id: int, **columns: Any) -> None:
    Attempt.insert(
        {
            "id": new_id(), "tenant_id": 1, "email_id": email_id, "delivery_id": delivery_id, "worker_id": 1,
            "outcome": "TRANSIENT", "phase": "RCPT", "ambiguous": False, "accepted_count": 0,
            "refused_count": 1, "start_time": NOON, "end_time": NOON, **columns,
        }
    ).execute()  # fmt: skip
