"""The networks that nothing is fetched from: our own table, judged on the address that is connected to.

`ipaddress.is_global` does not replace it: what it says has changed between Python's releases, and it lets
multicast, relays and the metadata services of clouds through.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IpAddress = IPv4Address | IPv6Address

DENIED_V4: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "this host on this network, RFC 1122 §3.2.1.3; Linux takes it for loopback"),
    ("10.0.0.0/8", "private, RFC 1918 §3"),
    ("100.64.0.0/10", "carrier-grade NAT, RFC 6598 §7; holds Alibaba's metadata service 100.100.100.200"),
    ("127.0.0.0/8", "loopback, RFC 1122 §3.2.1.3"),
    ("168.63.129.16/32", "Azure's agent and metadata endpoint, inside though the address is public"),
    ("169.254.0.0/16", "link-local, RFC 3927 §2.1; holds the metadata services 169.254.169.254 and .170.2"),
    ("172.16.0.0/12", "private, RFC 1918 §3"),
    ("192.0.0.0/24", "IETF protocol assignments, RFC 6890 §2.1; holds Oracle's metadata service 192.0.0.192"),
    ("192.0.2.0/24", "documentation, RFC 5737 §3"),
    ("192.31.196.0/24", "AS112 sink, RFC 7535 §5.1"),
    ("192.52.193.0/24", "automatic multicast tunnelling relays, RFC 7450 §7.1"),
    ("192.88.99.0/24", "6to4 relays, RFC 7526 §4"),
    ("192.168.0.0/16", "private, RFC 1918 §3"),
    ("192.175.48.0/24", "AS112 sink, RFC 7534 §5"),
    ("198.18.0.0/15", "benchmarking, RFC 2544 Appendix C.2.2"),
    ("198.51.100.0/24", "documentation, RFC 5737 §3"),
    ("203.0.113.0/24", "documentation, RFC 5737 §3"),
    ("224.0.0.0/4", "multicast, RFC 5771 §3"),
    ("240.0.0.0/4", "reserved, RFC 1112 §4; holds the limited broadcast 255.255.255.255, RFC 919 §7"),
)

# All of IPv6 that is handed out as global unicast (RFC 4291 §2.4, IANA). What is outside it is loopback,
# unique local, link-local, multicast, an IPv4 address in disguise, or nobody's.
GLOBAL_V6 = "2000::/3"

DENIED_V6: tuple[tuple[str, str], ...] = (
    # Outside GLOBAL_V6, and named all the same: each is an attack that has a test of its own.
    ("::/128", "unspecified, RFC 4291 §2.5.2"),
    ("::1/128", "loopback, RFC 4291 §2.5.3"),
    ("::/96", "IPv4-compatible, RFC 4291 §2.5.5.1: an IPv4 address in disguise"),
    ("::ffff:0:0/96", "IPv4-mapped, RFC 4291 §2.5.5.2: an IPv4 address in disguise"),
    ("::ffff:0:0:0/96", "IPv4-translated, RFC 2765 §2.1: an IPv4 address in disguise"),
    ("64:ff9b::/96", "NAT64, RFC 6052 §2.1: a translator carries it on to the IPv4 address inside"),
    ("64:ff9b:1::/48", "local-use NAT64, RFC 8215 §5"),
    ("100::/64", "discard, RFC 6666 §4"),
    ("100:0:0:1::/64", "dummy prefix, RFC 9780 §3"),
    ("5f00::/16", "segment routing, RFC 9602 §5"),
    ("fc00::/7", "unique local, RFC 4193 §3.1; holds Amazon's metadata service fd00:ec2::254"),
    ("fe80::/10", "link-local, RFC 4291 §2.5.6"),
    ("fec0::/10", "site-local, deprecated but still routed by some, RFC 3879 §4"),
    ("ff00::/8", "multicast, RFC 4291 §2.7"),
    # Inside GLOBAL_V6.
    ("2001::/23", "IETF protocol assignments, RFC 2928 §2; with Teredo, benchmarking, ORCHID and ORCHIDv2"),
    ("2001::/32", "Teredo, RFC 4380 §2.6: tunnels to the IPv4 address inside"),
    ("2001:db8::/32", "documentation, RFC 3849 §2"),
    ("2002::/16", "6to4, RFC 3056 §2: tunnels to the IPv4 address inside"),
    ("2620:4f:8000::/48", "AS112 sink, RFC 7534 §5"),
    ("3ffe::/16", "6bone, given back, RFC 3701 §2"),
    ("3fff::/20", "documentation, RFC 9637 §3"),
)

_V4 = tuple(IPv4Network(network) for network, _ in DENIED_V4)
_V6 = tuple(IPv6Network(network) for network, _ in DENIED_V6)
_GLOBAL = IPv6Network(GLOBAL_V6)


def is_denied(address: IpAddress) -> bool:
    """Whether nothing may be fetched from this address."""
    if isinstance(address, IPv4Address):
        return any(address in network for network in _V4)
    return address not in _GLOBAL or any(address in network for network in _V6)
