"""Where a command or a gateway finds its server, and how it is spoken to: the options that all share."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import grpc

from postroom_server.rpc.certificates import read_authorities, read_pair
from postroom_server.rpc.diagnosis import TlsFiles, why_unreachable
from postroom_server.rpc.endpoint import check_address, is_private

DEFAULT_TARGET = "127.0.0.1:50051"


@dataclasses.dataclass(frozen=True, slots=True)
class Aim:
    """A server's address. Without `tls` it is spoken to in plaintext."""

    target: str
    tls: TlsFiles | None = None

    def check(self) -> None:
        """Raises ConfigurationError where gRPC would misunderstand, or end the process."""
        check_address("--target", self.target)
        self.credentials()

    def credentials(self) -> grpc.ChannelCredentials | None:
        if self.tls is None:
            return None
        ca, cert, key = self.tls.ca, self.tls.cert, self.tls.key
        authorities = read_authorities("--tls-ca", ca) if ca else None
        key_pem, chain = read_pair("--tls-cert", cert, "--tls-key", key) if cert and key else (None, None)
        return grpc.ssl_channel_credentials(authorities, key_pem, chain)

    def why_unreachable(self) -> str:
        """What a look at the address finds; empty when it finds nothing wrong."""
        return why_unreachable(self.target, self.tls)


def aimed(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options, and `aim` in their place."""

    @click.option(
        "--target",
        envvar="POSTROOM_TARGET",
        default=DEFAULT_TARGET,
        show_default=True,
        help="The server: `host:port`. A name with several addresses is several servers.",
    )
    @click.option(
        "--tls-ca",
        envvar="POSTROOM_TLS_CA",
        type=click.Path(path_type=Path),
        help="Authorities that the server's certificate is checked against, PEM. Unset: the system's.",
    )
    @click.option("--tls-cert", type=click.Path(path_type=Path), help="This side's own certificate, PEM.")
    @click.option("--tls-key", type=click.Path(path_type=Path), help="The key of --tls-cert, PEM.")
    @click.option("--tls", "wants_tls", is_flag=True, help="Speaks TLS, also with this machine.")
    @click.option(
        "--plaintext", is_flag=True, help="Speaks plaintext. Unset: with this machine; with others, TLS."
    )
    @functools.wraps(command)
    def run(
        *args: Any,
        target: str,
        tls_ca: Path | None,
        tls_cert: Path | None,
        tls_key: Path | None,
        wants_tls: bool,
        plaintext: bool,
        **kwargs: Any,
    ) -> None:
        files = TlsFiles(tls_ca, tls_cert, tls_key)
        _refuse_contradictions(files, wants_tls=wants_tls, plaintext=plaintext)
        is_tls = wants_tls or bool(tls_ca or tls_cert) or not is_private(target)
        command(*args, aim=Aim(target, files if is_tls and not plaintext else None), **kwargs)

    return run


def _refuse_contradictions(files: TlsFiles, *, wants_tls: bool, plaintext: bool) -> None:
    if wants_tls and plaintext:
        raise click.UsageError("--tls and --plaintext contradict each other")
    # POSTROOM_TLS_CA may be set for other servers; a certificate is named for this one.
    if plaintext and (files.cert or files.key):
        raise click.UsageError("--tls-cert and --tls-key are for TLS, not for --plaintext")
    # gRPC would end the process over half a pair.
    if files.cert and not files.key:
        raise click.UsageError("--tls-cert needs --tls-key")
    if files.key and not files.cert:
        raise click.UsageError("--tls-key needs --tls-cert")
