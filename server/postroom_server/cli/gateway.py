"""`postroom gateway`: the REST APIs in front of a server elsewhere, until SIGTERM or SIGINT."""

from __future__ import annotations

import click
import uvloop

from postroom_server.cli.aim import Aim, aimed
from postroom_server.cli.logs import configure
from postroom_server.cli.setting_flags import gateway_flags
from postroom_server.setting_sources import Loaded


@click.command(short_help="Serves the REST APIs in front of a server elsewhere.")
@aimed
@gateway_flags
def gateway(loaded: Loaded, *, aim: Aim) -> None:
    """Serves the REST APIs in front of a server elsewhere. It needs no database and holds no credentials:
    its clients' own go with their calls."""
    # Imported here: other commands need not wait for it.
    from postroom_server.remote_gateway import Target, serve_gateway

    configure(loaded.settings)
    aim.check()
    target = Target(aim.target, aim.credentials(), why_unreachable=aim.why_unreachable)
    uvloop.run(serve_gateway(loaded.settings, target))
