"""Settling: outcomes become rows, once, under the lease they were made with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from delivery import ledgers
from delivery.ledgers import attempts, delivery, email, kinds, put_and_take, recipient_states
from delivery.values import CONNECTION, DELIVERED, ended, middle, replies, reply
from fakes import NOON, ManualClock
from postroom_server.clock import HOUR, MINUTE, Millis
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.settle import settle, settle_once
from postroom_server.delivery.settler import Settler
from postroom_server.delivery.verdict import (
    Outcome,
    judge,
    judge_abandoned,
    judge_local_error,
    judge_without_server,
)
from postroom_server.smtp import Level, Phase, Transaction
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Delivery, Event, Lane, Recipient, RecipientState
from postroom_server.store.unit import Store

MINT = IdMint(ManualClock())
GREYLISTED = ended(Phase.DOT, Level.MESSAGE, replies(250), reply(451, "4.7.1"))
REFUSED = ended(Phase.MAIL, Level.MESSAGE, (None,), reply(550, "5.1.8"))
LOST = ended(Phase.DOT, Level.AMBIGUOUS, replies(250))


def settlement(
    one: Leased, transaction: Transaction, *, now: Millis = NOON, server_id: int = 9
) -> Settlement:
    verdict = judge(one, transaction, now=now, uniform=middle)
    return Settlement(one, verdict, transaction, server_id, now, now + 5)


async def settled(store: Store, *settlements: Settlement, owner: int = 1) -> list[Settlement]:
    return await store.write(settle, owner, settlements, MINT, NOON + 5)


async def changed(store: Store, delivery_id: int, **columns: Any) -> None:
    def change() -> None:
        Delivery.update(columns).where(Delivery.id == delivery_id).execute()

    await store.write(change)


async def test_a_delivered_mail_is_done(store: Store) -> None:
    one = await store.write(put_and_take)
    assert await settled(store, settlement(one, DELIVERED)) == []
    row, mail = await store.read(delivery, one.id), await store.read(email, one.email.id)
    assert (row["state"], row["lease_owner"], row["tries"], row["crash_count"]) == ("DONE", None, 1, 0)
    assert (mail["state"], mail["delivered_count"], mail["open_count"]) == ("SUCCESS", 1, 0)
    assert mail["settle_time"] == NOON + 5
    assert await store.read(recipient_states, one.id) == ["DELIVERED"]
    (attempt,) = await store.read(attempts, one.email.id)
    assert (attempt["outcome"], attempt["phase"], attempt["code"]) == ("DELIVERED", "DOT", 250)
    assert (attempt["server_id"], attempt["worker_id"], attempt["accepted_count"]) == (9, 1, 1)
    assert (attempt["start_time"], attempt["end_time"], attempt["ambiguous"]) == (NOON, NOON + 5, False)
    assert await store.read(kinds, one.email.id) == ["RECIPIENT_SETTLED", "EMAIL_SETTLED"]


async def test_a_transient_outcome_makes_it_wait(store: Store) -> None:
    one = await store.write(put_and_take)
    await settled(store, settlement(one, GREYLISTED))
    row, mail = await store.read(delivery, one.id), await store.read(email, one.email.id)
    assert (row["state"], row["run_at"], row["tries"]) == ("READY", NOON + MINUTE, 1)
    assert (mail["state"], mail["open_count"]) == ("PENDING", 1)
    assert await store.read(kinds, one.email.id) == ["ATTEMPT_FINISHED"]
    assert await store.read(recipient_states, one.id) == ["OPEN"]


async def test_a_clock_set_back_since_does_not_make_it_wait_longer(store: Store) -> None:
    one = await store.write(put_and_take)
    late = settlement(one, GREYLISTED, now=NOON + HOUR)
    await store.write(settle, 1, [late], MINT, NOON + 5)
    assert (await store.read(delivery, one.id))["run_at"] == NOON + MINUTE


async def test_several_recipients_end_each_in_their_own_way(store: Store) -> None:
    one = await store.write(put_and_take, to=["a@example.com"], cc=["b@example.com", "c@example.com"])
    answers = replies(250, reply(550, "5.1.1"), 450)
    await settled(store, settlement(one, ended(Phase.DOT, Level.RECIPIENT, answers, reply(250))))
    assert await store.read(recipient_states, one.id) == ["DELIVERED", "REFUSED", "OPEN"]
    mail = await store.read(email, one.email.id)
    counts = [mail[f"{name}_count"] for name in ("delivered", "refused", "open")]
    assert (mail["state"], counts) == ("PENDING", [1, 1, 1])
    assert (await store.read(delivery, one.id))["state"] == "READY"
    (again,) = await store.write(ledgers.take, 2, now=NOON * 2)
    assert [recipient.address for recipient in again.open_recipients] == ["c@example.com"]
    await settled(store, settlement(again, DELIVERED), owner=2)
    mail = await store.read(email, one.email.id)
    assert (mail["state"], mail["delivered_count"], mail["refused_count"]) == ("FAILURE", 2, 1)


async def test_many_settle_in_one_unit_of_work(store: Store) -> None:
    def put() -> list[Leased]:
        for _ in range(3):
            ledgers.put_email(to=["a@example.com", "b@example.com"])
        return ledgers.take()

    leased = await store.write(put)
    ways = [DELIVERED, DELIVERED, DELIVERED, REFUSED, GREYLISTED, CONNECTION]
    assert len(leased) == len(ways)
    await settled(store, *(settlement(one, way) for one, way in zip(leased, ways, strict=True)))
    mails = [await store.read(email, one.email.id) for one in leased[::2]]
    assert [mail["state"] for mail in mails] == ["SUCCESS", "FAILURE", "PENDING"]
    states = [(await store.read(delivery, one.id))["state"] for one in leased]
    assert states == ["DONE"] * 4 + ["READY"] * 2


@pytest.mark.parametrize(
    ("owner", "column"),
    [(2, {"lease_token": 1}), (1, {"lease_token": 2}), (1, {"state": "READY"}), (1, {"lease_owner": 3})],
)
async def test_without_the_lease_nothing_is_settled_but_the_attempt_is_told(
    store: Store, owner: int, column: dict[str, Any]
) -> None:
    one = await store.write(put_and_take)
    await changed(store, one.id, **column)
    before = await store.read(delivery, one.id)
    late = settlement(one, REFUSED)
    assert await settled(store, late, owner=owner) == [late]
    assert await store.read(delivery, one.id) == before
    assert await store.read(recipient_states, one.id) == ["OPEN"]
    assert [a["outcome"] for a in await store.read(attempts, one.email.id)] == ["PERMANENT"]
    assert await store.read(kinds, one.email.id) == ["ATTEMPT_LATE"]


async def test_a_late_yes_settles_whoever_is_still_open(store: Store) -> None:
    one = await store.write(put_and_take)
    await changed(store, one.id, state="READY", lease_owner=None)
    assert len(await settled(store, settlement(one, DELIVERED))) == 1
    assert await store.read(recipient_states, one.id) == ["DELIVERED"]
    assert (await store.read(delivery, one.id))["state"] == "DONE"
    assert (await store.read(email, one.email.id))["state"] == "SUCCESS"


async def test_a_yes_that_comes_twice_is_counted_once(store: Store) -> None:
    one = await store.write(put_and_take, to=["a@example.com"], cc=["b@example.com"])
    both = ended(Phase.DOT, Level.NONE, replies(250, 250), reply(250))
    await changed(store, one.id, state="READY", lease_owner=None)
    (again,) = await store.write(ledgers.take, 2, now=NOON * 2)
    # The first owner comes back to life while the second is transmitting.
    assert len(await settled(store, settlement(one, both), owner=1)) == 1
    assert (await store.read(delivery, one.id))["state"] == "LEASED"
    assert await settled(store, settlement(again, both), owner=2) == []
    mail = await store.read(email, one.email.id)
    assert (mail["delivered_count"], mail["open_count"], mail["state"]) == (2, 0, "SUCCESS")
    assert (await store.read(delivery, one.id))["state"] == "DONE"
    assert (await store.read(kinds, one.email.id)).count("EMAIL_SETTLED") == 1


async def test_nobody_is_tried_again_whom_a_late_yes_has_settled(store: Store) -> None:
    one = await store.write(put_and_take)
    await changed(store, one.id, state="READY", lease_owner=None)
    (again,) = await store.write(ledgers.take, 2, now=NOON * 2)
    await settled(store, settlement(one, DELIVERED), owner=1)
    await settled(store, settlement(again, GREYLISTED), owner=2)
    assert (await store.read(delivery, one.id))["state"] == "DONE"
    assert await store.read(recipient_states, one.id) == ["DELIVERED"]


async def test_who_expires_keeps_what_a_server_said_last(store: Store) -> None:
    one = await store.write(put_and_take)
    await settled(store, settlement(one, GREYLISTED))
    (again,) = await store.write(ledgers.take, 1, now=NOON * 2)
    verdict = judge_without_server(again, RecipientState.EXPIRED, Outcome.TRANSIENT, NOON)
    await settled(store, Settlement(again, verdict, None, None, NOON, NOON + 5))
    assert await store.read(recipient_states, one.id) == ["EXPIRED"]
    told = await store.read(lambda: Recipient.get(Recipient.delivery_id == one.id))
    assert (told.last_code, told.last_enhanced) == (451, "4.7.1")
    assert told.last_reply


async def test_the_same_yes_twice_in_one_unit_is_counted_once(store: Store) -> None:
    one = await store.write(put_and_take)
    await settled(
        store, settlement(one, DELIVERED), settlement(dataclasses.replace(one, lease_token=0), DELIVERED)
    )
    assert (await store.read(email, one.email.id))["delivered_count"] == 1


async def test_a_cancel_that_came_meanwhile_ends_who_would_wait(store: Store) -> None:
    one = await store.write(put_and_take)
    await changed(store, one.id, cancel_requested=True)
    await settled(store, settlement(one, GREYLISTED))
    assert await store.read(recipient_states, one.id) == ["CANCELLED"]
    assert (await store.read(delivery, one.id))["state"] == "CANCELLED"
    assert (await store.read(email, one.email.id))["cancelled_count"] == 1


async def test_a_cancel_that_came_too_late_changes_nothing(store: Store) -> None:
    one = await store.write(put_and_take)
    await changed(store, one.id, cancel_requested=True)
    await settled(store, settlement(one, DELIVERED))
    assert await store.read(recipient_states, one.id) == ["DELIVERED"]
    assert (await store.read(delivery, one.id))["state"] == "DONE"


async def test_a_cancel_of_what_may_have_left_says_that_nobody_knows(store: Store) -> None:
    one = await store.write(put_and_take)
    await changed(store, one.id, cancel_requested=True)
    await settled(store, settlement(one, LOST))
    assert await store.read(recipient_states, one.id) == ["UNKNOWN"]


async def test_an_ambiguous_outcome_is_counted_on_the_email(store: Store) -> None:
    one = await store.write(put_and_take)
    await settled(store, settlement(one, LOST))
    mail, row = await store.read(email, one.email.id), await store.read(delivery, one.id)
    assert (mail["ambiguous_count"], mail["state"]) == (1, "PENDING")
    assert (row["state"], row["run_at"]) == ("READY", NOON + 5 * MINUTE)
    (attempt,) = await store.read(attempts, one.email.id)
    assert (attempt["outcome"], attempt["ambiguous"]) == ("AMBIGUOUS", True)


async def test_an_ambiguous_end_of_a_mail_that_must_not_repeat_is_unknown(store: Store) -> None:
    one = await store.write(put_and_take, delivery={"at_most_once": True})
    await settled(store, settlement(one, LOST))
    mail = await store.read(email, one.email.id)
    assert (mail["ambiguous_count"], mail["unknown_count"], mail["state"]) == (1, 1, "FAILURE")
    assert await store.read(recipient_states, one.id) == ["UNKNOWN"]
    assert "ATTEMPT_FINISHED" in await store.read(kinds, one.email.id)


async def test_connection_failures_spend_no_try(store: Store) -> None:
    one = await store.write(put_and_take)
    await settled(store, settlement(one, CONNECTION))
    row = await store.read(delivery, one.id)
    assert (row["state"], row["tries"], row["transactions"]) == ("READY", 0, 1)
    (attempt,) = await store.read(attempts, one.email.id)
    assert (attempt["outcome"], attempt["phase"]) == ("CONNECTION", "CONNECT")


async def test_what_was_tried_elsewhere_within_the_attempt_is_told_in_order(store: Store) -> None:
    one = await store.write(put_and_take)
    earlier = settlement(one, CONNECTION, now=NOON - 9, server_id=8)
    await settled(store, dataclasses.replace(settlement(one, DELIVERED), earlier=(earlier,)))
    found = await store.read(attempts, one.email.id)
    assert [(a["server_id"], a["outcome"]) for a in found] == [(8, "CONNECTION"), (9, "DELIVERED")]


async def test_who_asks_again_because_the_answer_to_the_commit_was_lost_changes_nothing(store: Store) -> None:
    one = await store.write(put_and_take)
    earlier = settlement(one, CONNECTION, now=NOON - 9, server_id=8)
    told = dataclasses.replace(settlement(one, GREYLISTED), earlier=(earlier,))
    ids = MINT.many(2)
    assert await store.write(settle_once, 1, [told], ids, MINT, NOON) == []
    before = (await store.read(delivery, one.id), await store.read(email, one.email.id))
    (again,) = await store.write(ledgers.take, 2, now=NOON * 2)
    assert await store.write(settle_once, 1, [told], ids, MINT, NOON) == []
    after = await store.read(delivery, one.id)
    assert (after["lease_token"], after["lease_owner"], after["tries"]) == (again.lease_token, 2, 1)
    assert await store.read(email, one.email.id) == before[1]
    assert [attempt["id"] for attempt in await store.read(attempts, one.email.id)] == ids
    assert await store.read(kinds, one.email.id) == ["ATTEMPT_FINISHED"]


async def test_giving_back_leaves_no_trace(store: Store) -> None:
    one = await store.write(put_and_take)
    await settled(store, Settlement(one, judge_abandoned(one, NOON + 3), None, None, NOON, NOON))
    row = await store.read(delivery, one.id)
    assert (row["state"], row["run_at"], row["transactions"], row["tries"]) == ("READY", NOON + 3, 0, 0)
    assert await store.read(attempts, one.email.id) == []
    assert await store.read(kinds, one.email.id) == []


async def test_giving_back_what_is_cancelled_cancels_it(store: Store) -> None:
    one = await store.write(put_and_take)
    await changed(store, one.id, cancel_requested=True)
    await settled(store, Settlement(one, judge_abandoned(one, NOON), None, None, NOON, NOON))
    assert await store.read(recipient_states, one.id) == ["CANCELLED"]
    assert (await store.read(email, one.email.id))["state"] == "FAILURE"


async def test_giving_back_what_is_held_by_another_is_nothing(store: Store) -> None:
    one = await store.write(put_and_take)
    await settled(store, Settlement(one, judge_abandoned(one, NOON), None, None, NOON, NOON), owner=5)
    assert (await store.read(delivery, one.id))["state"] == "LEASED"
    assert await store.read(kinds, one.email.id) == []


async def test_our_own_error_holds_the_third_time_and_says_so(store: Store) -> None:
    one = await store.write(put_and_take, delivery={"crash_count": 2})
    verdict = judge_local_error(one, now=NOON, uniform=middle)
    await settled(store, Settlement(one, verdict, None, None, NOON, NOON))
    row = await store.read(delivery, one.id)
    assert (row["state"], row["crash_count"]) == ("HELD", 3)
    assert await store.read(recipient_states, one.id) == ["OPEN"]
    (attempt,) = await store.read(attempts, one.email.id)
    assert (attempt["outcome"], attempt["phase"], attempt["server_id"]) == ("LOCAL", "LOCAL", None)
    assert await store.read(kinds, one.email.id) == ["DELIVERY_HELD", "ATTEMPT_FINISHED"]


async def test_events_hold_codes_and_never_the_words_of_a_reply(store: Store) -> None:
    one = await store.write(put_and_take)
    await settled(store, settlement(one, REFUSED))

    def words() -> list[Any]:
        return [value for row in Event.select().tuples() for value in row if isinstance(value, str)]

    said = await store.read(words)
    assert "5.1.8" in said
    assert "said" not in said
    assert one.lane is Lane.NORMAL


class TwiceTheSame(IdMint):
    """Gives ids that it has given before, as after a start with a clock that was set back; then new ones."""

    again: Sequence[int] = ()

    def many(self, count: int) -> list[int]:
        given, self.again = list(self.again), ()
        return given or super().many(count)


async def test_an_id_that_another_delivery_s_attempt_has_does_not_pass_for_its_own(store: Store) -> None:
    first, *others = [await store.write(put_and_take) for _ in range(3)]
    mint, told = TwiceTheSame(ManualClock(), node=7), list[Settlement]()
    used = mint.many(1)
    assert await store.write(settle_once, 1, [settlement(first, DELIVERED)], used, MINT, NOON) == []
    settler = Settler(store, mint, ManualClock(), owner=1, on_settled=told.extend)
    mint.again = [*used, *mint.many(1)]
    for one in others:
        settler.report(settlement(one, DELIVERED))
    settler.close()
    await settler.run()
    assert [one.leased.id for one in told] == [one.id for one in others]
    for one in others:
        assert (await store.read(delivery, one.id))["state"] == "DONE"
        assert len(await store.read(attempts, one.email.id)) == 1
