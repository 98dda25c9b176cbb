"""A server that cannot start says why in one line, and exits with 1."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from faults.processes import PATIENCE, POSTROOM, environment, processes

pytestmark = pytest.mark.faults


def fails(folder: Path, database: str, **settings: str) -> str:
    """What a server that cannot start says."""
    done = subprocess.run(
        [POSTROOM, "serve"],
        cwd=folder,
        env=environment(database, **settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    return done.stderr


async def test_a_second_process_on_one_sqlite_file(sqlite_database: str, tmp_path: Path) -> None:
    async with processes(tmp_path, sqlite_database, []):
        said = fails(tmp_path, sqlite_database, POSTROOM_GRPC_ADDRESS="127.0.0.1:0")
    assert "is served by another Postroom process" in said


@pytest.mark.parametrize(
    "database", ["postgresql://postgres@127.0.0.1:1/none", "postgresql://postgres@/none?host=/nowhere"]
)
def test_an_unreachable_database(database: str, tmp_path: Path) -> None:
    assert fails(tmp_path, database, POSTROOM_GRPC_ADDRESS="127.0.0.1:0").startswith(
        "postroom: cannot open the database postgresql://postgres@"
    )


def test_plaintext_beyond_loopback_is_refused_with_the_way_out(tmp_path: Path) -> None:
    said = fails(tmp_path, f"sqlite:///{tmp_path}/new.db", POSTROOM_GRPC_ADDRESS="0.0.0.0:0")
    assert "reachable from other machines" in said
    assert "grpc_tls_cert" in said
    assert "grpc_plaintext_ok" in said
    assert not (tmp_path / "new.db").exists()
