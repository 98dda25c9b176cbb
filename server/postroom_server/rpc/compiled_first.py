"""Accepts mail again once its template is compiled, where that is too long to be compiled in accepting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from postroom_server.refusals import Refusal
from postroom_server.store.known import Memory
from postroom_server.store.unit import Store
from postroom_server.store.versions import NotCompiled

I = TypeVar("I")  # noqa: E741 - what is accepted
T = TypeVar("T")

# More than once only where so many long templates are in use that one has been dropped again.
_ROUNDS = 4


class CompiledFirst:
    def __init__(self, store: Store, memory: Memory) -> None:
        self._store = store
        self._memory = memory

    async def one(self, accept: Callable[[], Awaitable[T]]) -> T:
        for _ in range(_ROUNDS):
            try:
                return await accept()
            except NotCompiled as missing:
                await self._store.read(self._memory.version, missing.version_id)
        return await accept()

    async def each(
        self, items: Sequence[I], accept: Callable[[Sequence[I]], Awaitable[Sequence[T | Refusal]]]
    ) -> list[T | Refusal]:
        """The outcome of each item, in order. Those that have to wait are accepted behind the others."""
        outcomes = list(await accept(items))
        for _ in range(_ROUNDS):
            missing = {outcome.version_id for outcome in outcomes if isinstance(outcome, NotCompiled)}
            if not missing:
                break
            for version_id in sorted(missing):
                await self._store.read(self._memory.version, version_id)
            places = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, NotCompiled)]
            for i, outcome in zip(places, await accept([items[i] for i in places]), strict=True):
                outcomes[i] = outcome
        return outcomes
