"""Addresses to listen on and to call: whether they are any, and which of them only this machine can reach."""

from __future__ import annotations

import ipaddress
import re

_UNIX = ("unix:", "unix-abstract:")
_PORT = re.compile(r".*:([0-9]+)", re.DOTALL)
_MAX_PORT = 65535


class ConfigurationError(ValueError):
    """A setting cannot be used as it is; the message is one line and names the way out."""


def check_address(name: str, address: str) -> None:
    """Refuses what is not `host:port`, `[v6]:port` or `unix:/path`; `name` is the setting or flag."""
    if address.startswith(_UNIX) and address not in _UNIX:
        return
    # gRPC takes a URL for the name of a host, and a port modulo 65536.
    if "://" in address and not address.startswith("dns:///"):
        raise ConfigurationError(f"{name} {address} is a URL: write host:port, such as 127.0.0.1:50051")
    found = _PORT.fullmatch(address)
    if found is None:
        raise ConfigurationError(f"{name} {address} has no port: write host:port, such as 127.0.0.1:50051")
    if int(found[1]) > _MAX_PORT:
        raise ConfigurationError(f"{name} {address}: there is no port {found[1]}, the last is {_MAX_PORT}")


def is_private(address: str) -> bool:
    """Whether only this machine reaches `host:port`, `[v6]:port`, `unix:/path`. Names are not resolved."""
    if address.startswith(_UNIX):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
