"""Room for more mail: the tenant's backlog and the disk (security.md E6)."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from accepting import Accepting, draft
from fakes import ManualClock
from peers.configuration import ACME, AUTHOR, OTHER, STRANGER
from postroom_server.mail.accept import Accepted
from postroom_server.mail.admission import Admission
from postroom_server.mail.caller import Caller
from postroom_server.mail.changes import Changes
from postroom_server.mail.limits import Limits
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Email
from postroom_server.store.opening import OpenDatabase


async def filled(opened: OpenDatabase, limits: Limits, data_folder: Path | None = None) -> Accepting:
    made = Accepting(opened, limits, data_folder)
    await made.fill()
    await made.add_server()
    await made.add_server(OTHER)
    return made


async def refusal_of(world: Accepting, caller: Caller = AUTHOR, count: int = 1) -> Refusal:
    before = await world.counts()
    outcomes = await world.accept_many([draft() for _ in range(count)], caller)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert len(refused) == count
    assert await world.counts() == before
    return refused[0]


async def test_e6_a_tenant_may_have_as_many_waiting_as_its_limit(opened: OpenDatabase) -> None:
    world = await filled(opened, Limits(pending_per_tenant=3))
    await world.accept(draft())
    await world.accept_many([draft(), draft()])
    refusal = await refusal_of(world)
    assert (refusal.reason, refusal.metadata) == (Reason.BACKLOG_FULL, {"pending": "3", "limit": "3"})
    assert refusal.retry_after is not None
    # The others are not held up.
    await world.accept(draft(), STRANGER)


async def test_e6_a_batch_that_does_not_fit_is_refused_for_the_backlog(opened: OpenDatabase) -> None:
    world = await filled(opened, Limits(pending_per_tenant=3))
    await world.accept_many([draft(), draft()])
    assert (await refusal_of(world, count=2)).reason is Reason.BACKLOG_FULL
    assert isinstance(await world.accept(draft()), Accepted)


@pytest.mark.parametrize("limit", [0, 1])
async def test_a_tenants_own_limit_goes_before_the_settings(opened: OpenDatabase, limit: int) -> None:
    world = await filled(opened, Limits(pending_per_tenant=5))
    await world.change_tenant(limits={"max_pending_emails": limit})
    for _ in range(limit):
        await world.accept(draft())
    assert (await refusal_of(world)).metadata["limit"] == str(limit)
    await world.change_tenant(limits={"max_pending_emails": 7})
    for _ in range(7 - limit):
        await world.accept(draft())
    assert (await refusal_of(world)).metadata == {"pending": "7", "limit": "7"}


async def test_what_was_settled_makes_room_again_within_a_second(opened: OpenDatabase) -> None:
    world = await filled(opened, Limits(pending_per_tenant=1))
    first = await world.accept(draft())
    await refusal_of(world)
    changes = Changes(world.clock, Limits())
    await world.store.write(changes.cancel, ACME, first.id)
    await refusal_of(world)
    world.clock.advance(1001)
    await world.accept(draft())


async def test_mail_that_other_processes_accepted_counts_within_a_minute(opened: OpenDatabase) -> None:
    world = await filled(opened, Limits(pending_per_tenant=3))
    await world.accept(draft())
    elsewhere = Admission(world.clock, Limits(pending_per_tenant=3), data_folder=None)
    await world.accept(draft())
    await world.store.write(lambda: elsewhere.check(ACME, 1, None))
    await world.accept(draft())
    # It has not heard of the third yet.
    await world.store.write(lambda: elsewhere.check(ACME, 1, None))
    world.clock.advance(60_001)
    with pytest.raises(Refusal):
        await world.store.write(lambda: elsewhere.check(ACME, 1, None))


async def test_deleted_and_settled_mail_does_not_wait(opened: OpenDatabase) -> None:
    world = await filled(opened, Limits(pending_per_tenant=2))
    await world.accept_many([draft(), draft()])

    def settle() -> None:
        Email.update(state="SUCCESS").where(Email.id == Email.select(Email.id).limit(1)).execute()

    await world.store.write(settle)
    world.clock.advance(1001)
    await world.accept(draft())
    await refusal_of(world)


def _disk(free: int) -> Any:
    return SimpleNamespace(f_bavail=free, f_frsize=1)


async def test_e6_nothing_is_accepted_when_the_disk_is_nearly_full(
    opened: OpenDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [100]
    monkeypatch.setattr(os, "statvfs", lambda _: _disk(free[0]))
    world = await filled(opened, Limits(min_free_disk_bytes=100), tmp_path)
    await world.accept(draft())
    free[0] = 99
    world.clock.advance(1000)
    refusal = await refusal_of(world)
    assert (refusal.reason, refusal.code) == (Reason.DISK_FULL, "UNAVAILABLE")
    assert refusal.metadata == {"free_bytes": "99", "least_bytes": "100"}
    assert refusal.retry_after is not None
    free[0] = 100
    await world.accept(draft())


async def test_the_disk_is_asked_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def statvfs(path: Path) -> Any:
        asked.append(path)
        return _disk(1)

    monkeypatch.setattr(os, "statvfs", statvfs)
    clock = ManualClock()
    admission = Admission(clock, Limits(min_free_disk_bytes=1), data_folder=tmp_path)
    for _ in range(5):
        admission.check_disk()
    clock.advance(1000)
    admission.check_disk()
    assert asked == [tmp_path, tmp_path]
