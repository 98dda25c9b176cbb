"""How often an address is sent codes: each limit at it and one past it, and who is counted (security D2)."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from accepting import draft
from fakes import NOON
from peers.configuration import ACME, OTHER, STRANGER
from postroom_server.clock import DAY, HOUR, MINUTE, SECOND
from postroom_server.mail.accept import Accepted
from postroom_server.mail.caller import Caller
from postroom_server.mail.draft import CustomBody, TemplateBody
from postroom_server.mail.limits import Limits
from postroom_server.mail.preview import preview
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Code
from postroom_server.store.opening import OpenDatabase
from sent_codes import ANN, SentCodes, code_mail

BOB = "bob@example.com"


@pytest.fixture
async def world(opened: OpenDatabase) -> SentCodes:
    return await SentCodes(opened).prepare()


async def refused(world: SentCodes, *to: str, **changes: Any) -> Refusal:
    before = await world.counts()
    with pytest.raises(Refusal) as caught:
        await world.send(*to, **changes)
    assert await world.counts() == before
    assert caught.value.reason is Reason.CODE_RATE_LIMITED
    return caught.value


async def test_d2_sixty_seconds_pass_between_two_codes(world: SentCodes) -> None:
    await world.send()
    refusal = await refused(world)
    assert refusal.retry_after == timedelta(seconds=60)
    world.clock.advance(MINUTE - 1)
    assert (await refused(world)).retry_after == timedelta(milliseconds=1)
    world.clock.advance(1)
    await world.send()


@pytest.mark.parametrize(
    ("limits", "most", "span"),
    [
        (Limits(code_interval=0, codes_per_day=100), 5, HOUR),
        (Limits(code_interval=0, codes_per_hour=100), 10, DAY),
        (Limits(code_interval=0, codes_per_hour=2), 2, HOUR),
        (Limits(code_interval=0, codes_per_hour=100, codes_per_day=3), 3, DAY),
    ],
    ids=["5 an hour", "10 a day", "2 an hour", "3 a day"],
)
async def test_d2_so_many_and_no_more(opened: OpenDatabase, limits: Limits, most: int, span: int) -> None:
    world = await SentCodes(opened, limits).prepare()
    for _ in range(most):
        await world.send()
        world.clock.advance(SECOND)
    refusal = await refused(world)
    # Until the oldest of those that count is out of the span.
    assert refusal.retry_after == timedelta(milliseconds=span - most * SECOND)
    world.clock.advance(span - most * SECOND - 1)
    assert (await refused(world)).retry_after == timedelta(milliseconds=1)
    world.clock.advance(1)
    await world.send()
    # The next one waits for the second oldest.
    assert (await refused(world)).retry_after == timedelta(seconds=1)


async def test_d2_the_longest_wait_is_told(world: SentCodes) -> None:
    for _ in range(5):
        await world.send()
        world.clock.advance(MINUTE)
    assert (await refused(world)).retry_after == timedelta(minutes=55)
    await world.send(BOB)
    assert (await refused(world, BOB, ANN)).retry_after == timedelta(minutes=55)


async def test_d2_one_address_over_its_limit_refuses_the_whole_call_and_is_named(world: SentCodes) -> None:
    await world.send(BOB)
    refusal = await refused(world, ANN, ANN, "Bob@Example.com", "cy@example.com")
    assert [(violation.field, violation.reason) for violation in refusal.violations] == [
        ("to[2]", Reason.CODE_RATE_LIMITED)
    ]
    assert refusal.metadata == {"address": BOB}
    assert "to[2]" in refusal.message
    # The refused call has counted for nobody.
    await world.send(ANN, "cy@example.com")


async def test_d2_every_address_over_its_limit_is_named(world: SentCodes) -> None:
    await world.send(ANN, BOB)
    refusal = await refused(world, BOB, "cy@example.com", ANN)
    assert [violation.field for violation in refusal.violations] == ["to[0]", "to[2]"]
    assert refusal.metadata == {"address": BOB}


@pytest.mark.parametrize("changes", [{"biz_key": "SIGNUP"}, {"schedule_time": NOON + DAY}], ids=str)
async def test_d2_limits_are_per_address_whatever_the_code_is_for(
    world: SentCodes, changes: dict[str, Any]
) -> None:
    await world.send()
    await refused(world, **changes)
    await refused(world, "ANN@example.com")


async def test_d2_limits_are_per_tenant(world: SentCodes) -> None:
    await world.send()
    await world.send(caller=STRANGER)
    assert {row.tenant_id for row in await world.rows(Code)} == {ACME, OTHER}


async def test_d2_mail_without_a_code_does_not_count_and_is_not_held_up(world: SentCodes) -> None:
    await world.accept(draft(biz_key="SIGNIN"))
    await world.send()
    await world.accept(draft(biz_key="SIGNIN"))
    # Cc and Bcc get no code.
    await world.send(BOB, cc=(ANN,), bcc=("cy@example.com",))
    await world.send("cy@example.com")


async def test_d2_refused_calls_do_not_count(world: SentCodes) -> None:
    await world.send()
    for _ in range(20):
        world.clock.advance(SECOND)
        await refused(world)
    with pytest.raises(Refusal) as caught:
        await world.send(BOB, body=TemplateBody("unknown"), subject="")
    assert caught.value.reason is Reason.TEMPLATE_NOT_FOUND
    await world.send(BOB)
    world.clock.advance(40 * SECOND)
    await world.send()


async def test_d2_replays_do_not_count_and_are_not_refused(world: SentCodes) -> None:
    first = code_mail(request_id="r", fingerprint=b"f" * 32)
    accepted = await world.accept(first)
    for _ in range(10):
        assert await world.accept(first) == Accepted(accepted.id, replayed=True)
    assert len(await world.rows(Code)) == 1
    world.clock.advance(MINUTE)
    await world.send()


async def test_d2_previews_do_not_count(world: SentCodes) -> None:
    made = code_mail(validate_only=True, fingerprint=b"f" * 32)
    caller = Caller(ACME, 2, "author", frozenset())
    for _ in range(3):
        await world.store.read(
            preview, world.acceptance, world.memory, caller, world.acceptance.check(caller, made)
        )
    await world.send()


async def test_d2_items_of_a_batch_count_each_other(world: SentCodes) -> None:
    again = code_mail(ANN, request_id="r", fingerprint=b"f" * 32)
    outcomes = await world.accept_many(
        [again, code_mail(BOB), code_mail("ANN@example.com", biz_key="SIGNUP"), again,
         code_mail(BOB, "cy@x.test"), draft(), code_mail("cy@x.test")]
    )  # fmt: skip
    told = [outcome.reason if isinstance(outcome, Refusal) else outcome.replayed for outcome in outcomes]
    limited = Reason.CODE_RATE_LIMITED
    assert told == [False, False, limited, True, limited, False, False]
    assert outcomes[2].retry_after == timedelta(seconds=60)  # type: ignore[union-attr]
    await refused(world, "cy@x.test")


async def test_d2_calls_that_are_stored_together_count_each_other(world: SentCodes) -> None:
    first = world.acceptance.check(STRANGER, code_mail())
    callers = [dataclasses.replace(STRANGER, token_id=n) for n in (10, 11, 12)]
    outcomes = await world.store.write(world.acceptance.accept_each, [(caller, first) for caller in callers])
    assert [isinstance(outcome, Refusal) for outcome in outcomes] == [False, True, True]


@pytest.mark.every_database
async def test_d2_parallel_calls_do_not_outrun_the_limits(world: SentCodes) -> None:
    outcomes = await asyncio.gather(*(world.send() for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)}
    assert reasons == {Reason.CODE_RATE_LIMITED}
    assert len(await world.rows(Code)) == 1


@pytest.mark.every_database
async def test_d2_parallel_batches_of_the_same_addresses_do_not_block_each_other(world: SentCodes) -> None:
    to = [f"u{n}@example.com" for n in range(200)]
    batches = [[code_mail(address) for address in order] for order in (to, to[::-1], to[100:] + to[:100])]
    outcomes = await asyncio.gather(*(world.accept_many(batch) for batch in batches))
    accepted = [outcome for batch in outcomes for outcome in batch if isinstance(outcome, Accepted)]
    assert len(accepted) == len(to) == len(await world.rows(Code))


async def test_d2_spellings_of_one_mailbox_are_refused_in_one_mail(world: SentCodes) -> None:
    with pytest.raises(Refusal) as caught:
        await world.send(ANN, "Ann@example.com")
    assert caught.value.reason is Reason.INVALID_FIELD
    assert [violation.field for violation in caught.value.violations] == ["to"]
    # Without a code they are two addresses.
    await world.accept(draft(to=(ANN, "Ann@example.com"), body=CustomBody(text="Hi")))
