"""Units of work that tests put in, and a hold on the store while they decide what happens meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

from postroom_server.store.models import Fact
from postroom_server.store.unit import Store

NAMES = "SELECT name FROM fact WHERE name LIKE 't.%' ORDER BY name"  # what `names` reads, for `outside`
PATIENCE = 10  # seconds; a test that waits this long has failed


def put(name: str, value: str = "") -> str:
    Fact.insert(name=name, value=value).execute()
    return value or name


def names() -> list[str]:
    return [fact.name for fact in Fact.select().where(Fact.name.startswith("t.")).order_by(Fact.name)]


@contextlib.asynccontextmanager
async def held(store: Store) -> AsyncIterator[None]:
    """Occupies one connection; on SQLite the writer, so that what is queued meanwhile is the next group."""
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        assert go_on.wait(PATIENCE)

    holding = asyncio.create_task(store.write(hold))
    assert await asyncio.to_thread(begun.wait, PATIENCE)
    try:
        yield
    finally:
        go_on.set()
        await holding


async def as_one_group(store: Store, *units: Callable[[], Any]) -> list[Any]:
    """Runs the units in one group, in this order; each one's result, or what it raised."""
    async with held(store):
        writing = [asyncio.create_task(store.write(unit)) for unit in units]
        await asyncio.sleep(0)
    return await asyncio.gather(*writing, return_exceptions=True)


def putting(name: str) -> Callable[[], str]:
    return functools.partial(put, name)
