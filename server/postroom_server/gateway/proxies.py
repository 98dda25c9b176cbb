"""The client's own address behind proxies that we were told to believe."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies:
    """Addresses and networks, such as `10.0.0.0/8`. Raises ValueError for anything else."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._networks = tuple(ipaddress.ip_network(name) for name in names)

    def client_of(self, peer: str, forwarded: Iterable[bytes]) -> str:
        """The last address that nobody we trust vouches for; `forwarded` are X-Forwarded-For's values.

        Each proxy appends whom it was called by, so the list is read from its end: what stands before the
        first address that is not a proxy's was written by that client, who may write what he likes.
        """
        if not self._networks or not self._trusts(peer):
            return peer
        client = peer
        for name in reversed(b",".join(forwarded).decode("latin-1").split(",")):
            address = _address(name.strip())
            if address is None:
                return client
            client = str(address)
            if not self._trusts(client):
                return client
        return client

    def _trusts(self, name: str) -> bool:
        address = _address(name)
        return address is not None and any(address in network for network in self._networks)


def _address(name: str) -> Address | None:
    """`192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`; IPv4 in IPv6's clothes is IPv4."""
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
