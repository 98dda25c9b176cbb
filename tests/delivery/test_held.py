"""Held mail waits for somebody to release it, but not for ever."""

from __future__ import annotations

import pytest

from delivery.ledgers import delivery, email, put_and_take, recipient_states
from fakes import NOON
from postroom_server.clock import MINUTE
from postroom_server.delivery.held import expire_held
from postroom_server.store.models import Delivery
from postroom_server.store.unit import Store


def hold(delivery_id: int, expire_time: int, state: str = "HELD") -> None:
    Delivery.update(state=state, lease_owner=None, expire_time=expire_time).where(
        Delivery.id == delivery_id
    ).execute()


@pytest.mark.every_database
async def test_held_mail_ends_when_its_time_is_over(store: Store) -> None:
    one = await store.write(put_and_take)
    await store.write(hold, one.id, NOON + MINUTE)
    assert await store.write(expire_held, NOON + MINUTE - 1) == 0
    assert await store.write(expire_held, NOON + MINUTE) == 1
    assert (await store.read(delivery, one.id))["state"] == "DONE"
    assert set(await store.read(recipient_states, one.id)) == {"EXPIRED"}
    ended = await store.read(email, one.email.id)
    assert (ended["state"], ended["open_count"], ended["expired_count"]) == ("FAILURE", 0, 1)
    assert await store.write(expire_held, NOON + MINUTE) == 0


@pytest.mark.parametrize("state", ["READY", "LEASED", "PREPARING", "DONE"])
async def test_other_mail_is_left_to_the_engine(store: Store, state: str) -> None:
    one = await store.write(put_and_take)
    await store.write(hold, one.id, NOON, state)
    assert await store.write(expire_held, NOON + MINUTE) == 0
    assert (await store.read(delivery, one.id))["state"] == state
