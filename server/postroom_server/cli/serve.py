"""`postroom serve`: the server, until SIGTERM or SIGINT."""

from __future__ import annotations

from importlib.metadata import version

import click
import structlog
import uvloop

from postroom_server.cli.logs import configure
from postroom_server.cli.setting_flags import all_flags
from postroom_server.memory import settle_memory
from postroom_server.setting_sources import Loaded
from postroom_server.store.models import MailServer
from postroom_server.store.opening import Address

log = structlog.get_logger()


@click.command(short_help="Serves until it is told to stop.")
@all_flags
def serve(loaded: Loaded) -> None:
    """Serves until it is told to stop, then lets what is under way finish."""
    # Imported here: it brings the whole server, which other commands need not wait for.
    from postroom_server import assembly

    configure(loaded.settings)

    async def on_ready(running: assembly.Running) -> None:
        database = Address(running.settings.database_url).masked()
        log.info("serving", version=version("postroom"), database=database)
        if not await running.store.read(_has_mail_server):
            log.info("no_mail_server", hint="mail waits until there is one: postroom server add")
        settle_memory()

    uvloop.run(assembly.serve(loaded.settings, on_ready=on_ready))


def _has_mail_server() -> bool:
    return MailServer.select().exists()
