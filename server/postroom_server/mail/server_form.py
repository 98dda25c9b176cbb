"""The form of a mail server: what may be asked of a next hop, its defaults, and its rules."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import re
from collections.abc import Collection

from postroom_server.mail.form_checks import Findings
from postroom_server.store.models import MailServerState

_NAME_CHARACTERS = 100
_HOST_CHARACTERS = 253
_USERNAME_CHARACTERS = 320
_PASSWORD_CHARACTERS = 1000
_FROM_NAME_CHARACTERS = 200
_PREFIX_CHARACTERS = 60
_ALLOWED_SENDERS = 1000
_MOST = 1000
_MOST_PER_SECOND = 1_000_000
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_DIGITS = re.compile(r"[0-9.]+")


class TlsMode(enum.StrEnum):
    """How the line is secured; smtp/endpoint.py says what each means on the wire."""

    REQUIRED = "REQUIRED"
    IMPLICIT = "IMPLICIT"
    OPPORTUNISTIC = "OPPORTUNISTIC"
    OFF = "OFF"


class AuthMechanism(enum.StrEnum):
    AUTO = "AUTO"
    PLAIN = "PLAIN"
    LOGIN = "LOGIN"
    NONE = "NONE"


_DEFAULT_PORTS = {TlsMode.IMPLICIT: 465, TlsMode.OFF: 25}
_SUBMISSION_PORT = 587


@dataclasses.dataclass(frozen=True, slots=True)
class ServerForm:
    """A mail server as asked for. Empty, zero and None stand for defaults, which `settled` fills in."""

    name: str = ""
    host: str = ""
    port: int = 0
    tls_mode: TlsMode | None = None
    auth_mechanism: AuthMechanism | None = None
    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    state: MailServerState | None = None
    priority: int = 0
    weight: int = 0
    max_connections: int = 0
    messages_per_second: float = 0.0
    allowed_senders: tuple[str, ...] = ()
    from_address: str = ""
    from_name: str = ""
    subject_prefix: str = ""


PATHS = frozenset(field.name for field in dataclasses.fields(ServerForm))


def settled(
    form: ServerForm, found: Findings, *, plaintext_hosts: Collection[str], has_password: bool
) -> ServerForm:
    """The form with its defaults and in normal spelling; what breaks a rule goes to `found`.

    `has_password`: one is stored already. Where no mechanism is asked for it is AUTO, which logs in once
    there is a user name.
    """
    tls_mode = form.tls_mode or TlsMode.REQUIRED
    auth = form.auth_mechanism or AuthMechanism.AUTO
    host = form.host.strip("[]") if _is_address(form.host.strip("[]")) else form.host.lower().rstrip(".")
    _check_texts(form, found)
    _check_host(form.host, host, tls_mode, plaintext_hosts, found)
    found.number("port", form.port, least=0, most=65535)
    if auth in (AuthMechanism.PLAIN, AuthMechanism.LOGIN) and not form.username:
        found.add("username", f"is required for {auth}")
    if form.username and auth is not AuthMechanism.NONE and not (form.password or has_password):
        found.add("password", f"is required for {auth}")
    if "\0" in form.password or len(form.password) > _PASSWORD_CHARACTERS:
        found.add("password", f"must be at most {_PASSWORD_CHARACTERS} characters, without NUL")
    found.number("priority", form.priority, least=0, most=_MOST)
    found.number("weight", form.weight, least=0, most=_MOST)
    found.number("max_connections", form.max_connections, least=0, most=_MOST)
    found.number("messages_per_second", form.messages_per_second, least=0, most=_MOST_PER_SECOND)
    return dataclasses.replace(
        form,
        host=host,
        port=form.port or default_port(tls_mode),
        tls_mode=tls_mode,
        auth_mechanism=auth,
        state=form.state or MailServerState.ENABLED,
        weight=form.weight or 1,
        allowed_senders=_senders(form.allowed_senders, found),
        from_address=found.address("from_address", form.from_address),
    )


def default_port(tls_mode: TlsMode | None) -> int:
    return _DEFAULT_PORTS.get(tls_mode or TlsMode.REQUIRED, _SUBMISSION_PORT)


def _check_texts(form: ServerForm, found: Findings) -> None:
    found.line("name", form.name, least=1, most=_NAME_CHARACTERS)
    found.line("username", form.username, most=_USERNAME_CHARACTERS)
    found.line("from_name", form.from_name, most=_FROM_NAME_CHARACTERS)
    found.line("subject_prefix", form.subject_prefix, most=_PREFIX_CHARACTERS)
    if "=?" in form.subject_prefix:
        found.add("subject_prefix", 'contains "=?", which mail readers take for encoded text')


def _check_host(
    given: str, host: str, tls_mode: TlsMode, plaintext_hosts: Collection[str], found: Findings
) -> None:
    if not given:
        found.add("host", "is required")
    elif len(given) > _HOST_CHARACTERS or not (_is_address(host) or _is_name(host)):
        found.add("host", "must be a host name in ASCII or an IP address")
    elif tls_mode is TlsMode.OFF and not _is_loopback(host) and host not in plaintext_hosts:
        # security.md F5.
        found.add(
            "tls_mode",
            f"OFF is for loopback and the hosts in the setting smtp_plaintext_hosts; {host} is neither",
        )


def _is_name(host: str) -> bool:
    # What is all digits and dots and yet no address would be read by some resolvers as one (127.1).
    return _HOST_NAME.fullmatch(host) is not None and not _DIGITS.fullmatch(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _senders(given: tuple[str, ...], found: Findings) -> tuple[str, ...]:
    """Addresses and @domains in lower case, as ServerFacts.allows compares them."""
    if len(given) > _ALLOWED_SENDERS:
        found.add("allowed_senders", f"{len(given)} entries; at most {_ALLOWED_SENDERS}")
        return ()
    senders = []
    for i, text in enumerate(given):
        field = f"allowed_senders[{i}]"
        if text.startswith("@"):
            senders.append("@" + found.domain(field, text[1:]))
        elif text:
            senders.append(found.address(field, text).lower())
        else:
            found.add(field, "is empty")
    return tuple(dict.fromkeys(senders))
