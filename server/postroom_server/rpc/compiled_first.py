"""Accepts mail again once its template is compiled, or tried, where that takes too long in accepting."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from postroom_server.refusals import Reason, Refusal
from postroom_server.rpc.call import running
from postroom_server.store.known import Memory
from postroom_server.store.unit import Store
from postroom_server.store.versions import NotReady


class _NoTurn(Refusal):
    """Too many of a tenant's templates are being made ready."""

    def __init__(self) -> None:
        super().__init__(
            Reason.OVERLOADED,
            f"{_AT_A_TIME} of the tenant's templates are being made ready already; try again",
            retry_after=timedelta(seconds=1),
        )


I = TypeVar("I")  # noqa: E741 - what is accepted
T = TypeVar("T")

# Compiled, then tried. More often only where so many templates are in use that one has been dropped again.
_ROUNDS = 4


# Of one tenant in this process, so that slow templates of its own leave threads to others.
_AT_A_TIME = 2
# Where a call says nothing of its deadline; and what of that is left to answer.
_PATIENCE = 10.0
_TIME_TO_ANSWER = 0.5

_Turns = dict[int | None, asyncio.Semaphore]
# Of all that accept with the same memory: of the process.
_turns: weakref.WeakKeyDictionary[Memory, _Turns] = weakref.WeakKeyDictionary()


class CompiledFirst:
    def __init__(self, store: Store, memory: Memory) -> None:
        self._store = store
        self._memory = memory
        self._turns = _turns.setdefault(memory, {})

    async def one(self, accept: Callable[[], Awaitable[T]]) -> T:
        for _ in range(_ROUNDS):
            try:
                return await accept()
            except NotReady as waiting:
                await self._prepare(waiting)
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
            try:
                for one in waiting.values():
                    await self._prepare(one)
            except _NoTurn:
                # They are refused, the others are not.
                break
            for i, outcome in zip(places, await accept([items[i] for i in places]), strict=True):
                outcomes[i] = outcome
        return outcomes

    async def _prepare(self, waiting: NotReady) -> None:
        """Does what is waited for, in a turn of the tenant's. Raises a Refusal when none comes in time."""
        call = running.get(None)
        tenant = None if call is None or call.caller is None else call.caller.tenant_id
        left = None if call is None else call.context.time_remaining()
        turn = self._turns.setdefault(tenant, asyncio.Semaphore(_AT_A_TIME))
        try:
            async with asyncio.timeout(_PATIENCE if left is None else max(left - _TIME_TO_ANSWER, 0)):
                await turn.acquire()
        except TimeoutError:
            raise _NoTurn from None
        task = asyncio.ensure_future(self._store.read(self._memory.prepare, waiting))

        def is_over(_: object) -> None:
            turn.release()
            if not task.cancelled():
                # Somebody who went away asks for no error.
                task.exception()

        # A caller may leave; the thread goes on, and so does its turn.
        task.add_done_callback(is_over)
        await asyncio.shield(task)
