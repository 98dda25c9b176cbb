"""Mail that is due and in nobody's hands comes back."""

from __future__ import annotations

import pytest

from delivery.ledgers import delivery, put_and_take, take
from delivery.waiting_mail import put_waiting
from fakes import NOON
from postroom_server.clock import HOUR, MINUTE, SECOND
from postroom_server.delivery.astray import Moment, bring_forward, give_back_unheard, keep_pace
from postroom_server.delivery.lease import lease_email
from postroom_server.store.models import Expansion, Preparation
from postroom_server.store.unit import Store
from stored_mail import deliveries_of, put_email

pytestmark = pytest.mark.every_database


async def test_a_lease_that_its_owner_does_not_know_of_ends_as_if_it_had_not_been(store: Store) -> None:
    lost, known, others = [await store.write(put_and_take, owner) for owner in (1, 1, 2)]
    await store.write(give_back_unheard, 1, {known.id: known.lease_token}, NOON)
    rows = [await store.read(delivery, one.id) for one in (lost, known, others)]
    assert [row["state"] for row in rows] == ["READY", "LEASED", "LEASED"]
    assert (rows[0]["lease_owner"], rows[0]["transactions"], rows[0]["crash_count"]) == (None, 0, 0)
    (again,) = await store.write(take)
    assert (again.id, again.lease_token) == (lost.id, lost.lease_token + 1)


async def test_an_older_lease_of_the_same_delivery_does_not_hide_one_that_got_lost(store: Store) -> None:
    one = await store.write(put_and_take)
    assert await store.write(give_back_unheard, 1, {one.id: one.lease_token - 1}, NOON) == [one.id]


async def test_a_server_s_trial_is_not_taken_from_it(store: Store) -> None:
    email_id = await store.write(put_email, delivery={"run_at": NOON + HOUR})
    await store.write(lease_email, 1, email_id)
    assert await store.write(give_back_unheard, 1, {}, NOON) == []
    # Unless it was never settled: then the engine lets it expire.
    assert len(await store.write(give_back_unheard, 1, {}, NOON + HOUR)) == 1


async def test_what_was_due_stays_due_when_the_clock_is_set_back(store: Store) -> None:
    def put() -> list[int]:
        return [
            put_email(delivery={"run_at": NOON + run_at, "date_time": NOON + date})
            for run_at, date in ((-MINUTE, -MINUTE), (0, 0), (MINUTE, MINUTE), (MINUTE, 0), (-2 * HOUR, 0))
        ]

    was_due, due_now, scheduled, put_off, long_due = await store.write(put)
    earlier = NOON - HOUR
    assert [one.email.id for one in await store.write(take, now=earlier)] == [long_due]
    await store.write(keep_pace, Moment(NOON - 30 * SECOND, 100.0), Moment(earlier, 130.0))
    assert {one.email.id for one in await store.write(take, now=earlier)} == {was_due, due_now}
    rows = {id_: (await store.read(deliveries_of, id_))[0] for id_ in (scheduled, put_off)}
    assert {row.state for row in rows.values()} == {"READY"}
    assert rows[scheduled].run_at == NOON + MINUTE
    assert rows[put_off].run_at == earlier + MINUTE - 1  # what the clock showed is rounded up


def waiting_times() -> tuple[dict[int, int], dict[int, int]]:
    """By email: when its files are fetched next, and when its audience is looked up."""
    fetch = {row.email_id: row.fetch_time for row in Preparation.select()}
    return fetch, {row.email_id: row.expand_time for row in Expansion.select()}


async def test_files_and_audiences_keep_pace_with_a_clock_that_was_set_back(store: Store) -> None:
    def put() -> list[int]:
        waiting = [put_waiting(fetch_time=NOON + time) for time in (-MINUTE, 0, MINUTE)]
        looked_up = [put_email(), put_email(schedule_time=NOON + HOUR), put_email(schedule_time=NOON - HOUR)]
        for email_id, time in zip([*looked_up, waiting[0]], (0, HOUR, MINUTE, 40 * HOUR), strict=True):
            Expansion.insert(email_id=email_id, tenant_id=1, expand_time=NOON + time).execute()
        return [*waiting, *looked_up]

    ids = await store.write(put)
    earlier = NOON - HOUR
    await store.write(keep_pace, Moment(NOON - 30 * SECOND, 100.0), Moment(earlier, 130.0))
    fetch, expand = await store.read(waiting_times)
    assert [fetch[id_] for id_ in ids[:3]] == [earlier, earlier, earlier + MINUTE - 1]
    # Scheduled ones keep their time, and so do those that wait for files.
    assert [expand[id_] for id_ in (*ids[3:], ids[0])] == [
        earlier, NOON + HOUR, earlier + MINUTE - 1, NOON + 40 * HOUR
    ]  # fmt: skip


async def test_files_and_audiences_stamped_ahead_are_due_now(store: Store) -> None:
    def put() -> list[int]:
        ahead, put_off = NOON + HOUR, NOON + 2 * HOUR
        ids = [put_waiting(accept_time=ahead, fetch_time=time) for time in (ahead, put_off)]
        for time in (ahead, put_off):
            ids.append(put_email(accept_time=ahead))
            Expansion.insert(email_id=ids[-1], tenant_id=1, expand_time=time).execute()
        return ids

    ids = await store.write(put)
    await store.write(bring_forward, NOON)
    fetch, expand = await store.read(waiting_times)
    assert [fetch[ids[0]], fetch[ids[1]]] == [NOON, NOON + 2 * HOUR]
    assert [expand[ids[2]], expand[ids[3]]] == [NOON, NOON + 2 * HOUR]


@pytest.mark.parametrize("ahead", [30 * SECOND, 2 * HOUR, 29_500])
async def test_a_clock_that_goes_on_or_ahead_moves_nothing(store: Store, ahead: int) -> None:
    email_id = await store.write(put_email, delivery={"run_at": NOON + 4 * HOUR})
    await store.write(keep_pace, Moment(NOON, 100.0), Moment(NOON + ahead, 130.0))
    (row,) = await store.read(deliveries_of, email_id)
    assert row.run_at == NOON + 4 * HOUR


async def test_mail_stamped_by_who_has_not_heard_yet_that_the_clock_was_set_back_is_due_now(
    store: Store,
) -> None:
    def put() -> list[int]:
        ahead, put_off = NOON + HOUR, NOON + HOUR + MINUTE
        return [
            put_email(accept_time=ahead, delivery={"run_at": ahead, "date_time": ahead}),
            put_email(accept_time=ahead, delivery={"run_at": put_off, "date_time": ahead}),
            put_email(accept_time=NOON, delivery={"run_at": ahead, "date_time": ahead}),
        ]

    stamped, put_off, scheduled = await store.write(put)
    await store.write(bring_forward, NOON)
    run_at = [(await store.read(deliveries_of, id_))[0].run_at for id_ in (stamped, put_off, scheduled)]
    assert run_at == [NOON, NOON + HOUR + MINUTE, NOON + HOUR]


async def test_a_clock_that_was_set_back_is_told_of(store: Store) -> None:
    assert await store.write(keep_pace, Moment(NOON, 100.0), Moment(NOON - HOUR, 100.0))
    assert not await store.write(keep_pace, Moment(NOON, 100.0), Moment(NOON, 100.0))
