"""The stage that looks audiences up in the background: several at a time, a page of each in turn."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from postroom_server.delivery.stage import Claimed, Stage, StageSettings
from postroom_server.failpoints import reach
from postroom_server.store.unit import Store


class Taken(Protocol):
    @property
    def goes_on(self) -> bool:
        """Whether the next step of the same email may follow at once."""

    @property
    def queued(self) -> int:
        """How many copies came to wait for the engine."""


class Steps(Protocol):
    """What a look-up is made of; mail/audience_expansion.py has it.

    `claim`, never of an email that is in hand, and `take` are units of work; `look_up` is one that only
    reads, and says what step is to be taken; `taken` follows its commit.
    """

    def claim(self, busy_tenants: Iterable[int], in_hand: Iterable[int]) -> Claimed | None: ...
    def look_up(self, claimed: Any) -> Any: ...
    def take(self, step: Any, *, gives_way: bool) -> Taken: ...
    def taken(self, taken: Any) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExpandingSettings(StageSettings):
    pages_at_once: int = 2
    turn_pages: int = 20  # of one email, then others have their turn


class Expanding:
    """Runs in the event loop of its process. `wake` may be called from any thread."""

    def __init__(
        self, store: Store, steps: Steps, *, settings: ExpandingSettings, on_ready: Callable[[], None]
    ) -> None:
        self._store = store
        self._steps = steps
        self._settings = settings
        self._on_ready = on_ready
        # First come, first served: whoever has had a page queues behind the others.
        self._pages = asyncio.Semaphore(settings.pages_at_once)
        self._stage = Stage("expanding", claim=self._claim, work=self._expand, settings=settings)

    async def start(self) -> None:
        self._stage.start()

    def wake(self) -> None:
        """Says that something may be due. Cheap; safe from any thread."""
        self._stage.wake()

    async def stop(self) -> None:
        """Stops claiming, and returns when the pages under way are written."""
        in_hand = await self._stage.stop_claiming()
        await asyncio.gather(*in_hand.values(), return_exceptions=True)

    async def _claim(self, busy_tenants: list[int], in_hand: list[int]) -> Claimed | None:
        return await self._store.write(self._steps.claim, busy_tenants, in_hand)

    async def _expand(self, claimed: Claimed) -> None:
        """One email's turn: a few pages, or until there are no more."""
        for left in reversed(range(self._settings.turn_pages)):
            async with self._pages:
                if not await self._page(claimed, gives_way=left == 0 or self._stage.is_stopping):
                    return
            if self._stage.is_stopping:
                return

    async def _page(self, claimed: Claimed, *, gives_way: bool) -> bool:
        """One page; False when there is nothing more to do for now."""
        step = await self._store.read(self._steps.look_up, claimed)
        if step is None:
            return False
        take = functools.partial(self._steps.take, step, gives_way=gives_way)
        return (await self._store.write_then(self._after, take)).goes_on

    def _after(self, taken: Taken) -> None:
        """Follows a commit, on a thread of the store."""
        reach("after_expansion_commit")
        self._steps.taken(taken)
        if taken.queued:
            self._on_ready()
