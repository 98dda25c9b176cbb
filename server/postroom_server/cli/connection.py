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

from postroom_server.cli.aim import Aim, aimed
from postroom_server.cli.failure import CommandFailedError, explained
from postroom_server.rpc.endpoint import is_private
from postroom_server.setting_sources import mistaken_variables

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

    @aimed
    @click.option(
        "--token",
        envvar="POSTROOM_TOKEN",
        help="The token. Unset: data/dev.token, to this machine.",
    )
    @click.option("--token-file", type=click.Path(path_type=Path), help="A file that holds the token.")
    @functools.wraps(command)
    def run(*args: Any, aim: Aim, token: str | None, token_file: Path | None, **kwargs: Any) -> None:
        if token == "":
            raise click.UsageError("--token is empty")
        for mistake in mistaken_variables():
            click.echo(f"postroom: {mistake}", err=True)
        with explained(aim.why_unreachable):
            # The address is judged before the token: without it nobody knows which token is meant.
            aim.check()
            with _open(aim, token or _read_token(token_file, aim.target)) as channel:
                command(Connection(channel), *args, **kwargs)

    return run


@contextlib.contextmanager
def _open(aim: Aim, token: str) -> Iterator[grpc.Channel]:
    options = [
        ("grpc.max_send_message_length", _MAX_BYTES),
        ("grpc.max_receive_message_length", _MAX_BYTES),
        ("grpc.enable_http_proxy", 0),
    ]
    credentials = aim.credentials()
    if credentials is None:
        channel = grpc.insecure_channel(aim.target, options)
    else:
        channel = grpc.secure_channel(aim.target, credentials, options)
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
    here = is_private(target)
    path = file or (DEV_TOKEN_FILE if here and DEV_TOKEN_FILE.exists() else None)
    if path is None:
        looked = f"there is no {DEV_TOKEN_FILE} in this folder" if here else f"{target} is another machine"
        raise CommandFailedError(
            f"no token: {looked}; give --token, --token-file or POSTROOM_TOKEN "
            "(postroom token create makes one)"
        )
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise CommandFailedError(f"cannot read {path}: {error}") from None
