"""The recipients of an email are listed, filtered and paged like emails."""

from __future__ import annotations

from typing import Any

import pytest

from fakes import NOON
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Page, PageRequest
from postroom_server.mail.recipients import Recipients
from postroom_server.mail.records import Records
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.filters import Filter, Operator
from postroom_server.store.models import (
    Recipient,
)
from postroom_server.store.unit import Store
from stored_mail import put_email, recipients_of

READER = Caller(1, 1, "reader", frozenset({Scope.READ}))
INSIDER = Caller(1, 1, "insider", frozenset({Scope.READ, Scope.READ_CONTENT}))
TOKENS = PageTokens(b"k" * 32)
RECORDS = Records(TOKENS)
RECIPIENTS = Recipients(TOKENS)


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
