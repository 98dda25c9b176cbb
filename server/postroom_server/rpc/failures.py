"""Failed authentications per client address: whoever guesses too often waits."""

from __future__ import annotations

import ipaddress
import urllib.parse
from datetime import timedelta

from postroom_server.clock import Clock


class Failures:
    """At most `limit` failures in a window that begins with an address's first."""

    def __init__(
        self,
        clock: Clock,
        *,
        limit: int = 20,
        window: timedelta = timedelta(minutes=1),
        max_addresses: int = 10_000,
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._window = window.total_seconds()
        self._max_addresses = max_addresses
        # In the order in which the windows end: a new window is always put last.
        self._windows: dict[str, tuple[float, int]] = {}

    def any(self) -> bool:
        """Whether anyone at all failed lately. Free as long as nobody does."""
        if self._windows:
            self._forget_ended()
        return bool(self._windows)

    def note(self, address: str) -> None:
        self._forget_ended()
        end, count = self._windows.get(address) or (self._clock.monotonic() + self._window, 0)
        self._windows[address] = (end, count + 1)
        if len(self._windows) > self._max_addresses:
            del self._windows[next(iter(self._windows))]

    def blocked_for(self, address: str) -> timedelta | None:
        """How long the address must wait, or None when it need not."""
        self._forget_ended()
        end, count = self._windows.get(address, (0.0, 0))
        return timedelta(seconds=end - self._clock.monotonic()) if count >= self._limit else None

    def _forget_ended(self) -> None:
        now = self._clock.monotonic()
        while self._windows:
            address = next(iter(self._windows))
            if self._windows[address][0] > now:
                return
            del self._windows[address]


def host_of_peer(peer: str) -> str:
    """The host in what gRPC calls a peer: `ipv4:192.0.2.1:512`, `ipv6:%5B2001:db8::1%5D:512`, `unix:…`."""
    family, _, rest = urllib.parse.unquote(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]") if family in ("ipv4", "ipv6") else family


def bucket_of(host: str) -> str:
    """One bucket per IPv4 address and per IPv6 /64, which is what one customer of a provider is given."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
