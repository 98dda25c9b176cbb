"""`postroom dev`: everything on one machine, with a catcher in place of the world's mail servers."""

from __future__ import annotations

import click
import uvloop

from postroom_server.catcher import Catcher
from postroom_server.cli.dev_contents import furnish
from postroom_server.cli.dev_database import claim
from postroom_server.cli.dev_screen import show_mail, show_start
from postroom_server.cli.logs import configure
from postroom_server.cli.setting_flags import all_flags
from postroom_server.setting_sources import Loaded
from postroom_server.settings import Settings


@click.command(short_help="Serves with a mail catcher, to try things out.")
@click.option(
    "--catcher-port",
    type=click.IntRange(0, 65535),
    default=2525,
    show_default=True,
    help="Another one if taken.",
)
@all_flags
def dev(loaded: Loaded, *, catcher_port: int) -> None:
    """Serves with a mail catcher, first credentials and a sample template, and shows every mail it catches.

    Runs only against a database that it has made itself. Logs warnings only, unless log_level is set.
    """
    settings = loaded.settings
    if "log_level" not in loaded.sources:
        # The screen is for mails; its own calls would come first.
        settings = settings.model_copy(update={"log_level": "warning"})
    configure(settings)
    uvloop.run(_serve(claim(settings), catcher_port))


async def _serve(settings: Settings, catcher_port: int) -> None:
    # Imported here: it brings the whole server, which other commands need not wait for.
    from postroom_server import assembly

    async with Catcher(show_mail, port=catcher_port) as catcher:

        async def on_ready(running: assembly.Running) -> None:
            await furnish(running.store, running.channel, catcher.port)
            show_start(running.settings, running.grpc_port, running.http_port, catcher.port)

        await assembly.serve(settings, on_ready=on_ready)
