"""Loops for tests of HTTP's own sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The service runs on uvloop; Python's own loop keeps us honest."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
