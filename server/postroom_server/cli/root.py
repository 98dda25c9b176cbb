"""`postroom`: the group that all commands hang on."""

from __future__ import annotations

from importlib.metadata import version

import click

from postroom_server.cli.database import db
from postroom_server.cli.develop import dev
from postroom_server.cli.emails import email
from postroom_server.cli.events import events
from postroom_server.cli.gateway import gateway
from postroom_server.cli.members import member
from postroom_server.cli.send import send
from postroom_server.cli.serve import serve
from postroom_server.cli.server_changes import COMMANDS as SERVER_CHANGES
from postroom_server.cli.servers import server
from postroom_server.cli.show_settings import settings
from postroom_server.cli.templates import template
from postroom_server.cli.tenants import tenant
from postroom_server.cli.tokens import token


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("postroom"), prog_name="postroom")
def main() -> None:
    """Postroom accepts emails over gRPC and REST, hands them to SMTP, and accounts for each one."""


for command in (
    serve,
    gateway,
    dev,
    send,
    email,
    events,
    template,
    server,
    member,
    tenant,
    token,
    db,
    settings,
):
    main.add_command(command)
for command in SERVER_CHANGES:
    server.add_command(command)
