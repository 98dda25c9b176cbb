"""The database goes away: stopped, cut off in COMMIT, or out of space."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg

from faults.balance import balance
from faults.ledger import traffic, wait_for
from faults.outcome import Outcome
from faults.processes import watched
from faults.proxy import CuttingProxy
from peers.postgresql import PostgresqlServer

MEGABYTE = 1 << 20


async def restarted(
    folder: Path, server: PostgresqlServer, *, seconds: tuple[float, ...], crash: bool = False
) -> Outcome:
    """Stops PostgreSQL under traffic for so many seconds each time; the process outlives that.

    With a crash it syncs nothing when it stops, and recovers from its log when it starts.
    """
    async with watched(folder, server.new_database()) as ([process], _, ledger):
        async with traffic(ledger, pause=0.01):
            for pause in seconds:
                await ledger.until_handed(ledger.handed + 20)
                refused = len(ledger.refusals)
                await asyncio.to_thread(_crash if crash else PostgresqlServer.stop, server)
                await wait_for(lambda refused=refused: len(ledger.refusals) > refused)
                await asyncio.sleep(pause)
                await asyncio.to_thread(server.start, fsync=True)
                await ledger.until_handed(ledger.handed + 20)
        found = await balance(ledger)
        assert process.is_running
        assert await process.stop() == 0
    how = "PostgreSQL crashes and recovers" if crash else "PostgreSQL is stopped and started"
    return Outcome(how, f"{len(seconds)} times", found, ledger.said)


async def cut_in_commit(folder: Path, database: str, chance: random.Random, *, cuts: int) -> Outcome:
    """Cuts the process's connections after a COMMIT was sent, before its answer came."""
    async with (
        CuttingProxy(database, chance) as proxy,
        watched(folder, database, through=proxy.url) as ([process], _, ledger),
    ):
        async with traffic(ledger, pause=0.01):
            await ledger.until_handed(20)
            proxy.share = 0.03
            await wait_for(lambda: proxy.cuts >= cuts, 30 + cuts)
            proxy.share = 0.0
        found = await balance(ledger)
        assert process.is_running
        assert await asyncio.to_thread(_noted_twice, database) == 0
    return Outcome("connections to PostgreSQL cut in COMMIT", f"{proxy.cuts} cuts", found)


async def disk_full(folder: Path, *, times: int) -> Outcome:
    """Leaves SQLite no space under traffic, and gives it some again; on a disk of its own, where allowed."""
    with small_disk(folder) as disk:
        database = f"sqlite:///{disk.folder}/postroom.db"
        settings = {"POSTROOM_LIMIT_MIN_FREE_DISK_BYTES": "0"}
        async with watched(folder, database, **settings) as ([process], _, ledger):
            async with traffic(ledger, pause=0.01):
                for _ in range(times):
                    await ledger.until_handed(ledger.handed + 50)
                    refused = len(ledger.refusals)
                    disk.fill(process.pid)
                    await wait_for(lambda refused=refused: len(ledger.refusals) > refused + 20)
                    await asyncio.sleep(1.0)
                    disk.empty(process.pid)
                    await ledger.until_handed(ledger.handed + 50)
            found = await balance(ledger)
            assert process.is_running
    return Outcome(f"disk full ({disk.how})", f"{times} times", found, ledger.said)


class SmallDisk:
    """A tmpfs that is filled up with a file beside the database."""

    how = "a small tmpfs"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, pid: int) -> None:
        with (self.folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(65536))

    def empty(self, pid: int) -> None:
        (self.folder / "filler").unlink()


class SmallFiles(SmallDisk):
    """What anybody may do: the process may write no file beyond the size that its files have already."""

    how = "RLIMIT_FSIZE"

    def fill(self, pid: int) -> None:
        size = max(file.stat().st_size for file in self.folder.glob("postroom.db*"))
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))

    def empty(self, pid: int) -> None:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    place = folder / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        yield SmallFiles(place)
        return
    try:
        yield SmallDisk(place)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _crash(server: PostgresqlServer) -> None:
    """The immediate shutdown."""
    postmaster = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGQUIT)
    server.stop()  # it waits for the end


def _noted_twice(database: str) -> int:
    """Transactions that are told twice."""
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM attempt"
            " GROUP BY delivery_id, server_id, start_time, end_time, outcome, phase HAVING count(*) > 1) AS a"
        ).fetchone()
    assert row is not None
    return int(row[0])
