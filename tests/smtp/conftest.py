"""What the tests of a conversation share: both event loops, and certificates."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The service runs on uvloop; Python's own loop keeps us honest."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@dataclasses.dataclass(frozen=True)
class Certificates:
    """An authority that clients trust, a server certificate of its making, and one of somebody else's."""

    ca_file: str
    server: ssl.SSLContext
    stranger: ssl.SSLContext
    other_host: ssl.SSLContext


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder: Path = tmp_path_factory.mktemp("certificates")
    trusted, unknown = trustme.CA(), trustme.CA()
    trusted.cert_pem.write_to_path(str(folder / "ca.pem"))

    def server(authority: trustme.CA, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        return context

    return Certificates(
        ca_file=str(folder / "ca.pem"),
        server=server(trusted, "127.0.0.1"),
        stranger=server(unknown, "127.0.0.1"),
        other_host=server(trusted, "elsewhere.test"),
    )
