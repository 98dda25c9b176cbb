"""What the tests of a conversation share: both event loops, and certificates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from peers.certificates import Certificates, issue


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The service runs on uvloop; Python's own loop keeps us honest."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"), "127.0.0.1", other_host="elsewhere.test")
