"""`postroom server add|list|test`: the SMTP servers that mail is handed to."""

from __future__ import annotations

import os
import sys
from datetime import timedelta

import click

from postroom.v1 import (
    attempt_pb2,
    email_service_pb2,
    email_service_pb2_grpc,
    mail_server_pb2,
    mail_server_service_pb2,
    mail_server_service_pb2_grpc,
)
from postroom_server.cli.connection import Connection, connected
from postroom_server.cli.display import console, json_of, one_line, reply, table, word
from postroom_server.cli.failure import CommandFailedError

TLS_MODES = ("REQUIRED", "IMPLICIT", "OPPORTUNISTIC", "OFF")
MECHANISMS = ("AUTO", "PLAIN", "LOGIN", "NONE")


@click.group()
def server() -> None:
    """Keeps the SMTP servers that mail is handed to."""


@server.command()
@click.argument("name")
@click.option("--host", required=True, help="The host name or address.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Unset: 465, 25 or 587 by TLS mode.")
@click.option(
    "--tls-mode",
    type=click.Choice(TLS_MODES, case_sensitive=False),
    default="REQUIRED",
    show_default=True,
    help="How the line is secured.",
)
@click.option("--username", default="", help="The login name.")
@click.option("--password", envvar="POSTROOM_SMTP_PASSWORD", help="Unset with --username: it is asked for.")
@click.option(
    "--auth",
    type=click.Choice(MECHANISMS, case_sensitive=False),
    help="How to log in. Unset: AUTO with --username, otherwise NONE.",
)
@click.option("--from", "from_address", default="", help="The From address of mail that names none.")
@click.option("--from-name", default="", help="The display name that goes with it.")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    help="An address or @domain that may be in From. Unset: every one. May be repeated.",
)
@click.option("--priority", type=click.IntRange(0, 1000), default=0, help="Lower is used first.")
@click.option("--max-connections", type=click.IntRange(0, 1000), default=0, help="Unset: the setting's.")
@click.option("--platform", is_flag=True, help="For every tenant that has none of its own.")
@connected
def add(
    connection: Connection,
    *,
    name: str,
    host: str,
    port: int,
    tls_mode: str,
    username: str,
    password: str | None,
    auth: str | None,
    from_address: str,
    from_name: str,
    allowed: tuple[str, ...],
    priority: int,
    max_connections: int,
    platform: bool,
) -> None:
    """Adds a mail server and prints its id."""
    if username and password is None and (auth or "").upper() != "NONE":
        password = ask_password()
    request = mail_server_service_pb2.CreateMailServerRequest(
        mail_server=mail_server_pb2.MailServer(
            name=name,
            host=host,
            port=port,
            tls_mode=f"TLS_MODE_{tls_mode.upper()}",
            auth_mechanism=f"AUTH_MECHANISM_{auth.upper()}" if auth else None,
            username=username,
            password=password or "",
            from_address=from_address,
            from_name=from_name,
            allowed_senders=allowed,
            priority=priority,
            max_connections=max_connections,
        ),
        tenant_id=0 if platform else None,
    )
    stub = connection.stub(mail_server_service_pb2_grpc.MailServerServiceStub)
    click.echo(stub.CreateMailServer(request).mail_server.id)


@server.command("list")
@click.option("--platform", is_flag=True, help="The platform's instead of the tenant's own.")
@click.option("--json", "as_json", is_flag=True, help="Prints the whole answer as JSON.")
@connected
def list_(connection: Connection, *, platform: bool, as_json: bool) -> None:
    """Lists mail servers in their order of use."""
    stub = connection.stub(mail_server_service_pb2_grpc.MailServerServiceStub)
    request = mail_server_service_pb2.ListMailServersRequest(tenant_id=0 if platform else None)
    answer = stub.ListMailServers(request)
    if as_json:
        json_of(answer)
        return
    columns = ("ID", "NAME", "HOST", "TLS", "LOGIN", "FROM", "STATE", "BREAKER")
    console().print(table(columns, map(_line, answer.mail_servers)))


@server.command()
@click.argument("server_id", metavar="ID", type=click.IntRange(1))
@click.option("--to", multiple=True, required=True, help="Whom to send the test mail. May be repeated.")
@click.option("--timeout", type=click.IntRange(1, 60), default=20, show_default=True, help="In seconds.")
@connected
def test(connection: Connection, *, server_id: int, to: tuple[str, ...], timeout: int) -> None:
    """Sends a test mail through one server and tells what it replied."""
    request = email_service_pb2.SendTestEmailRequest(server_id=server_id, to=to)
    request.timeout.FromTimedelta(timedelta(seconds=timeout))
    answer = connection.stub(email_service_pb2_grpc.EmailServiceStub).SendTestEmail(request)
    said = one_line(reply(answer.code, answer.enhanced_code, answer.reply))
    if not answer.ok:
        phase = word(attempt_pb2.SmtpPhase, answer.phase)
        raise CommandFailedError(f"failed at {phase}: {said} (email {answer.email_id}){_hint(said)}")
    click.echo(f"taken: {said} (email {answer.email_id})")


def has_terminal() -> bool:
    return sys.stdin.isatty()


def _hint(said: str) -> str:
    if "certificate refused" not in said:
        return ""
    return "; the server's setting smtp_ca_file (POSTROOM_SMTP_CA_FILE) names authorities of your own"


def ask_password() -> str:
    """The login's password: POSTROOM_SMTP_PASSWORD, or what a person types."""
    given = os.environ.get("POSTROOM_SMTP_PASSWORD")
    if given is None and not has_terminal():
        raise CommandFailedError("there is no terminal to ask for a password: set POSTROOM_SMTP_PASSWORD")
    return str(click.prompt("Password", hide_input=True, err=True)) if given is None else given


def _line(one: mail_server_pb2.MailServer) -> tuple[object, ...]:
    return (
        one.id,
        one.name,
        f"{one.host}:{one.port}",
        word(mail_server_pb2.TlsMode, one.tls_mode),
        one.username,
        one.from_address,
        word(mail_server_pb2.MailServerState, one.state),
        word(mail_server_pb2.BreakerState, one.breaker.state),
    )
