"""A line to PostgreSQL that is cut in the worst moment: after the COMMIT was sent, before its answer."""

from __future__ import annotations

import random

from peers.postgresql_line import Cut, PostgresqlLine

# What PostgreSQL answers when it has committed: CommandComplete, its length, and the tag.
_COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"


class CuttingProxy(PostgresqlLine):
    """`share` of the commits lose their answer."""

    def __init__(self, database: str, chance: random.Random) -> None:
        super().__init__(database)
        self._chance = chance
        self.share = 0.0
        self.cuts = 0

    async def answered(self, data: bytes) -> None:
        if _COMMITTED in data and self._chance.random() < self.share:
            # It is committed, and whoever asked for it will never know.
            self.cuts += 1
            raise Cut
