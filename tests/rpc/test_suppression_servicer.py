"""SuppressionService, and what it does to sending, as callers see it."""

from __future__ import annotations

from typing import Any

from postroom.v1 import email_pb2, email_service_pb2, filter_pb2, suppression_pb2
from postroom_server.clock import Clock
from serving import ACME, Served, Told, served

__all__ = ["served"]
CUSTOM = email_service_pb2.CustomBody(text="Hello")
ANN, BOB = "ann@example.com", "bob@example.com"


def listed(address: str, **fields: Any) -> suppression_pb2.Suppression:
    return suppression_pb2.Suppression(address=address, **fields)


class Keeper:
    """Calls as one token of ACME that may do everything."""

    def __init__(self, served: Served, secret: str) -> None:
        self.served, self.secret = served, secret

    async def __call__(self, method: str, **fields: Any) -> Told:
        return await self.served.call(method, self.secret, **fields)

    async def add(self, *suppressions: suppression_pb2.Suppression) -> Any:
        return (await self("SuppressionService.AddSuppressions", suppressions=suppressions)).message


async def keeper(served: Served) -> Keeper:
    await served.add_server(ACME, from_address="a@acme.example")
    return Keeper(served, await served.token("keeper"))


async def test_a_list_is_told_in_the_contracts_words(served: Served) -> None:
    call = await keeper(served)
    before = Clock().now()
    added = await call.add(
        listed("Ann@example.com", note="n", id=9, tenant_id=9, email_id=9),
        listed(BOB, reason=suppression_pb2.SUPPRESSION_REASON_COMPLAINED),
        listed(BOB),
    )
    assert (added.added_count, added.existing_count) == (2, 1)
    page = (await call("SuppressionService.ListSuppressions", order_by="address")).message
    first, second = page.suppressions
    assert (page.total_size, page.total_is_lower_bound, page.next_page_token) == (2, False, "")
    assert (first.address, first.note, first.tenant_id, first.email_id) == ("Ann@example.com", "n", ACME, 0)
    assert first.id > 9
    assert before - 1000 <= first.create_time.ToMilliseconds() <= Clock().now()
    assert [first.reason, second.reason] == [
        suppression_pb2.SUPPRESSION_REASON_MANUAL,
        suppression_pb2.SUPPRESSION_REASON_COMPLAINED,
    ]
    wanted = filter_pb2.Filter(
        field="reason", operator=filter_pb2.FILTER_OPERATOR_EQUAL, values=["COMPLAINED"]
    )
    narrowed = (await call("SuppressionService.ListSuppressions", filters=[wanted])).message
    assert list(narrowed.suppressions) == [second]


async def test_a_list_is_walked_by_its_tokens(served: Served) -> None:
    call = await keeper(served)
    await call.add(*(listed(f"a{n}@example.com") for n in range(5)))
    found, token = [], ""
    for _ in range(3):
        page = (await call("SuppressionService.ListSuppressions", page_size=2, page_token=token)).message
        found += [row.address for row in page.suppressions]
        token = page.next_page_token
    assert (sorted(found), token) == ([f"a{n}@example.com" for n in range(5)], "")


async def test_what_is_wrong_is_named(served: Served) -> None:
    call = await keeper(served)
    told = await call("SuppressionService.AddSuppressions", suppressions=[listed("bad", reason=99)])
    assert (told.code, told.fields) == (
        "INVALID_ARGUMENT", ["suppressions[0].address", "suppressions[0].reason"],
    )  # fmt: skip
    told = await call("SuppressionService.RemoveSuppressions", addresses=[])
    assert (told.code, told.fields) == ("INVALID_ARGUMENT", ["addresses"])
    told = await call("SuppressionService.RemoveSuppressions", addresses=[ANN])
    assert (told.code, told.reason) == ("NOT_FOUND", "SUPPRESSION_NOT_FOUND")


async def test_mail_to_a_listed_address_is_told_and_stays_until_it_is_removed(served: Served) -> None:
    call = await keeper(served)
    await call.add(listed(ANN))
    fields: dict[str, Any] = {"to": [ANN, BOB], "subject": "s", "custom": CUSTOM}
    sent = (await call("EmailService.SendEmail", **fields)).message
    item = email_service_pb2.SendEmailRequest(**fields | {"to": [ANN]})
    (result,) = (await call("EmailService.BatchSendEmails", items=[item])).message.results
    shown = (await call("EmailService.SendEmail", **fields, validate_only=True)).message
    for answer in (sent, result.accepted, shown):
        assert list(answer.suppressed_addresses) == [ANN]
    (mail,) = await served.until_caught()
    assert mail.recipients == (BOB,)
    email = (await call("EmailService.GetEmail", id=result.accepted.id)).message.email
    assert (email.state, email.counts.suppressed) == (email_pb2.EMAIL_STATE_FAILURE, 1)

    removed = (await call("SuppressionService.RemoveSuppressions", addresses=["ANN@example.com"])).message
    assert removed.removed_count == 1
    again = (await call("EmailService.SendEmail", **fields | {"to": [ANN]})).message
    assert not again.suppressed_addresses
    assert (await served.until_caught(2))[1].recipients == (ANN,)


async def test_the_list_is_set_aside_for_security_mail_only(served: Served) -> None:
    call = await keeper(served)
    await call.add(listed(ANN))
    fields: dict[str, Any] = {"to": [ANN], "subject": "s", "custom": CUSTOM, "ignore_suppression": True}
    told = await call("EmailService.SendEmail", **fields)
    assert (told.code, told.fields) == ("INVALID_ARGUMENT", ["ignore_suppression"])
    sent = (await call("EmailService.SendEmail", **fields, biz_key="SYS_SECURITY_NOTICE")).message
    assert not sent.suppressed_addresses
    assert (await served.until_caught())[0].recipients == (ANN,)
