"""`postroom gateway`: the REST APIs in front of a server elsewhere, until SIGTERM or SIGINT."""

from __future__ import annotations

from pathlib import Path

import click
import grpc
import uvloop

from postroom_server.cli.connection import DEFAULT_TARGET, read_pem
from postroom_server.cli.logs import configure
from postroom_server.cli.setting_flags import gateway_flags
from postroom_server.rpc.endpoint import is_private
from postroom_server.setting_sources import Loaded


@click.command(short_help="Serves the REST APIs in front of a server elsewhere.")
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
@click.option("--tls-cert", type=click.Path(path_type=Path), help="The gateway's own certificate, PEM.")
@click.option("--tls-key", type=click.Path(path_type=Path), help="The key of --tls-cert, PEM.")
@click.option(
    "--tls/--plaintext",
    default=None,
    help="Whether to speak TLS with the server. Unset: plaintext to this machine, TLS to others.",
)
@gateway_flags
def gateway(
    loaded: Loaded,
    *,
    target: str,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls: bool | None,
) -> None:
    """Serves the REST APIs in front of a server elsewhere. It needs no database and holds no credentials:
    its clients' own go with their calls."""
    # Imported here: other commands need not wait for it.
    from postroom_server.remote_gateway import Target, serve_gateway

    configure(loaded.settings)
    credentials = None
    if tls or (tls is None and (tls_ca or tls_cert or not is_private(target))):
        credentials = grpc.ssl_channel_credentials(read_pem(tls_ca), read_pem(tls_key), read_pem(tls_cert))
    uvloop.run(serve_gateway(loaded.settings, Target(target, credentials)))
