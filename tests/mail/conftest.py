"""What the tests of plans share: the queries that a list runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from postroom_server.store import pages
from postroom_server.store.models import bound
from postroom_server.store.statement import Statement


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Sequence[Any]]]:
    """Every query that a list builds and runs, with its values."""
    seen: list[tuple[str, Sequence[Any]]] = []
    execute = Statement.execute

    def watched(query: Any) -> Any:
        seen.append(query.sql())
        return list(bound.connection().execute(*query.sql()).fetchall())

    def execute_watched(self: Statement, **given: Any) -> Any:
        seen.append((self.text(), self.values(**given)))
        return execute(self, **given)

    monkeypatch.setattr(pages, "rows_of", watched)
    monkeypatch.setattr(Statement, "execute", execute_watched)
    return seen
