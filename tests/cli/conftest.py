"""A runner of commands against a server of canned answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from peers.canned_server import CannedServer, Postroom, listening_server
from postroom_server.cli import main


@pytest.fixture
def server() -> Iterator[CannedServer]:
    with listening_server() as server:
        yield server


@pytest.fixture
def postroom(server: CannedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Postroom:
    """Runs a command against the server, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTROOM_TARGET", server.target)
    monkeypatch.setenv("POSTROOM_TOKEN", "secret")

    def run(*arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(main, arguments, **options)

    return run
