"""What the tests of fetching share: both event loops, certificates, and fetchers that may reach loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import uvloop

from peers.certificates import Certificates, issue
from postroom_server.fetch import Fetcher, IpAddress, Rules, Timeouts, is_denied

HOST = "files.example.com"


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The service runs on uvloop; Python's own loop keeps us honest."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"), HOST, other_host="elsewhere.example.com")


class Names:
    """A resolver whose answers are given, one after the other; the last is repeated."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def all_but_loopback(address: IpAddress) -> bool:
    """The real table, but that the test's own servers count as public."""
    return is_denied(address) and str(address) not in ("127.0.0.1", "::1")


MakeFetcher = Callable[..., Fetcher]


@pytest.fixture
def make_fetcher(certificates: Certificates) -> MakeFetcher:
    """Makes a fetcher that takes loopback for public, fetches from `port` too, and does not wait long."""

    def make(port: int, *, rules: Rules | None = None, **settings: Any) -> Fetcher:
        given: dict[str, Any] = {
            "ca_file": certificates.ca_file,
            "resolve": Names(["127.0.0.1"]),
            "is_denied": all_but_loopback,
            "timeouts": Timeouts(connect=1, read=1, total=3),
            **settings,
        }
        return Fetcher(rules or Rules(ports=frozenset({port})), **given)

    return make
