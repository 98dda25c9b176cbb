"""C1: the addresses that nothing is fetched from, against the registries and against Python's own opinion."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.fetch.denied import DENIED_V4, DENIED_V6, GLOBAL_V6, is_denied

INSIDE_V4 = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.7",
    "203.0.113.7", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
)  # fmt: skip
INSIDE_V6 = (
    "::", "::1", "::7f00:1", "::ffff:0:7f00:1", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1",
    "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2620:4f:8000::1", "3ffe::1", "3fff::1",
    "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1", "ff0e::1",
    "4000::1", "8000::1", "e000::1",
)  # fmt: skip
PUBLIC = (
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.0", "168.63.129.15", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0",
    "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255",
    "2001:200::1", "2001:4860:4860::8888", "2400:cb00::1", "2606:4700::1111", "2a00:1450::1",
)  # fmt: skip


@pytest.mark.parametrize("text", [*INSIDE_V4, *INSIDE_V6])
def test_c1_what_is_inside_or_nobodys_is_denied(text: str) -> None:
    assert is_denied(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public_is_not_denied_up_to_the_edge_of_what_is_not(text: str) -> None:
    assert not is_denied(ipaddress.ip_address(text))


@pytest.mark.parametrize("network", [network for network, _ in (*DENIED_V4, *DENIED_V6)])
def test_c1_a_network_is_denied_from_its_first_to_its_last_address(network: str) -> None:
    found = ipaddress.ip_network(network)
    assert is_denied(found[0])
    assert is_denied(found[-1])


@pytest.mark.parametrize(
    "carrier",
    ["::{}", "::ffff:{}", "::ffff:0:{}", "64:ff9b::{}", "64:ff9b:1::{}"],
)
@pytest.mark.parametrize("text", [*INSIDE_V4, "8.8.8.8"])
def test_c1_an_ipv4_address_in_disguise_is_denied(carrier: str, text: str) -> None:
    assert is_denied(IPv6Address(carrier.format(text)))


@pytest.mark.parametrize("text", [*INSIDE_V4, "8.8.8.8"])
def test_c1_an_ipv4_address_behind_a_tunnel_is_denied(text: str) -> None:
    inner = int(IPv4Address(text))
    six_to_four = IPv6Address((0x2002 << 112) | (inner << 80) | 1)
    teredo = IPv6Address((0x20010000 << 96) | (inner ^ 0xFFFFFFFF))
    teredo_server = IPv6Address((0x20010000 << 96) | (inner << 64) | 1)
    assert all(map(is_denied, (six_to_four, teredo, teredo_server)))


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_whatever_python_does_not_call_global_is_denied(address: IPv4Address | IPv6Address) -> None:
    assert is_denied(address) or (address.is_global and not address.is_multicast)


@given(st.ip_addresses(v=6, network=GLOBAL_V6))
def test_global_unicast_is_denied_where_the_table_says_so(
    address: IPv6Address,
) -> None:
    in_table = any(address in ipaddress.ip_network(network) for network, _ in DENIED_V6)
    assert is_denied(address) == in_table


def test_every_network_of_the_table_says_where_it_comes_from() -> None:
    assert all("RFC" in why or "Azure" in why for _, why in (*DENIED_V4, *DENIED_V6))
