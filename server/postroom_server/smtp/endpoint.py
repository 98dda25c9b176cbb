"""An endpoint: the SMTP server to speak to, and how."""

from __future__ import annotations

import dataclasses
import enum
import re


class TlsMode(enum.StrEnum):
    """How the line to a server is protected."""

    # STARTTLS must be offered and succeed, and the certificate must be valid for the host.
    REQUIRED = "REQUIRED"
    # TLS from the first byte (port 465), certificate verified.
    IMPLICIT = "IMPLICIT"
    # STARTTLS when it is offered, whatever the certificate; plaintext when it is not. An active attacker can
    # read such mail. With credentials the certificate is verified, and without TLS they are not sent.
    # A STARTTLS that was offered and then fails is a failure, not a reason to go on in plaintext.
    OPPORTUNISTIC = "OPPORTUNISTIC"
    # Plaintext, credentials included: for loopback and for hosts that an operator has named as such.
    OFF = "OFF"


class AuthMechanism(enum.StrEnum):
    """How to log in. AUTO takes PLAIN or else LOGIN, as offered; without a username nobody logs in."""

    AUTO = "AUTO"
    PLAIN = "PLAIN"
    LOGIN = "LOGIN"
    NONE = "NONE"


@dataclasses.dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds a server may take for each step (RFC 5321 §4.5.3.2, shorter where nothing is lost by it)."""

    connect: float = 15.0  # all addresses together; the same again for a TLS handshake
    banner: float = 60.0
    ehlo: float = 60.0  # also STARTTLS and each step of AUTH
    mail: float = 120.0
    rcpt: float = 120.0
    data: float = 120.0
    chunk: float = 180.0
    dot: float = 600.0
    total: float = 1800.0  # from MAIL until the dot is written


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """One server. Two endpoints that are equal may share connections."""

    host: str
    port: int
    tls: TlsMode = TlsMode.REQUIRED
    auth: AuthMechanism = AuthMechanism.AUTO
    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    helo_name: str = "localhost"
    ca_file: str | None = None  # None: the certificates the system trusts
    timeouts: Timeouts = Timeouts()
    max_age: float = 300.0  # seconds a connection may live
    max_idle: float = 30.0  # seconds it may lie unused; many servers hang up after a minute
    max_messages: int = 100

    def __post_init__(self) -> None:
        if not _HELO_NAME.fullmatch(self.helo_name):
            raise ValueError("helo_name must be a host name or an address literal")
        if not self.host or not self.host.isprintable() or " " in self.host:
            raise ValueError("host must be a host name or an address")
        if not 0 < self.port < 65536:
            raise ValueError("port must be between 1 and 65535")
        # AUTH PLAIN parts its fields by NUL (RFC 4616 §2).
        if "\0" in self.username or "\0" in self.password:
            raise ValueError("username and password must not contain NUL")
        if self.auth in (AuthMechanism.PLAIN, AuthMechanism.LOGIN) and not self.username:
            raise ValueError(f"auth {self.auth} needs a username")

    @property
    def has_credentials(self) -> bool:
        return self.auth is not AuthMechanism.NONE and bool(self.username)

    @property
    def verifies_certificate(self) -> bool:
        return self.tls is not TlsMode.OPPORTUNISTIC or self.has_credentials


_HELO_NAME = re.compile(
    r"(?=.{1,255}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
    r"(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*"
    r"|\[[0-9A-Fa-f.:]{2,45}\]|\[IPv6:[0-9A-Fa-f.:]{2,45}\]"
)
