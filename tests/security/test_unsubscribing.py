"""Unsubscribe links as an attacker sees them: rows A1, E2, E7 and E8, and what a link must never do."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.wire import fetch
from postroom.v1 import email_service_pb2
from postroom_server.mail.caller import Scope
from postroom_server.store.models import ALL, Suppression
from postroom_server.store.sealing import DataKey
from postroom_server.store.unsubscribe_tokens import Subscriber, UnsubscribeTokens
from serving import ACME, OTHER, serving
from unsubscribers import BASE, JANE, Publisher

DESCRIBE = "SuppressionService.DescribeUnsubscription"
UNSUBSCRIBE = "SuppressionService.Unsubscribe"


@pytest.fixture
async def publisher(database: str) -> AsyncIterator[Publisher]:
    async with serving(database, unsubscribe_base_url=BASE, http_address="127.0.0.1:0") as served:
        yield await Publisher.of(served)


def _listed() -> list[tuple[int, str]]:
    return [(row.tenant_id, row.address) for row in Suppression.select()]


async def listed(publisher: Publisher) -> list[tuple[int, str]]:
    """Of all tenants."""
    return await publisher.served.store.read(_listed)


def from_somewhere(number: int) -> tuple[tuple[str, str], ...]:
    return (("x-postroom-client-address", f"192.0.2.{number % 250}"),)


async def test_no_bit_of_a_token_can_be_changed(publisher: Publisher) -> None:
    sealed = base64.urlsafe_b64decode(await publisher.token())
    seen = set()
    for bit in range(0, len(sealed) * 8, 3):
        flipped = (int.from_bytes(sealed) ^ 1 << bit).to_bytes(len(sealed))
        told = await publisher.served.call(
            UNSUBSCRIBE,
            None,
            token=base64.urlsafe_b64encode(flipped).decode(),
            metadata=from_somewhere(bit),
        )
        seen.add((told.code, told.reason, told.details))
    assert seen == {("UNAUTHENTICATED", "TOKEN_INVALID", "this is no unsubscribe link of this deployment")}
    assert await listed(publisher) == []


async def test_a_token_cannot_be_forged_without_the_deployments_key(publisher: Publisher) -> None:
    right = base64.urlsafe_b64decode(await publisher.token())
    for number in range(20):
        forged = base64.urlsafe_b64decode(
            UnsubscribeTokens(DataKey.fresh()).token(Subscriber(ACME, number + 1, JANE))
        )
        for sealed in (forged, right[:4] + forged[4:], right[:20] + forged[20:], forged[:20] + right[20:]):
            token = base64.urlsafe_b64encode(sealed).decode()
            told = await publisher.served.call(
                UNSUBSCRIBE, None, token=token, metadata=from_somewhere(number)
            )
            assert told.code != "OK"
    assert await listed(publisher) == []


async def test_e2_a_link_of_one_tenant_stops_nothing_of_another(publisher: Publisher) -> None:
    served = publisher.served
    await served.call(UNSUBSCRIBE, None, token=await publisher.token())
    assert await listed(publisher) == [(ACME, JANE)]
    theirs = await served.token("theirs", OTHER)
    await served.add_server(OTHER, from_address="o@other.example")
    custom = email_service_pb2.CustomBody(text="Hello")
    sent = await served.call("EmailService.SendEmail", theirs, to=[JANE], subject="s", custom=custom)
    assert list(sent.message.suppressed_addresses) == []
    told = await served.call("SuppressionService.ListSuppressions", theirs)
    assert list(told.message.suppressions) == []


async def test_e3_who_may_send_gets_no_link_that_works_out_of_a_preview(publisher: Publisher) -> None:
    served = publisher.served
    sender = await served.token("sender", ACME, {Scope.SEND, Scope.TEMPLATE})
    body = email_service_pb2.TemplateBody(invoke_name="news")
    shown = await served.call(
        "EmailService.SendEmail", sender, to=["victim@example.com"], template=body, validate_only=True
    )
    links = set(re.findall(rb"/u/([A-Za-z0-9_-]+)", shown.message.preview.copies[0].message))
    assert links == {b"preview"}
    told = await served.call(UNSUBSCRIBE, None, token="preview")
    assert told.reason == "TOKEN_INVALID"
    assert await listed(publisher) == []


async def test_scanners_that_follow_every_link_unsubscribe_nobody(publisher: Publisher) -> None:
    path = await publisher.link()
    port = publisher.served.running.http_port
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
        for target in (path, f"{path}?List-Unsubscribe=One-Click"):
            await fetch(port, method, target)
    # Nor do those that post what they find, without what a mail program sends.
    for body in (b"", b"email=jane.doe%40example.com", b"unsubscribe=1"):
        await fetch(port, "POST", path, [("Content-Type", "application/x-www-form-urlencoded")], body)
    assert await listed(publisher) == []


async def test_e8_a_link_shows_nothing_and_nothing_is_stored_for_it(publisher: Publisher) -> None:
    token = await publisher.token()
    octets = base64.urlsafe_b64decode(token)
    for word in (JANE, "jane", "example"):
        assert word.encode() not in octets
        assert word not in token
    rows = await publisher.served.store.read(_everything)
    assert not [row for row in rows if token in row]


def _everything() -> list[str]:
    return [repr(row) for model in ALL for row in model.select().tuples()]


async def test_e7_whoever_is_blocked_learns_nothing_about_a_token(publisher: Publisher) -> None:
    token = await publisher.token()
    almost = [token[:place] + "BA"[token[place] == "B"] + token[place + 1 :] for place in range(40, 60)]
    here = from_somewhere(1)
    answers = [await publisher.served.call(DESCRIBE, None, token=one, metadata=here) for one in almost]
    assert {one.reason for one in answers} == {"TOKEN_INVALID"}
    late: Any = await publisher.served.call(DESCRIBE, None, token=token[:-4], metadata=here)
    assert (late.code, late.reason) == ("RESOURCE_EXHAUSTED", "RATE_LIMITED")


@pytest.mark.parametrize("value", ["a\r\nList-Unsubscribe: <https://evil.example>", "<https://a>\n"])
async def test_a1_a_caller_cannot_smuggle_a_second_way_out(publisher: Publisher, value: str) -> None:
    body = email_service_pb2.TemplateBody(invoke_name="news")
    told = await publisher.served.call(
        "EmailService.SendEmail",
        publisher.secret,
        to=[JANE],
        template=body,
        headers={"List-Unsubscribe": value},
    )
    assert told.code == "INVALID_ARGUMENT"
