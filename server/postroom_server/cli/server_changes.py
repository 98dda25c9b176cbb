"""`postroom server update|enable|disable|remove`: changes to SMTP servers that are there."""

from __future__ import annotations

from typing import Any

import click

from postroom.v1 import mail_server_pb2, mail_server_service_pb2, mail_server_service_pb2_grpc
from postroom_server.cli.connection import Connection, connected
from postroom_server.cli.servers import MECHANISMS, TLS_MODES, ask_password

_SERVER_ID = click.argument("server_id", metavar="ID", type=click.IntRange(1))
_PLATFORM = click.option("--platform", is_flag=True, help="One of the platform's, not of the tenant's own.")


@click.command()
@_SERVER_ID
@click.option("--name", help="Another name.")
@click.option("--host", help="Another host name or address.")
@click.option("--port", type=click.IntRange(0, 65535), help="Another port; 0: 465, 25 or 587 by TLS mode.")
@click.option("--tls-mode", type=click.Choice(TLS_MODES, case_sensitive=False), help="How it is secured.")
@click.option("--username", help="Another login name; empty: no login.")
@click.option("--password", help="Another password, for others on this machine to see; empty: none.")
@click.option(
    "--ask-password",
    "asks",
    is_flag=True,
    help="Asks for another password, or takes it from POSTROOM_SMTP_PASSWORD.",
)
@click.option("--auth", type=click.Choice(MECHANISMS, case_sensitive=False), help="How to log in.")
@click.option("--from", "from_address", help="The From address of mail that names none; empty: none.")
@click.option("--from-name", help="The display name that goes with it.")
@click.option("--allow", "allowed", multiple=True, help="Who may be in From, instead of who might so far.")
@click.option("--allow-all", is_flag=True, help="Lets everyone be in From.")
@click.option("--priority", type=click.IntRange(0, 1000), help="Lower is used first.")
@click.option("--max-connections", type=click.IntRange(0, 1000), help="0: the setting's.")
@_PLATFORM
@connected
def update(
    connection: Connection,
    *,
    server_id: int,
    tls_mode: str | None,
    password: str | None,
    asks: bool,
    auth: str | None,
    allowed: tuple[str, ...],
    allow_all: bool,
    platform: bool,
    **plain: Any,
) -> None:
    """Changes what is named and leaves the rest as it is."""
    changes = {name: value for name, value in plain.items() if value is not None}
    if tls_mode:
        changes["tls_mode"] = f"TLS_MODE_{tls_mode.upper()}"
    if auth:
        changes["auth_mechanism"] = f"AUTH_MECHANISM_{auth.upper()}"
    elif plain["username"] is not None:
        changes["auth_mechanism"] = f"AUTH_MECHANISM_{'AUTO' if plain['username'] else 'NONE'}"
    if asks or password is not None:
        changes["password"] = ask_password() if password is None else password
    if allowed or allow_all:
        changes["allowed_senders"] = () if allow_all else allowed
    if not changes:
        raise click.UsageError("say what to change, such as --host or --ask-password")
    _change(connection, server_id, platform, **changes)


@click.command()
@_SERVER_ID
@_PLATFORM
@connected
def enable(connection: Connection, *, server_id: int, platform: bool) -> None:
    """Lets a server take mail."""
    _change(connection, server_id, platform, state="MAIL_SERVER_STATE_ENABLED")


@click.command()
@_SERVER_ID
@_PLATFORM
@connected
def disable(connection: Connection, *, server_id: int, platform: bool) -> None:
    """Uses a server no longer, as if it were not there; what waits goes through another."""
    _change(connection, server_id, platform, state="MAIL_SERVER_STATE_DISABLED")


@click.command()
@_SERVER_ID
@_PLATFORM
@connected
def remove(connection: Connection, *, server_id: int, platform: bool) -> None:
    """Removes a server; what waits goes through another."""
    stub = connection.stub(mail_server_service_pb2_grpc.MailServerServiceStub)
    stub.DeleteMailServer(
        mail_server_service_pb2.DeleteMailServerRequest(id=server_id, tenant_id=0 if platform else None)
    )
    click.echo(f"server {server_id} is removed")


COMMANDS = (update, enable, disable, remove)


def _change(connection: Connection, server_id: int, platform: bool, **changes: Any) -> None:
    request = mail_server_service_pb2.UpdateMailServerRequest(
        mail_server=mail_server_pb2.MailServer(id=server_id, **changes), tenant_id=0 if platform else None
    )
    request.update_mask.paths.extend(sorted(changes))
    stub = connection.stub(mail_server_service_pb2_grpc.MailServerServiceStub)
    changed = stub.UpdateMailServer(request).mail_server
    state = mail_server_pb2.MailServerState.Name(changed.state).removeprefix("MAIL_SERVER_STATE_")
    click.echo(f"server {changed.id} is {changed.name}, {changed.host}:{changed.port}, {state}")
