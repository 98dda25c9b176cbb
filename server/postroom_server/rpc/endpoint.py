"""Addresses to listen on: which of them only this machine can reach."""

from __future__ import annotations

import ipaddress


class ConfigurationError(ValueError):
    """A setting cannot be used as it is; the message is one line and names the way out."""


def is_private(address: str) -> bool:
    """Whether only this machine reaches `host:port`, `[v6]:port`, `unix:/path`. Names are not resolved."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
