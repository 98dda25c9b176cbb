"""The rows behind the PREPARING stage: who is taken up next, and what becomes of an email."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from delivery.waiting_mail import (
    FAILED,
    PREPARING,
    READY,
    files,
    put_waiting,
    states,
    waits,
)
from fakes import NOON, ManualClock
from postroom_server.clock import HOUR, MINUTE, SECOND
from postroom_server.delivery.preparation import (
    CLAIM,
    CLAIM_POSTGRESQL,
    CLAIM_SQLITE,
    RETRY_DELAYS,
    Claimed,
    Turns,
    claim,
    conclude,
    fail,
    give_back,
    keep,
    next_file,
)
from postroom_server.fetch import Fetched
from postroom_server.store import history
from postroom_server.store.history import START, Kind
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Blob, Delivery, Email, bound
from postroom_server.store.unit import Store

pytestmark = pytest.mark.every_database
TOTAL = 1000
CLOCK = ManualClock()
MINT = IdMint(CLOCK, node=100)  # away from the ids of stored_mail


def at(time: int = NOON) -> Any:
    return lambda: time


def fetched(content: bytes) -> Fetched:
    return Fetched(content, "", hashlib.sha256(content).digest())


def keep_next(email_id: int, content: bytes, tenant_id: int = 1) -> bool:
    file = next_file(email_id, -1, TOTAL, at())
    assert file is not None
    return keep(Claimed(email_id, tenant_id), file, fetched(content), TOTAL, MINT, at())


async def claims(store: Store, turns: Turns, count: int, busy: tuple[int, ...] = ()) -> list[int]:
    found = [await store.write(claim, turns, busy, (), at()) for _ in range(count)]
    return [one.email_id for one in found if one is not None]


async def test_the_oldest_due_email_is_claimed_and_nobody_else_gets_it_for_a_minute(store: Store) -> None:
    later = await store.write(lambda: put_waiting(fetch_time=NOON - 1))  # of the smaller id
    first = await store.write(lambda: put_waiting(fetch_time=NOON - 2))
    await store.write(lambda: put_waiting(fetch_time=NOON + 1))
    assert await claims(store, Turns(), 3) == [first, later]
    assert await store.read(waits, first) == (NOON + CLAIM, 0)
    assert await store.write(claim, Turns(), (), (), at(NOON + CLAIM - 1)) is not None  # the one at NOON + 1
    assert await store.write(claim, Turns(), (), (), at(NOON + CLAIM - 1)) is None
    assert await store.write(claim, Turns(), (), (), at(NOON + CLAIM)) == Claimed(later, 1)


async def test_urgent_mail_comes_first_and_tenants_take_turns(store: Store) -> None:
    def fill() -> list[int]:
        bulk = put_waiting(tenant_id=9, lane=2)
        many = [put_waiting(tenant_id=5) for _ in range(3)]
        return [*many, put_waiting(tenant_id=7), put_waiting(tenant_id=6), bulk, put_waiting(lane=0)]

    a, b, c, seven, six, bulk, urgent = await store.write(fill)
    assert await claims(store, Turns(), 8) == [urgent, a, six, seven, b, c, bulk]


async def test_a_tenant_that_is_busy_is_passed_over(store: Store) -> None:
    ours, theirs = await store.write(lambda: [put_waiting(tenant_id=5), put_waiting(tenant_id=7)])
    assert await claims(store, Turns(), 2, busy=(5, 8)) == [theirs]
    assert await claims(store, Turns(), 2) == [ours]


async def test_many_that_claim_at_once_get_different_emails(store: Store) -> None:
    ids = await store.write(lambda: [put_waiting(tenant_id=n % 3) for n in range(40)])
    claimed = await asyncio.gather(*(store.write(claim, Turns(), (), (), at()) for _ in range(60)))
    found = [one.email_id for one in claimed if one is not None]
    assert len(found) == len(set(found))
    rest = await claims(store, Turns(), 40)
    assert sorted([*found, *rest]) == sorted(ids)


async def test_the_claim_walks_the_index(store: Store, database: str) -> None:
    def plan() -> str:
        connection = bound.connection()
        if database.startswith("sqlite"):
            values: tuple[Any, ...] = (1, -1, 1, "[]", 256, 5, 1, NOON, "[]")
            rows = connection.execute(f"EXPLAIN QUERY PLAN {CLAIM_SQLITE}", values).fetchall()
        else:
            # Otherwise a table as small as this one is not worth an index.
            connection.execute("SET LOCAL enable_seqscan = off")
            values = (1, -1, 1, [], 256, 1, NOON, [], 5)
            rows = connection.execute(f"EXPLAIN {CLAIM_POSTGRESQL}", values).fetchall()
        return "\n".join(str(row[-1]) for row in rows)

    told = await store.write(plan)
    assert told.count("preparation_due") >= 2
    assert "SCAN preparation" not in told
    assert "Seq Scan" not in told


async def test_what_is_in_hand_is_passed_over_and_stays_due(store: Store) -> None:
    first = await store.write(put_waiting)
    second = await store.write(put_waiting)
    turns = Turns()
    assert await store.write(claim, turns, (), [first], at()) == Claimed(second, 1)
    assert await store.write(claim, turns, (), [first, second], at()) is None
    assert await store.write(claim, turns, (), [], at()) == Claimed(first, 1)


async def test_the_files_that_are_missing_are_told_one_by_one_with_what_room_is_left(store: Store) -> None:
    urls = ("https://a.example.com/1", "https://a.example.com/2")
    email_id = await store.write(lambda: put_waiting(urls=urls, contents=[b"x" * 300]))
    first = await store.write(next_file, email_id, -1, TOTAL, at(NOON + 5))
    assert first is not None
    assert (first.position, first.url, first.max_bytes) == (1, urls[0], 700)
    assert await store.read(waits, email_id) == (NOON + 5 + CLAIM, 0)
    second = await store.write(next_file, email_id, 1, TOTAL, at())
    assert second is not None
    assert second.url == urls[1]
    assert await store.write(next_file, email_id, 2, TOTAL, at()) is None


async def test_nothing_is_fetched_for_an_email_that_was_cancelled_or_has_expired(store: Store) -> None:
    cancelled = await store.write(lambda: put_waiting(delivery={"state": "CANCELLED"}))
    expired = await store.write(lambda: put_waiting(expire_time=NOON))
    assert await store.write(next_file, cancelled, -1, TOTAL, at()) is None
    assert await store.write(next_file, expired, -1, TOTAL, at()) is None


async def test_a_file_is_stored_once_a_tenant_whoever_brings_it(store: Store) -> None:
    one, two = await store.write(lambda: [put_waiting(), put_waiting()])
    other = await store.write(lambda: put_waiting(tenant_id=2))
    for email_id, tenant_id in ((one, 1), (two, 1), (other, 2)):
        assert await store.write(keep_next, email_id, b"same", tenant_id)
    assert await store.read(lambda: [files(i) for i in (one, two, other)]) == [[b"same"]] * 3
    assert await store.read(lambda: Blob.select().count()) == 2


async def test_c4_what_was_stored_first_stays_whatever_comes_later(store: Store) -> None:
    email_id = await store.write(put_waiting)
    file = await store.write(next_file, email_id, -1, TOTAL, at())
    assert file is not None
    for content in (b"first", b"second"):
        await store.write(keep, Claimed(email_id, 1), file, fetched(content), TOTAL, MINT, at())
    assert await store.read(files, email_id) == [b"first"]


async def test_a_file_that_comes_after_the_end_is_not_stored(store: Store) -> None:
    email_id = await store.write(lambda: put_waiting(tries=len(RETRY_DELAYS)))
    file = await store.write(next_file, email_id, -1, TOTAL, at())
    assert file is not None
    await store.write(conclude, email_id, at())
    assert await store.write(keep, Claimed(email_id, 1), file, fetched(b"late"), TOTAL, MINT, at())
    assert await store.read(files, email_id) == [None]
    assert await store.read(lambda: Blob.select().count()) == 0


async def test_files_that_are_too_much_together_are_not_stored(store: Store) -> None:
    email_id = await store.write(lambda: put_waiting(contents=[b"x" * 999]))
    assert not await store.write(keep_next, email_id, b"yz")
    assert await store.write(keep_next, email_id, b"y")


async def test_an_email_that_has_its_files_is_ready_when_it_was_to_be(store: Store) -> None:
    email_id = await store.write(
        lambda: put_waiting(to=("a@x.org", "b@x.org"), delivery={"run_at": NOON + HOUR})
    )
    await store.write(keep_next, email_id, b"abc")
    concluded = await store.write(conclude, email_id, at())
    assert concluded.ready
    assert await store.read(states, email_id) == READY
    assert await store.read(waits, email_id) is None
    assert await store.read(lambda: {d.run_at for d in Delivery.select()}) == {NOON + HOUR}


@pytest.mark.parametrize(
    ("tries", "pause"), [(0, 10 * SECOND), (1, 30 * SECOND), (2, 2 * MINUTE), (3, 5 * MINUTE)]
)
async def test_a_missing_file_is_asked_for_again_later(store: Store, tries: int, pause: int) -> None:
    email_id = await store.write(lambda: put_waiting(tries=tries))
    assert not (await store.write(conclude, email_id, at())).ready
    assert await store.read(waits, email_id) == (NOON + pause, tries + 1)
    assert await store.read(states, email_id) == PREPARING


async def test_no_try_is_put_off_beyond_the_time_when_the_email_expires(store: Store) -> None:
    email_id = await store.write(lambda: put_waiting(expire_time=NOON + 3 * SECOND))
    await store.write(conclude, email_id, at())
    assert await store.read(waits, email_id) == (NOON + 3 * SECOND, 1)


@pytest.mark.parametrize(
    ("waiting", "failure"),
    [({"tries": len(RETRY_DELAYS)}, "failed 5 times"), ({"expire_time": NOON}, "time ran out")],
)
async def test_an_email_whose_file_was_never_had_fails(
    store: Store, waiting: dict[str, int], failure: str
) -> None:
    to = ("a@x.org", "b@x.org")
    email_id = await store.write(lambda: put_waiting(to=to, **waiting))
    assert (await store.write(conclude, email_id, at())).failure == failure
    assert await store.read(states, email_id) == FAILED
    assert await store.read(waits, email_id) is None
    email = await store.read(Email.get_by_id, email_id)
    assert (email.open_count, email.expired_count, email.settle_time) == (0, 2, NOON)
    events = await store.read(history.read_after, 1, START, 10)
    told = [(event.kind, event.state, event.outcome) for event in events]
    settled = (Kind.RECIPIENT_SETTLED, "EXPIRED", "ABANDONED")
    assert told == [settled, settled, (Kind.EMAIL_SETTLED, "FAILURE", None)]


@pytest.mark.parametrize("end", [conclude, lambda email_id, now: fail(email_id, "refused", now)])
async def test_an_email_that_was_cancelled_meanwhile_is_left_alone(store: Store, end: Any) -> None:
    email_id = await store.write(lambda: put_waiting(delivery={"state": "CANCELLED"}))
    concluded = await store.write(end, email_id, at())
    assert (concluded.ready, concluded.failure) == (False, "")
    assert await store.read(states, email_id) == ("PENDING", None, {"CANCELLED"}, {"OPEN"})
    assert await store.read(waits, email_id) is None
    assert await store.read(history.read_after, 1, START, 10) == []


async def test_concluding_twice_changes_nothing(store: Store) -> None:
    email_id = await store.write(lambda: put_waiting(tries=4))
    await store.write(conclude, email_id, at())
    await store.write(conclude, email_id, at())
    await store.write(fail, email_id, "again", at())
    assert (await store.read(Email.get_by_id, email_id)).expired_count == 1


async def test_what_is_given_back_is_due_at_once(store: Store) -> None:
    email_id = await store.write(put_waiting)
    assert await claims(store, Turns(), 2) == [email_id]
    await store.write(give_back, email_id, at())
    assert await claims(store, Turns(), 2) == [email_id]
