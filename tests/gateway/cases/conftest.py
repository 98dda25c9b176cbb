"""Databases and transports that last for a file of cases: a server for each case would take too long."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from conftest import copy_of
from gateway.stage import Stages


@pytest.fixture(scope="module", params=["local", "socket"])
def transport(request: pytest.FixtureRequest) -> str:
    """What is between the dialects and the services; HTTP is always a real socket."""
    return str(request.param)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path_factory.mktemp('cases') / 'postroom.db')}"
        return
    server = request.getfixturevalue("postgresql")
    url = copy_of(request.getfixturevalue("migrated_postgresql"), server)
    yield url
    server.drop_database(url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stages(database: str, transport: str) -> AsyncIterator[Stages]:
    stages = Stages(database, transport)
    yield stages
    await stages.close()
