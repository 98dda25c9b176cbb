"""Accepts mail again once its template is compiled, or tried, where that takes too long in accepting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from postroom_server.refusals import Refusal
from postroom_server.store.known import Memory
from postroom_server.store.unit import Store
from postroom_server.store.versions import NotReady

I = TypeVar("I")  # noqa: E741 - what is accepted
T = TypeVar("T")

# Compiled, then tried. More often only where so many templates are in use that one has been dropped again.
_ROUNDS = 4


class CompiledFirst:
    def __init__(self, store: Store, memory: Memory) -> None:
        self._store = store
        self._memory = memory

    async def one(self, accept: Callable[[], Awaitable[T]]) -> T:
        for _ in range(_ROUNDS):
            try:
                return await accept()
            except NotReady as waiting:
                await self._store.read(self._memory.prepare, waiting)
        return await accept()

    async def each(
        self, items: Sequence[I], accept: Callable[[Sequence[I]], Awaitable[Sequence[T | Refusal]]]
    ) -> list[T | Refusal]:
        """The outcome of each item, in order. Those that have to wait are accepted behind the others."""
        outcomes = list(await accept(items))
        for _ in range(_ROUNDS):
            places = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, NotReady)]
            if not places:
                break
            # Many items may wait for the same.
            waiting = {one.awaited: one for one in outcomes if isinstance(one, NotReady)}
            for one in waiting.values():
                await self._store.read(self._memory.prepare, one)
            for i, outcome in zip(places, await accept([items[i] for i in places]), strict=True):
                outcomes[i] = outcome
        return outcomes
