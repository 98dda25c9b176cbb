"""Requests are remembered for as long as the setting says, and no longer."""

from __future__ import annotations

import pytest

from fakes import NOON, ManualClock
from postroom_server.clock import HOUR
from postroom_server.mail import idempotency
from postroom_server.mail.housekeeping import Housekeeping, forget_requests
from postroom_server.mail.limits import Limits
from postroom_server.store.models import Idempotency
from postroom_server.store.unit import Store

KEPT = Limits().idempotency


def remember(*request_ids: str, time: int, tenant_id: int = 1) -> None:
    rows = [(request_id, b"print", {"id": 7}) for request_id in request_ids]
    idempotency.remember(tenant_id, "SendEmail", rows, time)


def remembered() -> set[str]:
    return {row.request_id for row in Idempotency.select()}


@pytest.mark.every_database
async def test_what_was_remembered_long_enough_is_forgotten(store: Store) -> None:
    clock = ManualClock()
    await store.write(remember, "old", time=NOON - KEPT - 1)
    await store.write(remember, "at the limit", time=NOON - KEPT)
    await store.write(remember, "young", time=NOON - HOUR)

    await Housekeeping(store, clock, Limits()).tidy()

    assert await store.read(remembered) == {"at the limit", "young"}


@pytest.mark.every_database
async def test_a_long_list_is_forgotten_in_short_units(store: Store) -> None:
    ids = [f"request '{i}'" for i in range(750)]
    await store.write(remember, *ids[:600], time=NOON - KEPT - 1)
    await store.write(remember, *ids[600:], time=NOON - KEPT - 1, tenant_id=2)

    assert await store.write(forget_requests, NOON - KEPT) == 500
    assert len(await store.read(remembered)) == 250
    await Housekeeping(store, ManualClock(), Limits()).tidy()

    assert await store.read(remembered) == set()
