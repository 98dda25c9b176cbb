"""Fetches attachments by URL, never from inside. Knows nothing of the rest."""

from __future__ import annotations

from postroom_server.fetch.denied import IpAddress, is_denied
from postroom_server.fetch.fetcher import Fetched, Fetcher, FetchFailed, FetchRefused, Timeouts
from postroom_server.fetch.url import BadUrl, Rules, check_url

__all__ = [
    "BadUrl",
    "FetchFailed",
    "FetchRefused",
    "Fetched",
    "Fetcher",
    "IpAddress",
    "Rules",
    "Timeouts",
    "check_url",
    "is_denied",
]
