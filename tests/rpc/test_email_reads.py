"""Reading emails back and taking them back, as a client of the contract sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from fakes import NOON
from postroom.v1 import email_pb2, email_service_pb2, filter_pb2, recipient_pb2
from postroom_server.clock import HOUR
from postroom_server.rpc.convert.email_out import PAGE_BYTES
from postroom_server.store.models import Delivery, Email
from stored_mail import deliveries_of, put_email

from .conftest import failure_of
from .reading_world import ReadingWorld, reading

__all__ = ["reading"]

Get, List = email_service_pb2.GetEmailRequest, email_service_pb2.ListEmailsRequest
Cancel, Delete = email_service_pb2.CancelEmailRequest, email_service_pb2.BatchDeleteEmailsRequest
Recipients, Reschedule = email_service_pb2.ListRecipientsRequest, email_service_pb2.RescheduleEmailRequest


def stamp(millis: int) -> Timestamp:
    return Timestamp(seconds=millis // 1000, nanos=millis % 1000 * 1_000_000)


def lease_all() -> None:
    Delivery.update(state="LEASED", transactions=1).execute()


async def test_an_email_is_told_in_the_contracts_words(reading: ReadingWorld) -> None:
    email_id = await reading.put(
        put_email,
        to=["ann@example.com"],
        labels=json.dumps({"team": "a"}),
        schedule_time=NOON + 1,
        content={"params": {"n": 1, "deep": [None, True, {"x": "y"}]}},
    )
    answer = await reading.call("GetEmail", Get(id=email_id), token="insider")
    email = answer.email
    assert (email.id, email.tenant_id, list(email.to)) == (email_id, 1, ["ann@example.com"])
    assert (email.state, email.body_kind) == (email_pb2.EMAIL_STATE_PENDING, email_pb2.BODY_KIND_CUSTOM)
    assert (email.copy_mode, email.guarantee) == (
        email_pb2.COPY_MODE_SEPARATE,
        email_pb2.GUARANTEE_AT_LEAST_ONCE,
    )
    assert (email.accept_time, email.schedule_time) == (stamp(NOON), stamp(NOON + 1))
    assert not email.HasField("settle_time")
    assert not email.HasField("validity")
    assert email.labels == {"team": "a"}
    assert (email.content.text, email.content.params["n"]) == ("Hi", 1)
    assert email.content.params["deep"][2]["x"] == "y"
    [recipient] = email.recipients
    assert recipient.state == recipient_pb2.RECIPIENT_STATE_OPEN
    assert recipient.role == recipient_pb2.RECIPIENT_ROLE_TO
    assert recipient.delivery_state == recipient_pb2.DELIVERY_STATE_READY
    assert recipient.next_try_time == stamp(NOON)
    assert email.counts == recipient_pb2.RecipientCounts(total=1, open=1)


async def test_without_the_scope_there_is_no_content(reading: ReadingWorld) -> None:
    email_id = await reading.put(put_email)
    got = await reading.call("GetEmail", Get(id=email_id))
    listed = await reading.call("ListEmails", List(view=email_pb2.EMAIL_VIEW_DETAIL))
    assert not got.email.HasField("content")
    assert not listed.emails[0].HasField("content")
    assert (len(got.email.recipients), len(listed.emails[0].recipients)) == (1, 1)


async def test_a_list_is_basic_and_a_get_is_detailed_unless_told_otherwise(reading: ReadingWorld) -> None:
    email_id = await reading.put(put_email)
    listed = await reading.call("ListEmails", List(), token="insider")
    basic = await reading.call("GetEmail", Get(id=email_id, view=email_pb2.EMAIL_VIEW_BASIC), token="insider")
    assert (listed.emails[0].HasField("content"), len(listed.emails[0].recipients)) == (False, 0)
    assert basic.email == listed.emails[0]


async def test_a_list_is_walked_by_its_tokens(reading: ReadingWorld) -> None:
    def put() -> list[int]:
        return [put_email() for _ in range(5)]

    ids = await reading.put(put)
    request = List(page_size=2, count=filter_pb2.COUNT_EXACT)
    found: list[int] = []
    for _ in range(3):
        answer = await reading.call("ListEmails", request)
        assert (answer.total_size, answer.total_is_lower_bound) == (5, False)
        found += [email.id for email in answer.emails]
        request.page_token = answer.next_page_token
    assert (found, request.page_token) == (ids[::-1], "")


async def test_filters_and_orders_travel(reading: ReadingWorld) -> None:
    def put() -> list[int]:
        return [put_email(biz_key=key) for key in ("SIGNUP", "LOGIN", "SIGNUP_2")]

    ids = await reading.put(put)
    asked = filter_pb2.Filter(
        field="biz_key", operator=filter_pb2.FILTER_OPERATOR_STARTS_WITH, values=["SIGNUP"]
    )
    answer = await reading.call("ListEmails", List(filters=[asked], order_by="id"))
    assert [email.id for email in answer.emails] == [ids[0], ids[2]]


async def test_all_violations_are_told_at_once(reading: ReadingWorld) -> None:
    request = List(
        page_size=-1,
        count=99,  # type: ignore[arg-type]
        view=99,  # type: ignore[arg-type]
        order_by="subject",
        filters=[filter_pb2.Filter(field="id", operator=99, values=["1"])],  # type: ignore[arg-type]
    )
    answer = await failure_of(reading.call("ListEmails", request))
    assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert [field for field, _, _ in answer.violations] == [
        "view", "page_size", "count", "filters[0].operator", "order_by",
    ]  # fmt: skip


async def test_no_list_is_larger_than_4_mib(reading: ReadingWorld) -> None:
    def put() -> list[int]:
        return [put_email(content={"text": "é" * 200_000, "html": "é" * 200_000}) for _ in range(14)]

    ids = await reading.put(put)
    request = List(view=email_pb2.EMAIL_VIEW_DETAIL)
    found: list[int] = []
    pages = 0
    while request.page_token or not pages:
        answer = await reading.call("ListEmails", request, token="insider")
        assert answer.ByteSize() <= 4 << 20
        found += [email.id for email in answer.emails]
        request.page_token = answer.next_page_token
        pages += 1
    assert (found, pages) == (ids[::-1], 3)


async def test_an_email_that_alone_is_too_large_is_listed_without_its_detail(reading: ReadingWorld) -> None:
    params = {f"a{n}@example.com": {"text": "x" * 60_000} for n in range(80)}
    small = await reading.put(put_email)
    large = await reading.put(put_email, content={"recipient_params": params})
    listed = await reading.call("ListEmails", List(view=email_pb2.EMAIL_VIEW_DETAIL), token="insider")
    rest = await reading.call(
        "ListEmails",
        List(view=email_pb2.EMAIL_VIEW_DETAIL, page_token=listed.next_page_token),
        token="insider",
    )
    got = await reading.call("GetEmail", Get(id=large), token="insider")
    assert [email.id for email in (*listed.emails, *rest.emails)] == [large, small]
    assert (listed.emails[0].HasField("content"), rest.emails[0].HasField("content")) == (False, True)
    assert got.ByteSize() > PAGE_BYTES
    assert len(got.email.content.recipient_params) == 80


async def test_recipients_are_listed(reading: ReadingWorld) -> None:
    email_id = await reading.put(put_email, to=["a@example.com", "b@example.com"])
    first = await reading.call("ListRecipients", Recipients(email_id=email_id, page_size=1))
    rest = await reading.call(
        "ListRecipients", Recipients(email_id=email_id, page_size=1, page_token=first.next_page_token)
    )
    assert [r.address for r in (*first.recipients, *rest.recipients)] == ["a@example.com", "b@example.com"]
    assert (first.total_size, rest.next_page_token) == (2, "")


@pytest.mark.every_database
async def test_a_cancel_counts_and_tells_the_worker(reading: ReadingWorld) -> None:
    email_id = await reading.put(put_email, to=["a@example.com", "b@example.com"])
    waiting = await reading.put(put_email)
    await reading.put(lambda: Delivery.update(state="LEASED").where(Delivery.email_id == email_id).execute())
    leased = [delivery.id for delivery in await reading.store.read(deliveries_of, email_id)]
    one = await reading.call("CancelEmail", Cancel(id=email_id))
    two = await reading.call("CancelEmail", Cancel(id=waiting))
    assert one == email_service_pb2.CancelEmailResponse(in_flight_count=2)
    assert two == email_service_pb2.CancelEmailResponse(cancelled_count=1)
    [(told, thread)] = reading.noticed
    assert sorted(told) == leased
    assert thread.startswith("store")


async def test_a_delete_hides_and_tells_the_worker(reading: ReadingWorld) -> None:
    email_id = await reading.put(put_email)
    await reading.put(lease_all)
    answer = await reading.call("BatchDeleteEmails", Delete(ids=[email_id, email_id, 5]))
    again = await reading.call("BatchDeleteEmails", Delete(ids=[email_id]))
    gone = await failure_of(reading.call("GetEmail", Get(id=email_id)))
    assert (answer.deleted_count, again.deleted_count) == (1, 0)
    assert (gone.code, gone.reason) == ("NOT_FOUND", "EMAIL_NOT_FOUND")
    assert len(reading.noticed) == 1


async def test_a_delete_of_more_than_one_unit_deletes_everything(reading: ReadingWorld) -> None:
    def put() -> list[int]:
        return [put_email(recipient_count=600, open_count=600) for _ in range(5)]

    ids = await reading.put(put)
    answer = await reading.call("BatchDeleteEmails", Delete(ids=ids))
    assert answer.deleted_count == 5
    assert await reading.store.read(Email.select().where(Email.delete_time.is_null()).count) == 0


async def test_an_email_is_moved(reading: ReadingWorld) -> None:
    email_id = await reading.put(put_email)
    answer = await reading.call("RescheduleEmail", Reschedule(id=email_id, schedule_time=stamp(NOON + HOUR)))
    assert (answer.email.schedule_time, answer.email.expire_time) == (
        stamp(NOON + HOUR),
        stamp(NOON + 49 * HOUR),
    )
    missing = await failure_of(reading.call("RescheduleEmail", Reschedule(id=email_id)))
    assert [field for field, _, _ in missing.violations] == ["schedule_time"]
    await reading.put(lease_all)
    late = await failure_of(
        reading.call("RescheduleEmail", Reschedule(id=email_id, schedule_time=stamp(NOON + HOUR)))
    )
    assert (late.code, late.reason) == ("FAILED_PRECONDITION", "TOO_LATE")


def requests_about(email_id: int, **more: Any) -> list[tuple[str, Any]]:
    return [
        ("GetEmail", Get(id=email_id, **more)),
        ("ListRecipients", Recipients(email_id=email_id, **more)),
        ("CancelEmail", Cancel(id=email_id, **more)),
        ("RescheduleEmail", Reschedule(id=email_id, schedule_time=stamp(NOON), **more)),
    ]


async def test_another_tenants_email_does_not_exist(reading: ReadingWorld) -> None:
    email_id = await reading.put(put_email)
    for method, request in requests_about(email_id):
        answer = await failure_of(reading.call(method, request, token="two"))
        assert (method, answer.code) == (method, "NOT_FOUND")
    deleted = await reading.call("BatchDeleteEmails", Delete(ids=[email_id]), token="two")
    listed = await reading.call("ListEmails", List(), token="two")
    assert (deleted.deleted_count, len(listed.emails)) == (0, 0)


async def test_only_the_platform_names_another_tenant(reading: ReadingWorld) -> None:
    email_id = await reading.put(put_email)
    for method, request in requests_about(email_id, tenant_id=1):
        answer = await failure_of(reading.call(method, request, token="two"))
        assert (method, answer.code, answer.reason) == (method, "PERMISSION_DENIED", "TENANT_FORBIDDEN")
    got = await reading.call("GetEmail", Get(id=email_id, tenant_id=1), token="platform")
    assert got.email.id == email_id
