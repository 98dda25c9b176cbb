"""`postroom serve`: the server, until SIGTERM or SIGINT."""

from __future__ import annotations

import click
import uvloop

from postroom_server.cli.logs import configure
from postroom_server.cli.memory import settle_memory
from postroom_server.cli.setting_flags import all_flags
from postroom_server.setting_sources import Loaded


@click.command(short_help="Serves until it is told to stop.")
@all_flags
def serve(loaded: Loaded) -> None:
    """Serves until it is told to stop, then lets what is under way finish."""
    # Imported here: it brings the whole server, which other commands need not wait for.
    from postroom_server import assembly

    configure(loaded.settings)
    uvloop.run(assembly.serve(loaded.settings, on_ready=lambda _: settle_memory()))
