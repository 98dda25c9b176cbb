"""Certificates: which ones a line to a server trusts."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path


def context_for(ca_file: str | None, *, verified: bool) -> ssl.SSLContext:
    """A client context for TLS 1.2 and newer. Raises OSError (ssl.SSLError is one) for a bad `ca_file`."""
    if not verified:
        return _unverified()
    # A renewed file is a new context; loading one takes milliseconds, too long for every connection.
    changed = Path(ca_file).stat().st_mtime_ns if ca_file else 0
    return _verified(ca_file, changed)


@functools.lru_cache(maxsize=32)
def _verified(ca_file: str | None, changed: int) -> ssl.SSLContext:
    del changed  # part of the key only
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@functools.lru_cache(maxsize=1)
def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
