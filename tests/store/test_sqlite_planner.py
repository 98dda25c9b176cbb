"""SQLite's planner: a statement is planned once, whatever is bound to it."""

from __future__ import annotations

import apsw
import pytest

from postroom_server.store.models import bound
from postroom_server.store.unit import Store


@pytest.fixture
def database(sqlite_database: str) -> str:
    return sqlite_database


@pytest.mark.parametrize("access", ["read", "write"])
async def test_it_does_not_look_at_bound_values(store: Store, access: str) -> None:
    def is_told() -> bool:
        return bool(bound.connection().config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, -1))

    assert await getattr(store, access)(is_told)
