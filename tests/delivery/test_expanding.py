"""The stage that looks audiences up: who has a turn when, and what becomes of it when something fails."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import threading
from collections.abc import Callable, Iterable

import pytest

from postroom_server.delivery.expanding import Expanding, ExpandingSettings
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.unit import Store

pytestmark = pytest.mark.every_database
SETTINGS = ExpandingSettings(
    slots=4, pages_at_once=1, turn_pages=3, poll_seconds=0.005, store_pause_seconds=0.005
)


@dataclasses.dataclass(frozen=True)
class Claimed:
    email_id: int
    tenant_id: int


@dataclasses.dataclass(frozen=True)
class Taken:
    email_id: int
    goes_on: bool
    queued: int = 1


class Steps:
    """Emails with so many pages each, in the order in which they are due."""

    def __init__(self, pages: dict[Claimed, int]) -> None:
        self.pages = dict(pages)
        self.due = collections.deque(pages)
        self.taken_pages: list[int] = []  # by email
        self.followed: list[int] = []
        self.troubles: list[Exception] = []
        self.in_hand = 0
        self.most_in_hand = 0
        # Nobody has a page before a claim says that so many are in hand. Having claimed them is not enough:
        # the stage learns of that after the commit, and until then another email may have several pages.
        self.wanted_in_hand = 0
        self.held: list[set[int]] = []  # what was in hand at each claim
        self._enough = threading.Event()

    def claim(self, busy_tenants: Iterable[int], in_hand: Iterable[int]) -> Claimed | None:
        busy, held = set(busy_tenants), set(in_hand)
        self.held.append(held)
        free = (one for one in self.due if one.tenant_id not in busy and one.email_id not in held)
        found = next(free, None)
        if found is not None:
            self.due.remove(found)
            self.in_hand += 1
            self.most_in_hand = max(self.most_in_hand, self.in_hand)
        if len(held) >= self.wanted_in_hand:
            self._enough.set()
        return found

    def look_up(self, claimed: Claimed) -> Claimed | None:
        assert self._enough.wait(10)
        if self.troubles:
            self.in_hand -= 1
            self.due.append(claimed)
            raise self.troubles.pop()
        return claimed if self.pages[claimed] else None

    def take(self, step: Claimed, *, gives_way: bool) -> Taken:
        self.pages[step] -= 1
        self.taken_pages.append(step.email_id)
        goes_on = self.pages[step] > 0 and not gives_way
        self.in_hand -= not goes_on
        if gives_way and self.pages[step]:
            self.due.append(step)
        return Taken(step.email_id, goes_on)

    def taken(self, taken: Taken) -> None:
        self.followed.append(taken.email_id)


async def run(
    store: Store, steps: Steps, *, until: Callable[[], bool] | None = None, **changes: int
) -> list[int]:
    """Runs the stage until everything is looked up; how often it said that something is ready."""
    ready: list[int] = []
    settings = dataclasses.replace(SETTINGS, **changes)
    expanding = Expanding(store, steps, settings=settings, on_ready=lambda: ready.append(1))
    await expanding.start()
    async with asyncio.timeout(10):
        while not (until or (lambda: not any(steps.pages.values())))():  # noqa: ASYNC110 - of the stage
            await asyncio.sleep(0.002)
    await expanding.stop()
    return ready


async def test_every_page_is_taken_and_the_engine_is_told(store: Store) -> None:
    steps = Steps({Claimed(1, 7): 5})
    assert len(await run(store, steps)) == 5
    assert steps.taken_pages == steps.followed == [1] * 5


async def test_emails_in_hand_have_a_page_each_in_turn(store: Store) -> None:
    steps = Steps({Claimed(1, 7): 3, Claimed(2, 8): 3})
    steps.wanted_in_hand = 2
    await run(store, steps)
    assert steps.taken_pages == [1, 2, 1, 2, 1, 2]


async def test_after_a_turn_others_are_claimed(store: Store) -> None:
    steps = Steps({Claimed(1, 7): 9, Claimed(2, 8): 1})
    await run(store, steps, slots=1)
    assert steps.taken_pages == [1, 1, 1, 2, 1, 1, 1, 1, 1, 1]


async def test_no_more_are_in_hand_than_there_are_slots_and_half_of_a_tenant(store: Store) -> None:
    for tenants, most in (1, 2), (6, 4):
        steps = Steps({Claimed(number, number % tenants): 2 for number in range(6)})
        steps.wanted_in_hand = most - 1  # the claim that says so has the last one
        await run(store, steps)
        assert steps.most_in_hand == most


@pytest.mark.parametrize(
    "trouble", [Refusal(Reason.STORE_UNAVAILABLE, "away"), RuntimeError("a mistake of ours")]
)
async def test_what_fails_is_taken_up_again(store: Store, trouble: Exception) -> None:
    steps = Steps({Claimed(1, 7): 2, Claimed(2, 8): 1})
    steps.troubles = [trouble]
    await run(store, steps)
    assert sorted(steps.taken_pages) == [1, 1, 2]


@pytest.mark.parametrize(
    "trouble", [Refusal(Reason.STORE_UNAVAILABLE, "away"), RuntimeError("a mistake of ours")]
)
async def test_a_claim_that_fails_is_tried_again(
    store: Store, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps({Claimed(1, 7): 1})
    claim, troubles = steps.claim, [trouble]

    def once(busy: Iterable[int], in_hand: Iterable[int]) -> Claimed | None:
        if troubles:
            raise troubles.pop()
        return claim(busy, in_hand)

    monkeypatch.setattr(steps, "claim", once)
    await run(store, steps)
    assert steps.taken_pages == [1]


async def test_what_is_in_hand_is_not_claimed_again_however_long_a_page_takes(store: Store) -> None:
    one = Claimed(1, 7)
    steps = Steps({one: 1})
    steps.wanted_in_hand = 2  # the page takes until a second email is in hand
    settings = dataclasses.replace(SETTINGS, poll_seconds=0.001)
    expanding = Expanding(store, steps, settings=settings, on_ready=lambda: None)
    await expanding.start()
    async with asyncio.timeout(10):
        while {1} not in steps.held:  # noqa: ASYNC110 - of the stage
            await asyncio.sleep(0.002)
        steps.due.append(one)  # its claim has run out meanwhile
        asked = len(steps.held)
        while len(steps.held) < asked + 3:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.002)
        assert steps.due == collections.deque([one])
        other = Claimed(2, 8)
        steps.pages[other] = 1
        steps.due.append(other)
        while any(steps.pages.values()):  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.002)
    await expanding.stop()
    assert sorted(steps.taken_pages) == [1, 2]


async def test_a_stop_ends_behind_the_page_under_way(store: Store) -> None:
    steps = Steps({Claimed(1, 7): 100_000})
    await run(store, steps, turn_pages=100_000, until=lambda: len(steps.taken_pages) >= 3)
    taken = len(steps.taken_pages)
    assert 3 <= taken < 100_000
    assert len(steps.followed) == taken


async def test_a_wake_is_heard_at_once_and_from_any_thread(store: Store) -> None:
    steps = Steps({})
    settings = dataclasses.replace(SETTINGS, poll_seconds=600)
    expanding = Expanding(store, steps, settings=settings, on_ready=lambda: None)
    expanding.wake()  # before it runs: nobody is there to hear it
    await expanding.start()
    one = Claimed(1, 7)
    steps.pages[one] = 1
    steps.due.append(one)
    async with asyncio.timeout(10):
        await asyncio.to_thread(expanding.wake)
        while not steps.taken_pages:  # noqa: ASYNC110 - it is true of the stage
            await asyncio.sleep(0.002)
    await expanding.stop()


async def test_a_stage_that_never_began_stops_at_once(store: Store) -> None:
    await Expanding(store, Steps({}), settings=SETTINGS, on_ready=lambda: None).stop()
