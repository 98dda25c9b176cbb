"""Every scenario in its long form, as `make faults` runs it, and in a quick one."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from faults.outcome import Outcome
from faults.processes import BESIDE
from faults.scenarios import clocks, crowds, database, expansion, kills, power, restarts, servers
from peers.postgresql import PostgresqlServer

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


@dataclasses.dataclass(frozen=True)
class Ground:
    """What a run stands on: a folder of its own, a fresh database, and its chance."""

    folder: Path
    database: str
    postgresql: PostgresqlServer
    chance: random.Random


@dataclasses.dataclass(frozen=True)
class Run:
    """`play` is given the share of the long form that is wanted: 1, or less for a quick look."""

    name: str
    store: str
    play: Callable[[Ground, Callable[[int], int]], Awaitable[Outcome]]


def _runs_on(store: str) -> list[Run]:
    """What can happen on either store."""
    return [
        Run("kills", store, lambda on, n: kills.at_random(*_at(on), kills=n(200), count=1)),
        Run("failpoints", store, lambda on, n: kills.at_failpoints(*_at(on), rounds=n(3))),
        Run("kills-beside", store, lambda on, n: kills.at_random(*_at(on), kills=n(40), count=1, **BESIDE)),
        Run("failpoints-beside", store, lambda on, n: kills.at_failpoints(*_at(on), rounds=n(2), **BESIDE)),
        Run("senders", store, lambda on, n: kills.of_senders(*_at(on), kills=n(40))),
        Run(
            "never-twice-beside", store, lambda on, n: kills.never_twice(*_at(on), kills=n(24), **BESIDE)
        ),
        Run("poison-beside", store, lambda on, n: kills.poison(*_at(on), others=n(200), **BESIDE)),
        Run("never-twice", store, lambda on, n: kills.never_twice(*_at(on), kills=n(24))),
        Run("expansion", store, _expansion),
        Run("poison", store, lambda on, n: kills.poison(*_at(on), others=n(200))),
        Run("dying", store, lambda on, n: servers.dying(on.database, mails=n(40))),
        *(
            Run(way.replace(" ", "-"), store, _two_of_three(way))
            for way in servers.WAYS
        ),
        Run("tarpit", store, lambda on, n: servers.tarpit(on.folder, on.database, mails=n(1000))),
        Run("connections", store, lambda on, n: crowds.flood(on.folder, on.database, connections=n(800))),
        Run("calls", store, lambda on, n: crowds.calls(on.folder, on.database, count=n(5000))),
        Run("clock", store, lambda on, n: clocks.jumps(on.database, on.chance, count=n(18))),
        Run("urgent", store, _urgent),
    ]  # fmt: skip


def _expansion(on: Ground, n: Callable[[int], int]) -> Awaitable[Outcome]:
    return expansion.killed(on.folder, on.database, members=n(6000), kills=n(10))


def _two_of_three(way: str) -> Callable[[Ground, Callable[[int], int]], Awaitable[Outcome]]:
    return lambda on, n: servers.two_of_three(on.database, way, mails=n(200))


def _urgent(on: Ground, n: Callable[[int], int]) -> Awaitable[Outcome]:
    return crowds.urgent(on.folder, on.database, backlog=n(100_000), mails=n(200), within_seconds=1.0)


def _at(on: Ground) -> tuple[Path, str, random.Random]:
    return on.folder, on.database, on.chance


RUNS = (
    *_runs_on(SQLITE),
    Run("power", SQLITE, lambda on, n: power.synced(on.folder, on.database, single=n(100), batches=n(20))),
    Run("disk-full", SQLITE, lambda on, n: database.disk_full(on.folder, times=n(4))),
    *_runs_on(POSTGRESQL),
    Run("kills-of-three", POSTGRESQL, lambda on, n: kills.at_random(*_at(on), kills=n(40), count=3)),
    Run("rolling", POSTGRESQL, lambda on, n: restarts.rolling(on.folder, on.database, rounds=n(20))),
    Run(
        "rolling-beside",
        POSTGRESQL,
        lambda on, n: restarts.rolling(on.folder, on.database, rounds=n(10), **BESIDE),
    ),
    Run(
        "held-still-beside",
        POSTGRESQL,
        lambda on, n: restarts.held_still(*_at(on), stops=n(8), **BESIDE),
    ),
    Run("held-still", POSTGRESQL, lambda on, n: restarts.held_still(*_at(on), stops=n(8))),
    Run("cut-in-commit", POSTGRESQL, lambda on, n: database.cut_in_commit(*_at(on), cuts=n(100))),
    Run(
        "postgresql-stops",
        POSTGRESQL,
        lambda on, n: database.restarted(on.folder, on.postgresql, seconds=(0.5, 4.0) * n(4)),
    ),
    Run(
        "postgresql-crashes",
        POSTGRESQL,
        lambda on, n: database.restarted(on.folder, on.postgresql, seconds=(0.5, 2.0) * n(4), crash=True),
    ),
)
