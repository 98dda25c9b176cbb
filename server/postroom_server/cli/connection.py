"""How a command reaches the server: the address, the token and TLS, as options that all clients share."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import grpc

from postroom_server.cli.failure import CommandFailedError, explained
from postroom_server.rpc.endpoint import is_private

DEFAULT_TARGET = "127.0.0.1:50051"
DEV_TOKEN_FILE = Path("data/dev.token")
DEV_PAIR_FILE = Path("data/dev.api-user")
_DEADLINE = 60.0
_MAX_BYTES = 26 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Connection:
    """An open channel whose calls carry the token."""

    channel: grpc.Channel

    def stub(self, make: Callable[[grpc.Channel], Any]) -> Any:
        return make(self.channel)


def connected(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options and, as its first argument, a `Connection`; explains what goes wrong."""

    @click.option(
        "--target", envvar="POSTROOM_TARGET", default=DEFAULT_TARGET, show_default=True, help="The server."
    )
    @click.option(
        "--token",
        envvar="POSTROOM_TOKEN",
        help="The token. Unset: data/dev.token, to this machine.",
    )
    @click.option("--token-file", type=click.Path(path_type=Path), help="A file that holds the token.")
    @click.option(
        "--tls-ca",
        envvar="POSTROOM_TLS_CA",
        type=click.Path(path_type=Path),
        help="Authorities that the server's certificate is checked against, PEM. Unset: the system's.",
    )
    @click.option("--tls-cert", type=click.Path(path_type=Path), help="This client's certificate, PEM.")
    @click.option("--tls-key", type=click.Path(path_type=Path), help="The key of --tls-cert, PEM.")
    @click.option(
        "--tls/--plaintext",
        default=None,
        help="Whether to use TLS. Unset: plaintext to this machine, TLS to others.",
    )
    @functools.wraps(command)
    def run(
        *args: Any,
        target: str,
        token: str | None,
        token_file: Path | None,
        tls_ca: Path | None,
        tls_cert: Path | None,
        tls_key: Path | None,
        tls: bool | None,
        **kwargs: Any,
    ) -> None:
        if tls is None:
            tls = bool(tls_ca or tls_cert) or not is_private(target)
        secret = token or _read_token(token_file, target)
        with explained(), _open(target, secret, tls, tls_ca, tls_cert, tls_key) as channel:
            command(Connection(channel), *args, **kwargs)

    return run


@contextlib.contextmanager
def _open(
    target: str, token: str, tls: bool, ca: Path | None, cert: Path | None, key: Path | None
) -> Iterator[grpc.Channel]:
    options = [
        ("grpc.max_send_message_length", _MAX_BYTES),
        ("grpc.max_receive_message_length", _MAX_BYTES),
        ("grpc.enable_http_proxy", 0),
    ]
    if tls:
        credentials = grpc.ssl_channel_credentials(read_pem(ca), read_pem(key), read_pem(cert))
        channel = grpc.secure_channel(target, credentials, options)
    else:
        channel = grpc.insecure_channel(target, options)
    with channel:
        yield grpc.intercept_channel(channel, _Bearer(token))


class _Bearer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Adds the token to every call, and a deadline to unary ones."""

    def __init__(self, token: str) -> None:
        self._metadata = (("authorization", f"Bearer {token}"),)

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(self._details(details, details.timeout or _DEADLINE), request)

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(self._details(details, details.timeout), request)

    def _details(self, details: Any, timeout: float | None) -> _Details:
        metadata = (*(details.metadata or ()), *self._metadata)
        return _Details(details.method, timeout, metadata, details.credentials, details.wait_for_ready)


@dataclasses.dataclass(frozen=True, slots=True)
class _Details(grpc.ClientCallDetails):
    method: str
    timeout: float | None
    metadata: tuple[tuple[str, str | bytes], ...] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None = None


def _read_token(file: Path | None, target: str) -> str:
    # The development token is of use on this machine only; nobody else is told it.
    path = file or (DEV_TOKEN_FILE if is_private(target) and DEV_TOKEN_FILE.exists() else None)
    if path is None:
        raise CommandFailedError(
            "no token: give --token, --token-file or POSTROOM_TOKEN (postroom token create makes one)"
        )
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise CommandFailedError(f"cannot read {path}: {error}") from None


def read_pem(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandFailedError(f"cannot read {path}: {error.strerror}") from None
