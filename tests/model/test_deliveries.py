"""The model of delivery.md §2 against real stores."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from conftest import copy_of
from model.machine import Deliveries
from peers.postgresql import PostgresqlServer


def examine(new_database: object, *, examples: int, steps: int) -> None:
    machine = type("Examined", (Deliveries,), {"new_database": staticmethod(new_database)})
    settings = hypothesis.settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    run_state_machine_as_test(machine, settings=settings)


def test_the_promises_hold_whatever_happens_on_sqlite(
    tmp_path: Path, migrated_sqlite: Path, request: pytest.FixtureRequest
) -> None:
    serial = itertools.count()

    def new_database() -> str:
        return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / f'{next(serial)}.db')}"

    examine(new_database, examples=300 if request.config.getoption("--all") else 40, steps=40)


def test_the_promises_hold_whatever_happens_on_postgresql(
    postgresql: PostgresqlServer, migrated_postgresql: str, request: pytest.FixtureRequest
) -> None:
    made: list[str] = []

    def new_database() -> str:
        if made:
            postgresql.drop_database(made.pop())
        made.append(copy_of(migrated_postgresql, postgresql))
        return made[0]

    examine(new_database, examples=60 if request.config.getoption("--all") else 6, steps=40)
