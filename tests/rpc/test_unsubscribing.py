"""The two methods of unsubscribe links: whom they serve without any token of a caller, and whom not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from conftest import DATA_KEY
from postroom.v1 import suppression_pb2, suppression_service_pb2
from postroom_server import assembly
from postroom_server.settings import Settings
from postroom_server.store.sealing import DataKey
from postroom_server.store.unsubscribe_tokens import Subscriber, UnsubscribeTokens
from serving import ACME, METHODS, OTHER, Told, answer_of, serving
from unsubscribers import BASE, JANE, MASKED, Publisher

DESCRIBE = "SuppressionService.DescribeUnsubscription"
UNSUBSCRIBE = "SuppressionService.Unsubscribe"
UNSUBSCRIBED = suppression_pb2.SUPPRESSION_REASON_UNSUBSCRIBED


@pytest.fixture
async def publisher(database: str) -> AsyncIterator[Publisher]:
    async with serving(database, unsubscribe_base_url=BASE) as served:
        yield await Publisher.of(served)


async def ask(publisher: Publisher, method: str, token: str, address: str = "", **options: Any) -> Told:
    metadata = (("x-postroom-client-address", address),) if address else ()
    return await publisher.served.call(method, None, token=token, metadata=metadata, **options)


async def test_a_link_entitles_to_what_it_is_about_without_a_callers_token(publisher: Publisher) -> None:
    token = await publisher.token()
    for channel in (publisher.served.local, publisher.served.socket):
        told = (await ask(publisher, DESCRIBE, token, channel=channel)).message.unsubscription
        assert (told.masked_address, told.sender, told.language) == (MASKED, "Acme", "en")
        assert not told.unsubscribed
    assert await publisher.listed() == []
    for channel in (publisher.served.local, publisher.served.socket):
        done = (await ask(publisher, UNSUBSCRIBE, token, channel=channel)).message.unsubscription
        told = (await ask(publisher, DESCRIBE, token, channel=channel)).message.unsubscription
        assert done == told
        assert told.unsubscribed
    assert await publisher.listed() == [(JANE, UNSUBSCRIBED)]


async def test_a_callers_token_beside_it_changes_nothing(publisher: Publisher) -> None:
    token = await publisher.token()
    for secret in ("a guess", await publisher.served.token("theirs", OTHER)):
        told = await publisher.served.call(DESCRIBE, secret, token=token)
        assert told.message.unsubscription.masked_address == MASKED


async def test_a_whole_answer_has_no_address_in_it(publisher: Publisher) -> None:
    token = await publisher.token()
    for method in (DESCRIBE, UNSUBSCRIBE):
        message = (await ask(publisher, method, token)).message
        assert JANE.encode() not in message.SerializeToString()


async def test_transactional_mail_goes_on_and_batch_mail_does_not(publisher: Publisher) -> None:
    token = await publisher.token()
    await ask(publisher, UNSUBSCRIBE, token)
    assert list((await publisher.send("news")).suppressed_addresses) == [JANE]
    assert list((await publisher.send("receipt")).suppressed_addresses) == []
    assert (await publisher.next_mail())["Subject"] == "receipt"
    await publisher.call("SuppressionService.RemoveSuppressions", addresses=[JANE])
    assert list((await publisher.send("news")).suppressed_addresses) == []
    assert (await publisher.next_mail())["Subject"] == "news"


@pytest.mark.parametrize("method", [DESCRIBE, UNSUBSCRIBE])
async def test_e7_who_tries_tokens_waits_and_is_told_for_how_long(publisher: Publisher, method: str) -> None:
    right = await publisher.token()
    here, there = "192.0.2.1", "192.0.2.2"
    told = [await ask(publisher, method, f"{n}", here) for n in range(21)]
    assert [(one.code, one.reason) for one in told] == [
        *([("UNAUTHENTICATED", "TOKEN_INVALID")] * 20),
        ("RESOURCE_EXHAUSTED", "RATE_LIMITED"),
    ]
    assert 0 < (told[-1].retry_after or 0) <= 60
    assert (await ask(publisher, method, "wrong", there)).reason == "TOKEN_INVALID"
    # Mail providers post for all their readers from a few addresses: a right link is never in the way.
    assert (await ask(publisher, method, right, here)).code == "OK"


async def test_e7_links_and_tokens_are_counted_apart(publisher: Publisher) -> None:
    served, here = publisher.served, (("x-postroom-client-address", "192.0.2.1"),)
    for n in range(21):
        last = await served.call(UNSUBSCRIBE, None, token=f"{n}", metadata=here)
    assert last.reason == "RATE_LIMITED"
    told = await served.call("EmailService.ListEmails", await served.token("new"), metadata=here)
    assert told.code == "OK"
    for n in range(21):
        last = await served.call("EmailService.ListEmails", f"guess {n}", metadata=here)
    assert last.reason == "RATE_LIMITED"
    assert (await ask(publisher, DESCRIBE, await publisher.token(), "192.0.2.1")).code == "OK"


async def test_e6_a_request_that_is_longer_than_any_link_is_not_read(publisher: Publisher) -> None:
    for size in (1000, 2000, 3 << 20):
        assert (await ask(publisher, DESCRIBE, "A" * size)).reason == "TOKEN_INVALID"
    # What is not read is not taken for garbage either.
    assert (await publisher.served.raw(DESCRIBE, None, b"\xff" * 1024)).code == "INTERNAL"
    assert (await publisher.served.raw(DESCRIBE, None, b"\xff" * 1025)).reason == "TOKEN_INVALID"


async def test_e2_a_token_lists_the_reader_of_its_own_tenant_only(publisher: Publisher) -> None:
    await ask(publisher, UNSUBSCRIBE, await publisher.token())
    theirs = await publisher.served.call(
        "SuppressionService.ListSuppressions", await publisher.served.token("theirs", OTHER)
    )
    assert list(theirs.message.suppressions) == []


async def test_another_deployments_link_is_refused(publisher: Publisher) -> None:
    forged = UnsubscribeTokens(DataKey.fresh()).token(Subscriber(ACME, 1, JANE))
    for method in (DESCRIBE, UNSUBSCRIBE):
        told = await ask(publisher, method, forged)
        assert (told.code, told.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID")
    assert await publisher.listed() == []


async def test_a_link_works_after_a_restart_and_without_the_setting(database: str) -> None:
    async with serving(database, unsubscribe_base_url=BASE) as served:
        publisher = await Publisher.of(served)
        token, secret = await publisher.token(), publisher.secret
    settings = Settings(
        database_url=database, data_key=DATA_KEY, grpc_address="127.0.0.1:0", http_address="",
        metrics_address="",
    )  # fmt: skip
    async with assembly.running(settings) as running:
        done = await answer_of(running.channel, METHODS[UNSUBSCRIBE], None, {"token": token})
        assert done.message.unsubscription.unsubscribed
        page = await answer_of(running.channel, METHODS["SuppressionService.ListSuppressions"], secret, {})
        assert [row.address for row in page.message.suppressions] == [JANE]


async def test_both_methods_are_what_the_contract_says_of_repeating() -> None:
    methods = suppression_service_pb2.DESCRIPTOR.services_by_name["SuppressionService"].methods_by_name
    levels = {name: methods[name].GetOptions().idempotency_level for name in methods}
    assert (levels["DescribeUnsubscription"], levels["Unsubscribe"]) == (1, 2)  # no side effects, idempotent
