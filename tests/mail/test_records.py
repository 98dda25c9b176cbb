"""Emails are read back whole, page by page, and only by those they belong to."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import NOON
from postroom_server.clock import HOUR
from postroom_server.mail import records as records_module
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.email_record import EmailRecord, Failure, View
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Count, Page, PageRequest
from postroom_server.mail.recipients import Recipients
from postroom_server.mail.records import Records
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.filters import Filter, Operator
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
from stored_mail import deliveries_of, new_id, put_email, recipients_of

READER = Caller(1, 1, "reader", frozenset({Scope.READ}))
INSIDER = Caller(1, 1, "insider", frozenset({Scope.READ, Scope.READ_CONTENT}))
TOKENS = PageTokens(b"k" * 32)
RECORDS = Records(TOKENS)
RECIPIENTS = Recipients(TOKENS)


def get(
    email_id: int, *, caller: Caller = INSIDER, tenant_id: int = 1, view: View = View.DETAIL
) -> EmailRecord:
    return RECORDS.get(caller, tenant_id, email_id, view)


def page_of(
    tenant_id: int = 1, view: View = View.BASIC, caller: Caller = READER, **request: Any
) -> Page[EmailRecord]:
    return RECORDS.page(caller, tenant_id, PageRequest(**request), view)


def ids_of(page: Page[Any]) -> list[int]:
    return [item.id for item in page.items]


def walk(size: int, **request: Any) -> list[int]:
    """Every id of a list, page by page."""
    found: list[int] = []
    token = ""
    while True:
        page = page_of(page_size=size, page_token=token, **request)
        found += ids_of(page)
        if not page.has_more:
            return found
        token = page.token_after(len(page.items) - 1)


# One email.


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
        [delivery], [recipient] = deliveries_of(email_id), recipients_of(email_id)
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
    listed = await store.read(page_of, view=View.DETAIL)
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


# Pages.


async def test_the_newest_come_first(store: Store) -> None:
    ids = [await store.write(put_email) for _ in range(3)]
    await store.write(put_email, tenant_id=2)
    await store.write(put_email, delete_time=NOON)
    page = await store.read(page_of)
    assert (ids_of(page), page.total_size, page.total_is_lower_bound, page.has_more) == (
        ids[::-1],
        3,
        False,
        False,
    )


ORDERS = ["", "id", "id desc", "schedule_time", "schedule_time desc", "settle_time desc,id", "accept_time desc",
          "schedule_time, settle_time desc", "accept_time , schedule_time desc, id desc", "settle_time, schedule_time"]  # fmt: skip


def by_order(order: str) -> Any:
    """The order, as plain Python sorts it: rows without a value last, ties by id as the first key goes."""
    keys = [(key.split()[0], key.endswith("desc")) for key in (order or "id desc").split(",")]
    if "id" not in dict(keys):
        keys.append(("id", keys[0][1]))

    def place(row: dict[str, Any]) -> list[tuple[bool, int]]:
        found = []
        for name, descending in keys:
            value = row[name]
            found.append((value is None, 0 if value is None else -value if descending else value))
        return found

    return place


@pytest.mark.every_database
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 3, 100])
async def test_pages_tell_every_email_once_and_in_order(store: Store, order: str, size: int) -> None:
    rows = [
        {
            "id": new_id(),
            "schedule_time": None if n % 3 == 0 else NOON + n % 2,
            "settle_time": None if n % 4 < 2 else NOON - n % 5,
            "accept_time": NOON + n % 2,
        }
        for n in range(14)
    ]

    def put() -> None:
        for row in rows:
            put_email(row["id"], **{name: value for name, value in row.items() if name != "id"})

    await store.write(put)
    expected = [row["id"] for row in sorted(rows, key=by_order(order))]
    assert await store.read(walk, size, order_by=order) == expected
    for skip in (0, 1, 5, 9, 10, 13, 14, 20):
        assert (
            ids_of(await store.read(page_of, order_by=order, skip=skip, page_size=3))
            == expected[skip : skip + 3]
        )


async def test_filters_hold_on_every_page(store: Store) -> None:
    def put() -> list[int]:
        return [
            put_email(biz_key="A" if n % 2 else "B", schedule_time=None if n % 3 else NOON) for n in range(12)
        ]

    ids = await store.write(put)
    only_a = (Filter("biz_key", Operator.EQUAL, ("A",)),)
    assert sorted(await store.read(walk, 2, filters=only_a, order_by="schedule_time")) == ids[1::2]


async def test_a_page_ends_where_its_token_says_though_more_has_come(store: Store) -> None:
    old = [await store.write(put_email) for _ in range(4)]
    first = await store.read(page_of, page_size=2)
    token = first.token_after(1)
    await store.write(put_email)
    assert ids_of(await store.read(page_of, page_size=2, page_token=token)) == old[1::-1]


async def test_page_sizes(store: Store) -> None:
    def put() -> None:
        for _ in range(60):
            put_email()

    await store.write(put)
    assert len((await store.read(page_of)).items) == 50
    assert len((await store.read(page_of, page_size=60)).items) == 60
    assert len((await store.read(page_of, page_size=2_000_000)).items) == 60


async def test_a_page_holds_a_thousand_at_most(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def put() -> None:
        for _ in range(4):
            put_email()

    monkeypatch.setattr(RECORDS, "_listing", dataclasses.replace(RECORDS._listing, most_size=3))
    assert Records(TOKENS)._listing.most_size == 1000
    await store.write(put)
    page = await store.read(page_of, page_size=4)
    assert (len(page.items), page.has_more) == (3, True)


@pytest.mark.parametrize(
    ("request_", "field"),
    [({"page_size": -1}, "page_size"), ({"skip": -1}, "skip"), ({"skip": 1, "page_token": "x"}, "skip")],
)
async def test_a_size_or_skip_that_makes_no_sense_is_named(
    store: Store, request_: dict[str, Any], field: str
) -> None:
    with pytest.raises(Refusal) as caught:
        await store.read(page_of, **request_)
    assert [(v.field, v.reason) for v in caught.value.violations] == [(field, Reason.INVALID_FIELD)]


@pytest.mark.parametrize(
    "order",
    [
        "subject",
        "id asc",
        "id,id",
        "id desc desc",
        "schedule_time;",
        ",",
        "id,",
        "ID",
        "x" * 300,
        "id desc, (SELECT 1)",
    ],
)
async def test_an_order_that_is_not_offered_is_refused(store: Store, order: str) -> None:
    with pytest.raises(Refusal) as caught:
        await store.read(page_of, order_by=order)
    assert caught.value.reason is Reason.UNSUPPORTED_ORDER_BY


# Tokens.

QUERY = ["ListEmails", [1], [["id", "EQUAL", "5"]], "id desc"]


def read_back(token: str, tokens: PageTokens = TOKENS, query: Any = QUERY) -> Any:
    return tokens.read(query, token)


@given(st.lists(st.none() | st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=4))
def test_a_token_tells_the_position_it_was_written_for(position: list[int | None]) -> None:
    assert read_back(PageTokens(b"k" * 32).write(QUERY, tuple(position))) == tuple(position)


@given(at=st.integers(0, 200), character=st.sampled_from("ABCDabcd0189-_=+/ é"))
def test_a_token_with_any_character_changed_is_refused(at: int, character: str) -> None:
    token = TOKENS.write(QUERY, (NOON, 77))
    at %= len(token)
    changed = token[:at] + character + token[at + 1 :]
    if changed != token:
        with pytest.raises(Refusal) as caught:
            read_back(changed)
        assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


@pytest.mark.parametrize("token", ["x", "====", "é", "A" * 5000, " ", "AQ"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_back(token)
    assert caught.value.reason is Reason.INVALID_PAGE_TOKEN
    assert [v.field for v in caught.value.violations] == ["page_token"]


@pytest.mark.parametrize(
    "query",
    [
        ["ListRecipients", [1], [["id", "EQUAL", "5"]], "id desc"],
        ["ListEmails", [2], [["id", "EQUAL", "5"]], "id desc"],
        ["ListEmails", [1], [["id", "EQUAL", "6"]], "id desc"],
        ["ListEmails", [1], [], "id desc"],
        ["ListEmails", [1], [["id", "EQUAL", "5"]], "id"],
    ],
)
def test_a_token_of_another_query_is_refused(query: Any) -> None:
    with pytest.raises(Refusal):
        read_back(TOKENS.write(QUERY, (1,)), query=query)


def test_a_token_of_another_deployment_is_refused() -> None:
    with pytest.raises(Refusal):
        read_back(PageTokens(b"x" * 32).write(QUERY, (1,)))


async def test_a_token_is_refused_with_another_tenant_filter_or_order(store: Store) -> None:
    for tenant_id in (1, 1, 2, 2):
        await store.write(put_email, tenant_id=tenant_id)
    token = (await store.read(page_of, page_size=1)).token_after(0)
    assert len((await store.read(page_of, page_token=token, order_by=" id  desc ")).items) == 1
    others: list[dict[str, Any]] = [
        {"tenant_id": 2},
        {"order_by": "id"},
        {"filters": (Filter("html", Operator.EQUAL, ("false",)),)},
    ]
    for other in others:
        with pytest.raises(Refusal) as caught:
            await store.read(page_of, page_token=token, **other)
        assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


# Counts.


async def test_counting_ends_at_ten_thousand_unless_asked_for_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom_server.mail.pages.COUNTED", 5)

    def put() -> None:
        for _ in range(7):
            put_email()

    await store.write(put)
    few = await store.read(page_of, page_size=2)
    exact = await store.read(page_of, page_size=2, count=Count.EXACT)
    none = await store.read(page_of, page_size=2, count=Count.NONE)
    assert (few.total_size, few.total_is_lower_bound) == (5, True)
    assert (exact.total_size, exact.total_is_lower_bound) == (7, False)
    assert (none.total_size, none.total_is_lower_bound) == (0, True)


async def test_later_pages_and_pages_past_the_end_count_the_same(store: Store) -> None:
    def put() -> None:
        for _ in range(5):
            put_email()

    await store.write(put)
    token = (await store.read(page_of, page_size=3)).token_after(2)
    last = await store.read(page_of, page_size=3, page_token=token)
    beyond = await store.read(page_of, skip=9)
    assert (len(last.items), last.total_size, last.has_more) == (2, 5, False)
    assert (beyond.items, beyond.total_size, beyond.has_more) == ([], 5, False)


# What a page may weigh.


async def test_a_page_ends_early_where_it_would_read_too_many_addresses(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "PAGE_ADDRESSES", 5)

    def put() -> list[int]:
        return [put_email(to=[f"{n}@example.com" for n in range(size)]) for size in (2, 9, 2, 2)]

    ids = await store.write(put)
    assert ids_of(await store.read(page_of)) == [ids[3], ids[2]]
    assert await store.read(walk, 10) == ids[::-1]


async def test_a_page_of_details_ends_early_where_it_is_heavy(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "PAGE_BYTES", 20_000)

    def put() -> list[int]:
        return [put_email(content={"text": "x" * 12_000}) for _ in range(4)]

    ids = await store.write(put)
    page = await store.read(page_of, view=View.DETAIL, caller=INSIDER)
    assert (ids_of(page), page.has_more) == ([ids[3], ids[2]], True)
    assert await store.read(walk, 10, view=View.DETAIL, caller=INSIDER) == ids[::-1]


# Recipients.


def recipients_page(email_id: int, tenant_id: int = 1, **request: Any) -> Page[Any]:
    return RECIPIENTS.page(tenant_id, email_id, PageRequest(**request))


@pytest.mark.every_database
async def test_recipients_are_listed_by_id_and_paged(store: Store) -> None:
    email_id = await store.write(put_email, to=[f"{n}@example.com" for n in range(5)])
    await store.write(put_email)
    first = await store.read(recipients_page, email_id, page_size=3)
    rest = await store.read(recipients_page, email_id, page_size=3, page_token=first.token_after(2))
    assert [r.address for r in first.items + rest.items] == [f"{n}@example.com" for n in range(5)]
    assert (first.total_size, first.has_more, rest.has_more) == (5, True, False)


async def test_recipients_are_filtered_and_ordered(store: Store) -> None:
    def put() -> int:
        email_id = put_email(to=[f"{n}@example.com" for n in range(4)])
        for n, recipient in enumerate(recipients_of(email_id)[:3]):
            Recipient.update(
                state="REFUSED", settle_time=NOON - n, last_code=550 + n, last_enhanced=f"5.1.{n}"
            ).where(Recipient.id == recipient.id).execute()
        return email_id

    email_id = await store.write(put)

    async def addresses(*filters: Filter, order_by: str = "") -> list[str]:
        page = await store.read(recipients_page, email_id, filters=filters, order_by=order_by)
        return [recipient.address[0] for recipient in page.items]

    assert await addresses(order_by="settle_time") == ["2", "1", "0", "3"]
    assert await addresses(order_by="settle_time desc") == ["0", "1", "2", "3"]
    assert await addresses(Filter("code", Operator.GREATER_THAN, ("550",))) == ["1", "2"]
    assert await addresses(Filter("code", Operator.NOT_EQUAL, ("550",))) == ["1", "2", "3"]
    assert await addresses(Filter("code", Operator.EQUAL, ("99999999999",))) == []
    assert await addresses(Filter("enhanced_code", Operator.STARTS_WITH, ("5.1.",))) == ["0", "1", "2"]
    assert await addresses(Filter("state", Operator.EQUAL, ("OPEN",))) == ["3"]
    assert await addresses(Filter("address", Operator.CONTAINS, ("1@",))) == ["1"]
    assert await addresses(Filter("role", Operator.EQUAL, ("CC",))) == []


async def test_recipients_of_foreign_deleted_and_unknown_emails_are_not_found(store: Store) -> None:
    foreign = await store.write(put_email, tenant_id=2)
    deleted = await store.write(put_email, delete_time=NOON)
    for email_id in (foreign, deleted, 0):
        with pytest.raises(Refusal) as caught:
            await store.read(recipients_page, email_id)
        assert caught.value.reason is Reason.EMAIL_NOT_FOUND


async def test_a_token_of_another_emails_recipients_is_refused(store: Store) -> None:
    one = await store.write(put_email, to=["a@b.c", "d@e.f"])
    two = await store.write(put_email, to=["a@b.c", "d@e.f"])
    token = (await store.read(recipients_page, one, page_size=1)).token_after(0)
    with pytest.raises(Refusal) as caught:
        await store.read(recipients_page, two, page_token=token)
    assert caught.value.reason is Reason.INVALID_PAGE_TOKEN


def put_server(server_id: int, name: str) -> None:
    MailServer.insert(
        id=server_id, tenant_id=1, name=name, host="h", port=25, tls_mode="OFF", auth_mechanism="NONE", priority=0,
        weight=1, max_connections=1, allowed_senders="[]", state="ENABLED", create_time=NOON, update_time=NOON,
    ).execute()  # fmt: skip


def put_attempt(email_id: int, delivery_id: int, **columns: Any) -> None:
    Attempt.insert(
        {
            "id": new_id(), "tenant_id": 1, "email_id": email_id, "delivery_id": delivery_id, "worker_id": 1,
            "outcome": "TRANSIENT", "phase": "RCPT", "ambiguous": False, "accepted_count": 0, "refused_count": 1,
            "start_time": NOON, "end_time": NOON, **columns,
        }
    ).execute()  # fmt: skip
