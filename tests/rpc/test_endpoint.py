"""Addresses: which are any, and which only this machine reaches."""

from __future__ import annotations

import pytest

from postroom_server.rpc.endpoint import ConfigurationError, check_address, is_private


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:0", "localhost:65535", "[::1]:50051", ":80", "unix:/run/x", "dns:///mail.internal:50051"],
)
def test_an_address_has_a_port_or_is_a_path(address: str) -> None:
    check_address("grpc_address", address)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:65536", "there is no port 65536, the last is 65535"),
        ("127.0.0.1:99999", "there is no port 99999, the last is 65535"),
        ("localhost", "has no port"),
        ("localhost:", "has no port"),
        ("localhost:http", "has no port"),
        ("", "has no port"),
        ("unix:", "has no port"),
        ("http://localhost:8080", "is a URL"),
    ],
)
def test_what_is_no_address_is_refused_by_name(address: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        check_address("grpc_address", address)
    assert str(refused.value).startswith(f"grpc_address {address}")


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("127.0.0.1:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:/x", True),
        ("0.0.0.0:1", False),
        ("mail.test:1", False),
    ],
)
def test_loopback_and_sockets_are_private(address: str, private: bool) -> None:
    assert is_private(address) is private
