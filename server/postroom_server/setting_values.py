"""The kinds of values that settings have, and what is wrong with those that are none."""

from __future__ import annotations

import ipaddress
import re
import socket
import zoneinfo
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

_HOST_NAME = re.compile(
    r"(?=.{1,255}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)

_ADDRESS_LITERAL = re.compile(r"\[(?:IPv6:)?[0-9A-Fa-f.:]{2,45}\]")  # RFC 5321 §4.1.3
_GATEWAY_TOKEN = re.compile(r"[!-~]{16,256}")
# What stands as it is between the angle brackets of a header, and in a page: no space, comma or quote.
_BASE_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[A-Za-z0-9._~-]+)*)/?"
)
# With the longest token a link still fits on one line of a header (RFC 5322 §2.1.1: 998 characters).
_BASE_URL_CHARACTERS = 400


def host_name() -> str:
    """This machine's full name where it is fit for EHLO, else `localhost`."""
    name = socket.getfqdn()
    return name if _HOST_NAME.fullmatch(name) else "localhost"


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _fit_for_ehlo(value: str) -> str:
    if not _HOST_NAME.fullmatch(value) and not _ADDRESS_LITERAL.fullmatch(value):
        raise ValueError("is neither a host name nor an address literal such as [192.0.2.1]")
    return value


def _fit_for_links(value: str) -> str:
    if not value:
        return value
    found = _BASE_URL.fullmatch(value)
    if found is None or len(value) > _BASE_URL_CHARACTERS or not 0 < int(found["port"] or 1) < 65536:
        raise ValueError(
            "is not like https://mail.example.com or https://example.com/mail: letters, digits and ._~- "
            f"in its path, no query, at most {_BASE_URL_CHARACTERS} characters"
        )
    if found["scheme"] == "http" and not _is_loopback(found["host"]):
        raise ValueError("must begin with https: mail programs post to nothing else")
    return value.rstrip("/")


def _known_zone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("is no time zone such as Asia/Shanghai or UTC") from None
    return value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        try:
            ipaddress.ip_network(name)
        except ValueError:
            raise ValueError(f"{name} is neither an address nor a network such as 10.0.0.0/8") from None
    return value


def _fit_for_a_header(value: SecretStr) -> SecretStr:
    if value.get_secret_value() and not _GATEWAY_TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError("must be 16 to 256 letters, digits or other visible ASCII characters")
    return value


def _by_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(text.strip() for text in value.split(",") if text.strip())
    return value


Positive = Annotated[int, Field(ge=1)]
Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_by_commas)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_by_commas), AfterValidator(_networks)]
HeloName = Annotated[str, AfterValidator(_fit_for_ehlo)]
TimeZoneName = Annotated[str, AfterValidator(_known_zone)]
HeaderSecret = Annotated[SecretStr, AfterValidator(_fit_for_a_header)]
# Of a page that readers reach; without a slash at its end, or empty.
BaseUrl = Annotated[str, AfterValidator(_fit_for_links)]
