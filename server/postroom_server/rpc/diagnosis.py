"""Why a server cannot be reached: a look at its address, in words for whoever named it."""

from __future__ import annotations

import dataclasses
import re
import socket
import ssl
from pathlib import Path

_SECONDS = 3.0
# What a gRPC client says first (RFC 9113 §3.4), with an empty SETTINGS frame; a server's own comes back.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_SETTINGS = 4
_ONE_SERVER = re.compile(r"(?:dns:///)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/\[\]]+):(?P<port>[0-9]{1,5})")
# OpenSSL's numbers for a certificate whose issuer nobody knows.
_UNKNOWN_ISSUER = (18, 19, 20, 21)


@dataclasses.dataclass(frozen=True, slots=True)
class TlsFiles:
    """What TLS with a server uses: authorities (None: the system's), and a certificate of one's own."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


def why_unreachable(target: str, tls: TlsFiles | None) -> str:
    """One line that names the target and the cause; empty when a look at it finds nothing wrong.

    Waits for the network, a few seconds at most.
    """
    found = _ONE_SERVER.fullmatch(target)
    if found is None:
        return ""
    host, port = found["host"].strip("[]"), int(found["port"])
    try:
        with socket.create_connection((host, port), _SECONDS) as line:
            words = _in_plaintext(line, host, port) if tls is None else _in_tls(line, host, tls)
    except socket.gaierror:
        return f"there is no host {host} (of {target})"
    except ConnectionRefusedError:
        return f"nothing listens on {target}; `make run` or `postroom serve` starts a server"
    except TimeoutError:
        return f"{target} does not answer"
    except OSError as error:
        return f"{target} cannot be reached: {error.strerror or error}"
    return f"{target} {words}" if words else ""


def _in_plaintext(line: socket.socket, host: str, port: int) -> str:
    try:
        line.sendall(_GREETING)
        answer = line.recv(64)
    except OSError:
        answer = b""
    if answer[3:4] == bytes([_SETTINGS]):
        return ""
    if answer.startswith(b"HTTP/") or _speaks_http(host, port):
        return "is an HTTP port; gRPC has one of its own, 50051 unless grpc_address names another"
    if _speaks_tls(host, port):
        return "speaks TLS, and was called in plaintext: say --tls, or name its authority with --tls-ca"
    return "answers, but it is no gRPC server"


def _speaks_http(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), _SECONDS) as line:
            line.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            return line.recv(64).startswith(b"HTTP/")
    except OSError:
        return False


def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is said on this line
    try:
        with (
            socket.create_connection((host, port), _SECONDS) as line,
            context.wrap_socket(line, server_hostname=host),
        ):
            return True
    except OSError:
        return False


def _in_tls(line: socket.socket, host: str, tls: TlsFiles) -> str:
    context = ssl.create_default_context(cafile=tls.ca)
    context.set_alpn_protocols(["h2"])
    if tls.cert and tls.key:
        context.load_cert_chain(tls.cert, tls.key)
    try:
        with context.wrap_socket(line, server_hostname=host) as secured:
            if secured.selected_alpn_protocol() != "h2":
                return "speaks TLS, but it is no gRPC server"
            return _after_handshake(secured, has_certificate=tls.cert is not None)
    except ssl.SSLCertVerificationError as error:
        more = ": name its authority with --tls-ca" if error.verify_code in _UNKNOWN_ISSUER else ""
        return f"has a certificate that is refused ({error.verify_message.rstrip('.')}){more}"
    except OSError:  # ssl.SSLError is one
        return "does not speak TLS: say --plaintext if that is meant"


def _after_handshake(line: ssl.SSLSocket, *, has_certificate: bool) -> str:
    """With TLS 1.3 a server judges the client's certificate only now, and closes without a word."""
    try:
        line.sendall(_GREETING)
        if line.recv(64):
            return ""
    except TimeoutError:
        return ""
    except OSError:
        pass
    if has_certificate:
        return "does not accept this client's certificate"
    return "asks for a client's certificate: name one with --tls-cert and --tls-key"
