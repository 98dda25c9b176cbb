"""A line to PostgreSQL that stands still when told to, without an error on either side, and goes on later."""

from __future__ import annotations

import asyncio

from peers.postgresql_line import PostgresqlLine


class FreezingProxy(PostgresqlLine):
    def __init__(self, database: str) -> None:
        super().__init__(database)
        self._moves = asyncio.Event()
        self._moves.set()

    def freeze(self) -> None:
        self._moves.clear()

    def go_on(self) -> None:
        self._moves.set()

    async def asked(self, data: bytes) -> None:
        await self._moves.wait()

    async def answered(self, data: bytes) -> None:
        await self._moves.wait()
