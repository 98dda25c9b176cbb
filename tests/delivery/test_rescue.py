"""Rescue: what a process leaves behind that died."""

from __future__ import annotations

from typing import Any

import pytest

from delivery import ledgers
from delivery.ledgers import attempts, delivery, email, kinds, put_and_take, recipient_states
from fakes import NOON, ManualClock
from postroom_server.clock import MINUTE
from postroom_server.delivery.lease import ALONE
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.marks import mark_dot, mark_waiting
from postroom_server.delivery.rescue import Rescued, rescue, rescue_one
from postroom_server.delivery.worker import rescue_all
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Delivery, Recipient
from postroom_server.store.unit import Store
from stored_mail import put_email

MINT = IdMint(ManualClock())
THEN = NOON * 3
NEVER_TWICE = {"at_most_once": True}


async def left_behind(store: Store, *, dot: bool = False, cancelled: bool = False, **columns: Any) -> Leased:
    one = await store.write(put_and_take, **columns)
    if dot:
        assert await store.write(mark_dot, 1, one.id, one.lease_token, NOON)
    if cancelled:
        await store.write(lambda: Delivery.update(cancel_requested=True).execute())
    return one


async def test_what_may_have_left_is_sent_again_and_the_doubt_is_counted(store: Store) -> None:
    one = await left_behind(store)
    assert await store.write(rescue, 1, MINT, THEN) == Rescued(ready=1, ambiguous=1)
    row = await store.read(delivery, one.id)
    assert (row["state"], row["run_at"], row["lease_owner"], row["crash_count"]) == ("READY", THEN, None, 1)
    assert row["lane"] == 1 + ALONE
    mail = await store.read(email, one.email.id)
    assert (mail["ambiguous_count"], mail["state"]) == (1, "PENDING")
    (attempt,) = await store.read(attempts, one.email.id)
    assert (attempt["outcome"], attempt["ambiguous"], attempt["worker_id"]) == ("CRASHED", True, 1)
    assert await store.read(kinds, one.email.id) == ["DELIVERY_RESCUED"]
    (again,) = await store.write(ledgers.take, 2, now=THEN, alone=True)
    assert (again.lease_token, again.alone) == (one.lease_token + 1, True)


async def test_a_mail_that_must_not_repeat_goes_on_when_its_dot_was_not_marked(store: Store) -> None:
    one = await left_behind(store, delivery=NEVER_TWICE)
    assert await store.write(rescue, 1, MINT, THEN) == Rescued(ready=1)
    assert (await store.read(email, one.email.id))["ambiguous_count"] == 0
    (attempt,) = await store.read(attempts, one.email.id)
    assert attempt["ambiguous"] is False


async def test_a_mail_that_must_not_repeat_ends_as_unknown_when_its_dot_was_marked(store: Store) -> None:
    one = await left_behind(store, dot=True, delivery=NEVER_TWICE, cc=["bob@example.com"])
    assert await store.write(rescue, 1, MINT, THEN) == Rescued(ended=1, ambiguous=1)
    assert (await store.read(delivery, one.id))["state"] == "DONE"
    assert await store.read(recipient_states, one.id) == ["UNKNOWN", "UNKNOWN"]
    mail = await store.read(email, one.email.id)
    assert (mail["state"], mail["unknown_count"], mail["ambiguous_count"]) == ("FAILURE", 2, 1)
    told = await store.read(kinds, one.email.id)
    assert sorted(told) == ["DELIVERY_RESCUED", "EMAIL_SETTLED", "RECIPIENT_SETTLED", "RECIPIENT_SETTLED"]


@pytest.mark.parametrize(("crashes", "state"), [(0, "READY"), (1, "READY"), (2, "HELD")])
async def test_the_third_crash_holds_a_mail(store: Store, crashes: int, state: str) -> None:
    one = await left_behind(store, delivery={"crash_count": crashes, "lane": 2 + (ALONE if crashes else 0)})
    await store.write(rescue, 1, MINT, THEN)
    row = await store.read(delivery, one.id)
    assert (row["state"], row["crash_count"], row["lane"]) == (state, crashes + 1, 2 + ALONE)
    assert ("DELIVERY_HELD" in await store.read(kinds, one.email.id)) == (state == "HELD")
    assert (await store.read(email, one.email.id))["state"] == "PENDING"


@pytest.mark.parametrize(
    ("columns", "dot", "ends_as"),
    [({}, False, "UNKNOWN"), (NEVER_TWICE, False, "CANCELLED"), (NEVER_TWICE, True, "UNKNOWN")],
)
async def test_what_was_cancelled_is_not_sent_again(
    store: Store, columns: dict[str, Any], dot: bool, ends_as: str
) -> None:
    one = await left_behind(store, dot=dot, cancelled=True, delivery=columns)
    doubts = int(ends_as == "UNKNOWN")
    assert await store.write(rescue, 1, MINT, THEN) == Rescued(ended=1, ambiguous=doubts)
    assert (await store.read(delivery, one.id))["state"] == "CANCELLED"
    assert await store.read(recipient_states, one.id) == [ends_as]
    assert (await store.read(email, one.email.id))["open_count"] == 0


@pytest.mark.parametrize("crashes", [0, 2])
async def test_what_late_evidence_has_settled_meanwhile_is_done(store: Store, crashes: int) -> None:
    one = await left_behind(store, delivery={"crash_count": crashes, "lane": 1 + (ALONE if crashes else 0)})
    await store.write(lambda: Recipient.update(state="DELIVERED").execute())
    assert await store.write(rescue, 1, MINT, THEN) == Rescued(ended=1, ambiguous=1)
    assert (await store.read(delivery, one.id))["state"] == "DONE"
    assert await store.read(kinds, one.email.id) == ["DELIVERY_RESCUED"]


async def test_only_the_dead_owner_s_deliveries_are_rescued_or_everybody_s(store: Store) -> None:
    mine, other = await left_behind(store), await store.write(put_and_take, 2)
    assert await store.write(rescue, 1, MINT, THEN) == Rescued(ready=1, ambiguous=1)
    assert (await store.read(delivery, other.id))["state"] == "LEASED"
    assert await store.write(rescue, 1, MINT, THEN) == Rescued()
    assert await store.write(rescue, None, MINT, THEN) == Rescued(ready=1, ambiguous=1)
    assert (await store.read(delivery, other.id))["state"] == "READY"
    assert (await store.read(delivery, mine.id))["crash_count"] == 1


async def test_a_server_s_trial_is_not_given_to_the_engine(store: Store) -> None:
    far = THEN + MINUTE
    one = await left_behind(store)
    await store.write(lambda: Delivery.update(run_at=far).execute())
    await store.write(rescue, 1, MINT, THEN)
    assert (await store.read(delivery, one.id))["run_at"] == far


async def test_very_much_is_rescued_in_short_units(store: Store) -> None:
    def put() -> None:
        for _ in range(510):
            put_email(delivery={"state": "LEASED", "lease_owner": 4})

    await store.write(put)
    assert await store.write(rescue, 4, MINT, THEN) == Rescued(ready=500, ambiguous=500)
    assert await rescue_all(store, MINT, ManualClock(), 4) == 10


async def test_a_dot_is_marked_under_the_lease_only(store: Store) -> None:
    one = await store.write(put_and_take)
    for owner, token in ((2, one.lease_token), (1, one.lease_token + 1)):
        assert not await store.write(mark_dot, owner, one.id, token, NOON)
    assert (await store.read(delivery, one.id))["phase"] is None
    assert await store.write(mark_dot, 1, one.id, one.lease_token, NOON + 1)
    row = await store.read(delivery, one.id)
    assert (row["phase"], row["dot_time"]) == ("DOT", NOON + 1)
    await store.write(rescue, 1, MINT, THEN)
    assert not await store.write(mark_dot, 1, one.id, one.lease_token, NOON)


async def test_who_only_waited_for_a_server_is_not_blamed_for_the_crash(store: Store) -> None:
    waiting = await left_behind(store, delivery={"crash_count": 2, "lane": 1 + ALONE})
    await store.write(mark_waiting, 1, [(waiting.id, waiting.lease_token)])
    suspect = await left_behind(store, delivery={"crash_count": 1, "lane": 1 + ALONE})
    assert await store.write(rescue, 1, MINT, THEN) == Rescued(ready=2, ambiguous=2)
    rows = [await store.read(delivery, one.id) for one in (waiting, suspect)]
    assert [row["crash_count"] for row in rows] == [2, 2]
    # It may have left all the same.
    assert (await store.read(email, waiting.email.id))["ambiguous_count"] == 1
    assert [a["phase"] for a in await store.read(attempts, waiting.email.id)] == [None]


async def test_who_always_waits_when_processes_crash_is_blamed_in_the_end(store: Store) -> None:
    one = await left_behind(store, delivery={"crash_count": 2, "lane": 1 + ALONE, "transactions": 20})
    await store.write(mark_waiting, 1, [(one.id, one.lease_token)])
    assert await store.write(rescue, 1, MINT, THEN) == Rescued(held=1, ambiguous=1)


async def test_waiting_is_marked_under_the_lease_and_hides_no_dot(store: Store) -> None:
    one = await left_behind(store, delivery=NEVER_TWICE)
    await store.write(mark_waiting, 2, [(one.id, one.lease_token)])
    await store.write(mark_waiting, 1, [(one.id, one.lease_token + 1)])
    assert (await store.read(delivery, one.id))["phase"] is None
    await store.write(mark_waiting, 1, [(one.id, one.lease_token)])
    assert (await store.read(delivery, one.id))["phase"] == "WAITING"
    assert await store.write(mark_dot, 1, one.id, one.lease_token, NOON)
    await store.write(mark_waiting, 1, [(one.id, one.lease_token)])
    assert (await store.read(delivery, one.id))["phase"] == "DOT"
    assert await store.write(rescue, 1, MINT, THEN) == Rescued(ended=1, ambiguous=1)


async def test_a_living_owner_s_delivery_is_rescued_by_name_under_its_lease(store: Store) -> None:
    one, other = await left_behind(store), await left_behind(store)
    for owner, token in ((2, one.lease_token), (1, one.lease_token + 1)):
        assert await store.write(rescue_one, owner, one.id, token, MINT, THEN) == Rescued()
    rescued = await store.write(rescue_one, 1, one.id, one.lease_token, MINT, THEN)
    assert rescued == Rescued(ready=1, ambiguous=1)
    assert (await store.read(delivery, one.id))["crash_count"] == 1
    assert (await store.read(delivery, other.id))["state"] == "LEASED"
