"""Reads the URLs of attachments: what may be fetched at all, decided without asking the network.

A URL is read once, here, and fetched from what was read: two readers of one text can be made to disagree.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import urllib.parse
from collections.abc import Iterable
from typing import Self

import idna

MAX_CHARACTERS = 800
_PORTS = {"https": 443, "http": 80}
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>[^#]*)(?:#.*)?")
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]+)(?::(?P<port>[0-9]{1,5}))?")
# Readers of URLs drop or turn some of these; none of them may stand in one (RFC 3986 §2).
_UNREADABLE = re.compile(r"[\x00-\x20\x7f\\]")
_KEPT = "/?:@!$&'()*+,;=%-._~[]"  # in path and query (RFC 3986 §3.3, §3.4); the rest is percent-encoded

# Underscores are no part of host names (RFC 952), but names of buckets have them.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# No top-level domain begins with a digit (RFC 3696 §2), and every spelling of an IPv4 address ends in a label
# that does: 127.1, 0x7f.1, 0177.0.0.1, 2130706433, and odd digits once IDNA has mapped them.
_NAME = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?")
_OWN_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_NAME = 253

# Names that are answered from inside by whoever answers them at all.
_INSIDE = (
    "localhost",  # RFC 6761 §6.3
    "local",  # RFC 6762 §3, also Kubernetes' cluster.local
    "internal",  # set aside by ICANN in 2024; also metadata.google.internal
    "home.arpa",  # RFC 8375
    *("intranet", "private", "corp", "home", "lan"),  # RFC 6762 Appendix G
    "localdomain",
    "onion",  # RFC 7686
    "alt",  # RFC 9476
    "metadata.goog",  # the other name of Google's metadata service
)

NOT_FROM_THERE = "is not an address that files are fetched from"


class BadUrl(ValueError):  # noqa: N818 - named after what was found
    """A URL that is never fetched. The message says why, and nothing that the text itself does not say."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What a deployment lets callers fetch. Beyond it: https on port 443 of a public host."""

    http: bool = False
    ports: frozenset[int] = frozenset()
    # Hosts of the deployment's own, on one port or (None) on the usual ones: they may be inside and use http.
    hosts: frozenset[tuple[str, int | None]] = frozenset()

    @classmethod
    def of(cls, *, http: bool = False, ports: Iterable[int] = (), hosts: Iterable[str] = ()) -> Self:
        """Reads settings; a host is `name`, `name:port`, `10.0.0.1` or `[fd00::1]:8443`. Raises BadUrl."""
        return cls(http, frozenset(ports), frozenset(_read_host(text) for text in hosts))

    def names(self, host: str, port: int) -> bool:
        """Whether the host is one of the deployment's own."""
        usual = port in _PORTS.values() or port in self.ports
        return (host, port) in self.hosts or (usual and (host, None) in self.hosts)


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A URL as it is fetched: the host is a name in A-labels or an address without brackets."""

    scheme: str
    host: str
    port: int
    path: str  # and query
    is_own: bool  # one of `Rules.hosts`: may be inside

    @property
    def authority(self) -> str:
        """What the Host header says (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(text: str, rules: Rules) -> str | None:
    """What is wrong with a URL, or None. The addresses behind its name are judged when it is fetched."""
    try:
        read(text, rules)
    except BadUrl as error:
        return str(error)
    return None


def read(text: str, rules: Rules) -> Target:
    """Reads a URL that may be fetched. Raises BadUrl."""
    if len(text) > MAX_CHARACTERS:
        raise BadUrl(f"is longer than {MAX_CHARACTERS} characters")
    parts = _URL.fullmatch(text)
    if parts is None or _UNREADABLE.search(text):
        raise BadUrl("is not a URL")
    scheme = parts["scheme"].lower()
    if scheme not in _PORTS:
        raise BadUrl("must begin with https://")
    if "@" in parts["authority"]:
        raise BadUrl("holds a user name or a password")
    authority = _AUTHORITY.fullmatch(parts["authority"])
    if authority is None:
        raise BadUrl("is not a URL")
    host = _host(authority["host"])
    port = int(authority["port"]) if authority["port"] else _PORTS[scheme]
    is_own = rules.names(host, port)
    if not is_own:
        _refuse_inside(host)
        if scheme == "http" and not rules.http:
            raise BadUrl("must begin with https://")
        if port != _PORTS[scheme] and port not in rules.ports:
            raise BadUrl("names a port that files are not fetched from")
    return Target(scheme, host, port, _path(parts["rest"]), is_own)


def _path(rest: str) -> str:
    try:
        quoted = urllib.parse.quote(rest, safe=_KEPT)
    except UnicodeEncodeError:
        raise BadUrl("is not a URL") from None
    return quoted if quoted.startswith("/") else f"/{quoted}"


def _host(text: str) -> str:
    """One spelling of a host: an address only in its own usual form, a name in A-labels and lower case."""
    if text.startswith("["):
        text = text[1:-1]
        if ":" not in text or "%" in text:
            raise BadUrl(NOT_FROM_THERE)
        return _address(text)
    if re.fullmatch(r"[0-9.]+", text):
        return _address(text)
    name = text.lower()
    if not _NAME.fullmatch(name) or "xn--" in name:
        name = _as_ascii(name)
    name = name.removesuffix(".")
    if len(name) > _MAX_NAME:
        raise BadUrl(NOT_FROM_THERE)
    return name


def _address(text: str) -> str:
    try:
        # Strict: four decimal numbers without leading zeros, or hexadecimal groups.
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise BadUrl(NOT_FROM_THERE) from None


def _as_ascii(name: str) -> str:
    try:
        # UTS 46 maps width, circles and ideographic full stops first, as resolvers and browsers do.
        return idna.encode(name, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return name


def _refuse_inside(host: str) -> None:
    """Refuses every literal address, what is no full host name, and names that are inside by definition."""
    if not _NAME.fullmatch(host) or any(host == name or host.endswith(f".{name}") for name in _INSIDE):
        raise BadUrl(NOT_FROM_THERE)


def _read_host(text: str) -> tuple[str, int | None]:
    parts = _AUTHORITY.fullmatch(text)
    if parts is None:
        raise BadUrl(f"{text!r} is not a host or host:port")
    host = _host(parts["host"])
    if ":" not in host and not _OWN_NAME.fullmatch(host):
        raise BadUrl(f"{text!r} is not a host or host:port")
    return host, int(parts["port"]) if parts["port"] else None
