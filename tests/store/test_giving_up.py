"""A read that nobody waits for any more gives its thread back."""

from __future__ import annotations

import asyncio

import pytest

from postroom_server.store.giving_up import Reading
from postroom_server.store.models import bound
from postroom_server.store.statement import is_postgresql
from postroom_server.store.unit import Store

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def read_for_ever() -> None:
    bound.connection().execute("SELECT pg_sleep(3600)" if is_postgresql() else ENDLESS).fetchall()


@pytest.mark.every_database
async def test_reads_that_were_given_up_do_not_stand_in_the_way(store: Store) -> None:
    endless = [asyncio.create_task(store.read(read_for_ever)) for _ in range(20)]
    await asyncio.sleep(0.2)  # most of them wait, some of them run; either must go
    for read in endless:
        read.cancel()
    await asyncio.gather(*endless, return_exceptions=True)
    async with asyncio.timeout(20):
        assert await store.read(lambda: "answered") == "answered"
        assert await store.write(lambda: "written") == "written"


@pytest.mark.every_database
async def test_closing_stops_a_read_that_would_not_end(store: Store) -> None:
    endless = asyncio.create_task(store.read(read_for_ever))
    await asyncio.sleep(0.2)
    async with asyncio.timeout(20):
        await asyncio.to_thread(store.close)
        await asyncio.gather(endless, return_exceptions=True)


def test_a_read_given_up_before_it_began_does_not_begin() -> None:
    interrupted: list[str] = []
    reading = Reading()
    reading.give_up()
    assert not reading.begin(lambda: interrupted.append("late"))
    assert interrupted == []


def test_what_has_ended_is_not_interrupted() -> None:
    interrupted: list[str] = []
    reading = Reading()
    assert reading.begin(lambda: interrupted.append("next read"))
    reading.end()
    reading.give_up()
    assert interrupted == []
