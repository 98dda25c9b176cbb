"""Exactly-once accept: one email per request_id, whoever repeats it, whenever and however often at once."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from accepting import Accepting, draft, templated
from conftest import DATA_KEY
from fakes import NOON
from peers.configuration import ACME, AUTHOR, OPERATOR, OTHER, STRANGER
from postroom_server.clock import HOUR, MINUTE
from postroom_server.mail import idempotency
from postroom_server.mail.accept import Accepted
from postroom_server.mail.changes import Changes
from postroom_server.mail.draft import File
from postroom_server.mail.limits import Limits
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Email, Event, Idempotency
from postroom_server.store.opening import Address, OpenDatabase, open_database
from refusing import refusal_of

FINGERPRINT = b"\1" * 32


async def filled(opened: OpenDatabase, limits: Limits | None = None) -> Accepting:
    made = Accepting(opened, limits)
    await made.fill()
    await made.add_server()
    await made.add_server(OTHER)
    return made


@pytest.fixture
async def world(opened: OpenDatabase) -> Accepting:
    return await filled(opened)


def keyed(request_id: str = "r-1", fingerprint: bytes = FINGERPRINT, **changes: Any) -> Any:
    return draft(request_id=request_id, fingerprint=fingerprint, **changes)


async def test_a_repeated_request_gets_the_first_answer(world: Accepting) -> None:
    first = await world.accept(keyed())
    before = await world.counts()
    assert await world.accept(keyed()) == Accepted(first.id, replayed=True)
    assert await world.counts() == before
    assert not first.replayed


async def test_another_request_under_the_same_key_is_refused(world: Accepting) -> None:
    await world.accept(keyed())
    before = await world.counts()
    refusal = await refusal_of(world.accept(keyed(fingerprint=b"\2" * 32)))
    assert (refusal.reason, refusal.code, refusal.metadata) == (
        Reason.IDEMPOTENCY_MISMATCH, "ALREADY_EXISTS", {"request_id": "r-1"},
    )  # fmt: skip
    assert await world.counts() == before


async def test_keys_are_the_tenants_own(world: Accepting) -> None:
    ours = await world.accept(keyed())
    theirs = await world.accept(keyed(), STRANGER)
    assert (theirs.replayed, ours.id == theirs.id) == (False, False)
    assert await world.accept(keyed(tenant_id=ACME), OPERATOR) == Accepted(ours.id, replayed=True)
    assert {row.tenant_id for row in await world.rows(Idempotency)} == {ACME, OTHER}


async def test_keys_are_compared_to_the_letter(world: Accepting) -> None:
    keys = ["r", "R", "r ", "\u0155", "r\u0301", "r%", "_", "字" * 255]
    ids = {(await world.accept(keyed(key))).id for key in keys}
    assert len(ids) == len(keys)
    assert [(await world.accept(keyed(key))).replayed for key in keys] == [True] * len(keys)


async def test_without_a_key_every_call_is_an_email(world: Accepting) -> None:
    ids = {(await world.accept(draft())).id for _ in range(3)}
    assert len(ids) == 3
    assert await world.rows(Idempotency) == []


@pytest.mark.every_database
async def test_of_fifty_at_once_one_stores_and_the_others_replay(world: Accepting) -> None:
    answers = await asyncio.gather(
        *(world.accept(keyed(files=(File("a", content=b"x"),))) for _ in range(50))
    )
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 49
    assert len({answer.id for answer in answers}) == 1
    assert len(await world.rows(Email)) == len(await world.rows(Idempotency)) == 1
    assert len(await world.rows(Event)) == 1


@pytest.mark.every_database
async def test_batches_that_share_keys_in_any_order_store_each_once(world: Accepting) -> None:
    forward = [keyed(str(n), files=(File("a", content=b"%d" % n),)) for n in range(20)]
    batches = [forward, list(reversed(forward)), forward[10:] + forward[:10]] * 4
    answers = await asyncio.gather(*(world.accept_many(batch) for batch in batches))
    by_key: dict[str, set[int]] = {}
    for batch, answer in zip(batches, answers, strict=True):
        for made, outcome in zip(batch, answer, strict=True):
            assert isinstance(outcome, Accepted)
            by_key.setdefault(made.request_id, set()).add(outcome.id)
    assert {key: len(ids) for key, ids in by_key.items()} == {str(n): 1 for n in range(20)}
    assert len(await world.rows(Email)) == 20
    fresh = [outcome for answer in answers for outcome in answer if outcome == Accepted(outcome.id)]
    assert len(fresh) == 20


@pytest.mark.every_database
async def test_of_different_requests_at_once_one_wins_and_the_others_are_told(world: Accepting) -> None:
    answers = await asyncio.gather(
        *(world.accept(keyed(fingerprint=bytes([n]) * 32)) for n in range(20)), return_exceptions=True
    )
    refused = [answer.reason for answer in answers if isinstance(answer, Refusal)]
    assert refused == [Reason.IDEMPOTENCY_MISMATCH] * 19
    assert len(await world.rows(Email)) == 1


async def test_in_one_batch_the_second_of_two_equal_keys_replays(world: Accepting) -> None:
    outcomes = await world.accept_many(
        [keyed("a"), keyed("b"), keyed("a"), keyed("a", b"\2" * 32), draft(), keyed("b")]
    )
    ids = [outcome.id for outcome in outcomes if isinstance(outcome, Accepted)]
    assert [getattr(outcome, "replayed", None) for outcome in outcomes] == [
        False, False, True, None, False, True,
    ]  # fmt: skip
    assert (ids[2], ids[4]) == (ids[0], ids[1])
    assert isinstance(outcomes[3], Refusal)
    assert outcomes[3].reason is Reason.IDEMPOTENCY_MISMATCH
    assert len(await world.rows(Email)) == 3


async def test_a_refused_item_leaves_its_key_to_the_next(world: Accepting) -> None:
    refused, accepted = await world.accept_many(
        [keyed(from_address="", body=templated("unknown").body), keyed(fingerprint=b"\2" * 32)]
    )
    assert isinstance(refused, Refusal)
    assert accepted == Accepted(accepted.id)


async def test_a_batch_and_single_calls_share_their_keys(world: Accepting) -> None:
    (first,) = await world.accept_many([keyed()])
    again = await world.accept(keyed())
    assert (again.replayed, [again.id]) == (True, [row.id for row in await world.rows(Email)])
    assert first == Accepted(again.id)


async def test_refusals_are_not_remembered(world: Accepting) -> None:
    refusal = await refusal_of(world.accept(templated(request_id="r-1", fingerprint=FINGERPRINT)))
    assert refusal.reason is Reason.TEMPLATE_NOT_FOUND
    assert await world.rows(Idempotency) == []
    await world.new_template()
    made = await world.accept(templated(request_id="r-1", fingerprint=FINGERPRINT))
    assert not made.replayed


async def test_a_replay_of_a_deleted_email_answers_its_id(world: Accepting) -> None:
    first = await world.accept(keyed())
    changes = Changes(world.clock, Limits())
    await world.store.write(changes.delete, ACME, [first.id])
    assert await world.accept(keyed()) == Accepted(first.id, replayed=True)


async def test_a_replay_needs_nothing_that_has_changed_since(world: Accepting) -> None:
    await world.new_template()
    made = templated(request_id="r-1", fingerprint=FINGERPRINT, from_address="x@acme.example")
    first = await world.accept(made)
    await world.store.write(world.templates.delete, AUTHOR, None, "welcome", 0)
    await world.change_tenant(sender_domains=("elsewhere.example",))
    assert await world.accept(made) == Accepted(first.id, replayed=True)


async def test_a_replay_comes_after_the_time_it_named(world: Accepting) -> None:
    made = keyed(expire_time=NOON + MINUTE)
    first = await world.accept(made)
    world.clock.advance(HOUR)
    assert await world.accept(made) == Accepted(first.id, replayed=True)
    refusal = await refusal_of(world.accept(dataclasses.replace(made, request_id="r-2")))
    assert [violation.field for violation in refusal.violations] == ["expire_time"]


async def test_a_replay_needs_no_room(opened: OpenDatabase) -> None:
    world = await filled(opened, Limits(pending_per_tenant=1))
    first = await world.accept(keyed())
    outcomes = await world.accept_many([keyed(), keyed("r-2"), keyed(fingerprint=b"\2" * 32)])
    assert outcomes[0] == Accepted(first.id, replayed=True)
    assert [outcome.reason for outcome in outcomes[1:] if isinstance(outcome, Refusal)] == [
        Reason.BACKLOG_FULL, Reason.IDEMPOTENCY_MISMATCH,
    ]  # fmt: skip


async def test_remembering_is_by_method(world: Accepting) -> None:
    await world.store.write(idempotency.remember, ACME, "Other", [("r-1", FINGERPRINT, {"id": 7})], NOON)
    assert not (await world.accept(keyed())).replayed
    found = await world.store.read(idempotency.find, ACME, "Other", ["r-1", "r-2"])
    assert found == {"r-1": idempotency.Remembered(FINGERPRINT, {"id": 7})}
    assert await world.store.read(idempotency.find, ACME, "Other", []) == {}


# Two processes on PostgreSQL: the other one's row is there, but not to be seen yet.


@pytest.fixture
def two_processes(postgresql_database: str) -> Iterator[tuple[OpenDatabase, psycopg.Connection[Any]]]:
    opened = open_database(Address(postgresql_database), key_text=DATA_KEY, key_file=None, auto_migrate=False)
    with psycopg.connect(postgresql_database) as other:
        yield opened, other
    opened.close()


_REMEMBER = """INSERT INTO idempotency (tenant_id, method, request_id, fingerprint, answer, create_time)
  VALUES (%s, 'SendEmail', 'r-1', %s, '{"id": 4711}', 0)"""
_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT%'"


async def _until_blocked(url: str) -> None:
    async with asyncio.timeout(10):
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as watch:
            while (await (await watch.execute(_BLOCKED)).fetchone()) == (0,):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("ending", ["COMMIT", "ROLLBACK"])
async def test_a_lost_race_is_a_replay_and_a_won_one_is_an_email(
    two_processes: tuple[OpenDatabase, psycopg.Connection[Any]], postgresql_database: str, ending: str
) -> None:
    opened, other = two_processes
    world = await filled(opened)
    other.execute(_REMEMBER, (ACME, FINGERPRINT))
    accepting = asyncio.ensure_future(world.accept(keyed()))
    await _until_blocked(postgresql_database)
    other.execute(ending)
    accepted = await accepting
    stored = [row.id for row in await world.rows(Email)]
    expected = {"COMMIT": (4711, True, []), "ROLLBACK": (accepted.id, False, [accepted.id])}
    assert (accepted.id, accepted.replayed, stored) == expected[ending]
    assert len(await world.rows(Idempotency)) == 1
