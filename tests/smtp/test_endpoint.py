"""An endpoint refuses settings that could not work or would be dangerous, and never shows its password."""

from __future__ import annotations

from typing import Any

import pytest

from postroom_server.smtp import AuthMechanism, Endpoint, TlsMode
from postroom_server.smtp.capabilities import Capabilities


@pytest.mark.parametrize(
    "name", ["localhost", "mx.example.test", "a_b.test", "[192.0.2.1]", "[IPv6:2001:db8::1]", "xn--fsq.test"]
)
def test_a_greeting_name_is_a_host_name_or_a_literal(name: str) -> None:
    assert Endpoint("h", 25, helo_name=name).helo_name == name


@pytest.mark.parametrize(
    "name", ["", "a b", "a\r\nMAIL FROM:<x>", "-a", "a..b", "a.", "例子.test", "[", "[]", "a\n", "x" * 256]
)
def test_another_greeting_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="helo_name"):
        Endpoint("h", 25, helo_name=name)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"host": ""}, "host"),
        ({"host": "a b"}, "host"),
        ({"host": "a\n"}, "host"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"username": "a\0b"}, "NUL"),
        ({"username": "a", "password": "b\0c"}, "NUL"),
        ({"auth": AuthMechanism.PLAIN}, "needs a username"),
        ({"auth": AuthMechanism.LOGIN}, "needs a username"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Endpoint(**{"host": "h", "port": 25, **changes})


def test_tls_is_required_unless_said_otherwise() -> None:
    assert Endpoint("h", 25).tls is TlsMode.REQUIRED


def test_the_password_is_not_printed_and_makes_another_endpoint() -> None:
    one = Endpoint("h", 25, username="u", password="hunter2")
    assert "hunter2" not in repr(one)
    assert one != Endpoint("h", 25, username="u", password="hunter3")


@pytest.mark.parametrize(
    ("tls", "username", "verifies"),
    [
        (TlsMode.REQUIRED, "", True),
        (TlsMode.IMPLICIT, "", True),
        (TlsMode.OPPORTUNISTIC, "", False),
        (TlsMode.OPPORTUNISTIC, "u", True),
    ],
)
def test_only_opportunistic_lines_without_credentials_take_any_certificate(
    tls: TlsMode, username: str, verifies: bool
) -> None:
    assert Endpoint("h", 25, tls=tls, username=username).verifies_certificate is verifies


@pytest.mark.parametrize(
    ("lines", "offered"),
    [
        ([b"mx"], Capabilities()),
        ([b"PIPELINING"], Capabilities()),  # the first line is the server's name
        ([b"mx", b"PIPELINING", b"8bitmime", b"SmtpUtf8"], Capabilities(True, False, True, True)),
        ([b"mx", b"STARTTLS"], Capabilities(starttls=True)),
        ([b"mx", b"SIZE"], Capabilities(size=True)),
        ([b"mx", b"SIZE 0"], Capabilities(size=True)),
        ([b"mx", b"SIZE 1000"], Capabilities(size=True, max_bytes=1000)),
        ([b"mx", b"SIZE many"], Capabilities(size=True)),
        ([b"mx", b"SIZE -5"], Capabilities(size=True)),
        ([b"mx", "SIZE ²".encode()], Capabilities(size=True)),
        ([b"mx", b"SIZE " + b"9" * 21], Capabilities(size=True)),
        ([b"mx", b"AUTH plain LOGIN"], Capabilities(auth=frozenset({"PLAIN", "LOGIN"}))),
        ([b"mx", b"AUTH=LOGIN", b"AUTH PLAIN"], Capabilities(auth=frozenset({"PLAIN", "LOGIN"}))),
        ([b"mx", b"", b"\xff\xfe", b"PIPELININGX"], Capabilities()),
    ],
)
def test_an_offer_is_read(lines: list[bytes], offered: Capabilities) -> None:
    assert Capabilities.from_lines(lines) == offered
