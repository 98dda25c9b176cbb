"""RetryEmail, ReleaseEmail and ReportBounce as callers see them, with mail that really goes out."""

from __future__ import annotations

import asyncio
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from postroom.v1 import email_pb2, email_service_pb2, recipient_pb2
from postroom_server.store.models import Delivery, Email, Recipient
from serving import ACME, PATIENCE, Served, Told, served

__all__ = ["served"]
CUSTOM = email_service_pb2.CustomBody(text="Hello")


class Sender:
    def __init__(self, served: Served, secret: str) -> None:
        self.served, self.secret = served, secret

    async def __call__(self, method: str, **fields: Any) -> Told:
        return await self.served.call(f"EmailService.{method}", self.secret, **fields)

    async def send(self, *to: str) -> int:
        sent = await self("SendEmail", to=to, subject="s", custom=CUSTOM)
        return int(sent.message.id)

    async def email(self, email_id: int) -> email_pb2.Email:
        email: email_pb2.Email = (await self("GetEmail", id=email_id)).message.email
        return email

    async def delivered(self, *to: str) -> email_pb2.Email:
        email_id = await self.send(*to)
        async with asyncio.timeout(PATIENCE):
            while (email := await self.email(email_id)).state == email_pb2.EMAIL_STATE_PENDING:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return email


async def sender(served: Served) -> Sender:
    await served.add_server(ACME, from_address="a@acme.example")
    return Sender(served, await served.token("sender"))


def make_unknown(email_id: int) -> None:
    """As a line lost behind the dot leaves a mail of AT_MOST_ONCE."""
    Recipient.update(state="UNKNOWN").where(Recipient.email_id == email_id).execute()
    Delivery.update(at_most_once=True).where(Delivery.email_id == email_id).execute()
    changes = {"state": "FAILURE", "delivered_count": 0, "unknown_count": 1}
    Email.update(changes).where(Email.id == email_id).execute()


def hold(email_id: int) -> None:
    Recipient.update(state="OPEN").where(Recipient.email_id == email_id).execute()
    Delivery.update(state="HELD", crash_count=3).where(Delivery.email_id == email_id).execute()
    changes = {"state": "PENDING", "delivered_count": 0, "open_count": 1, "settle_time": None}
    Email.update(changes).where(Email.id == email_id).execute()


async def test_a_retried_email_goes_out_again_at_once_as_the_same_message(served: Served) -> None:
    call = await sender(served)
    email_id = (await call.delivered("ann@example.com")).id
    nothing = await call("RetryEmail", id=email_id)
    assert (nothing.code, nothing.reason) == ("FAILED_PRECONDITION", "NOTHING_TO_RETRY")
    await served.store.write(make_unknown, email_id)
    assert (await call("RetryEmail", id=email_id)).message.reopened_count == 1
    first, second = await served.until_caught(2)
    assert first == second
    assert first.message == second.message


async def test_a_released_email_goes_out(served: Served) -> None:
    call = await sender(served)
    email_id = (await call.delivered("ann@example.com")).id
    nothing = await call("ReleaseEmail", id=email_id)
    assert (nothing.code, nothing.reason) == ("FAILED_PRECONDITION", "NOT_HELD")
    await served.store.write(hold, email_id)
    assert (await call("ReleaseEmail", id=email_id)).message.released_count == 1
    assert len(await served.until_caught(2)) == 2


async def test_a_bounce_is_reported_by_the_message_id_that_was_sent(served: Served) -> None:
    call = await sender(served)
    email = await call.delivered("ann@example.com")
    (recipient,) = email.recipients
    report: dict[str, Any] = {
        "message_id": recipient.message_id, "code": 550, "enhanced_code": "5.1.1", "reply": "No such user",
        "bounce_time": Timestamp(seconds=1_700_000_000),
    }  # fmt: skip
    first = (await call("ReportBounce", **report)).message
    again = (await call("ReportBounce", delivery_id=recipient.delivery_id)).message
    bounced = recipient_pb2.RECIPIENT_STATE_BOUNCED
    assert first == email_service_pb2.ReportBounceResponse(
        email_id=email.id, recipient_id=recipient.id, recipient_state=bounced, changed=True
    )
    assert (again.recipient_state, again.changed) == (bounced, False)
    email = await call.email(email.id)
    assert (email.state, email.counts.bounced, email.counts.delivered) == (
        email_pb2.EMAIL_STATE_SUCCESS, 1, 0,
    )  # fmt: skip
    (recipient,) = email.recipients
    assert (recipient.code, recipient.enhanced_code, recipient.reply) == (550, "5.1.1", "No such user")
    assert recipient.settle_time.seconds == 1_700_000_000
    held = await call("SendEmail", to=["ann@example.com"], subject="s", custom=CUSTOM)
    assert list(held.message.suppressed_addresses) == ["ann@example.com"]


async def test_what_is_wrong_with_a_report_is_named(served: Served) -> None:
    call = await sender(served)
    told = await call("ReportBounce", bounce_time=Timestamp(seconds=1 << 60), code=7)
    assert (told.code, told.fields) == ("INVALID_ARGUMENT", ["bounce_time", "target", "code"])
    told = await call("ReportBounce", message_id="<none@of.ours>")
    assert (told.code, told.reason) == ("NOT_FOUND", "DELIVERY_NOT_FOUND")
