"""Row A9: no tenant writes as another, whichever way it asks."""

from __future__ import annotations

from typing import Any

import pytest

from postroom.v1 import email_service_pb2, mail_server_pb2
from serving import ACME, OTHER, WITHOUT_PLATFORM, Served, Told, served

__all__ = ["served"]


async def send(served: Served, secret: str, address: str, **fields: Any) -> Told:
    custom = email_service_pb2.CustomBody(text="Hello")
    return await served.call(
        "EmailService.SendEmail", secret, to=["x@example.com"], subject="s", custom=custom,
        from_address=address, **fields,
    )  # fmt: skip


@pytest.fixture
async def spoofer(served: Served) -> str:
    """A token of OTHER that may do everything within its tenant. ACME's domain is acme.example."""
    await served.add_server(0, "platform", from_address="noreply@platform.example")
    await served.change_tenant(ACME, sender_domains=("acme.example",))
    return await served.token("spoofer", OTHER, WITHOUT_PLATFORM)


async def test_a9_an_unnamed_domain_is_nobodys_on_the_platforms_servers(served: Served, spoofer: str) -> None:
    for address in ("ceo@acme.example", "x@other.example", "root@platform.example"):
        told = await send(served, spoofer, address)
        assert (told.code, told.reason, told.fields) == (
            "INVALID_ARGUMENT", "SENDER_NOT_ALLOWED", ["from_address"],
        )  # fmt: skip
    assert (await send(served, spoofer, "noreply@platform.example")).code == "OK"
    await served.change_tenant(OTHER, sender_domains=("other.example",))
    assert (await send(served, spoofer, "x@other.example")).code == "OK"
    assert (await send(served, spoofer, "ceo@acme.example")).reason == "SENDER_NOT_ALLOWED"
    caught = await served.until_caught(2)
    assert sorted(mail.sender for mail in caught) == ["noreply@platform.example", "x@other.example"]


async def test_a9_batches_and_previews_are_asked_the_same(served: Served, spoofer: str) -> None:
    told = await send(served, spoofer, "ceo@acme.example", validate_only=True)
    assert told.reason == "SENDER_NOT_ALLOWED"
    item = email_service_pb2.SendEmailRequest(
        to=["x@example.com"], subject="s", custom=email_service_pb2.CustomBody(text="t"),
        from_address="ceo@acme.example",
    )  # fmt: skip
    told = await served.call("EmailService.BatchSendEmails", spoofer, items=[item])
    (result,) = told.message.results
    assert [violation.field for violation in result.refusal.violations] == ["from_address"]


async def test_a9_a_server_of_ones_own_does_not_open_the_platforms(served: Served, spoofer: str) -> None:
    own = mail_server_pb2.MailServer(name="own", host="smtp.other.example")
    made = await served.call("MailServerService.CreateMailServer", spoofer, mail_server=own)
    accepted = await send(served, spoofer, "ceo@acme.example", schedule_time=_soon(served))
    assert accepted.code == "OK"
    server_id = made.message.mail_server.id
    assert (await served.call("MailServerService.DeleteMailServer", spoofer, id=server_id)).code == "OK"
    now = {"seconds": served.clock.now() // 1000}
    sent = await served.call(
        "EmailService.RescheduleEmail", spoofer, id=accepted.message.id, schedule_time=now
    )
    assert sent.code == "OK", sent
    # What follows it on the same way has arrived, and it has not.
    assert (await send(served, spoofer, "noreply@platform.example")).code == "OK"
    caught = await served.until_caught()
    assert [mail.sender for mail in caught] == ["noreply@platform.example"]
    found = await served.call("EmailService.GetEmail", spoofer, id=accepted.message.id)
    assert found.message.email.counts.open == 1


def _soon(served: Served) -> dict[str, int]:
    return {"seconds": served.clock.now() // 1000 + 3600}
