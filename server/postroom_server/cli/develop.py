"""`postroom dev`: everything on one machine, with a catcher in place of the world's mail servers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import click
import uvloop

from postroom_server.catcher import Catcher
from postroom_server.cli.dev_contents import furnish
from postroom_server.cli.dev_database import claim, held_folder
from postroom_server.cli.dev_screen import CATCHER_PORT, show_mail, show_start
from postroom_server.cli.failure import CommandFailedError
from postroom_server.cli.logs import configure
from postroom_server.cli.setting_flags import all_flags
from postroom_server.setting_sources import Loaded
from postroom_server.settings import Settings


@click.command(short_help="Serves with a mail catcher, to try things out.")
@click.option(
    "--catcher-port",
    type=click.IntRange(0, 65535),
    help=f"Unset: {CATCHER_PORT}, or another one where that is taken.",
)
@all_flags
def dev(loaded: Loaded, *, catcher_port: int | None) -> None:
    """Serves with a mail catcher, first credentials and a sample template, and shows every mail it catches.

    Runs only against a database that it has made itself. Logs warnings only, unless log_level is set.
    """
    settings = loaded.settings
    if "log_level" not in loaded.sources:
        # The screen is for mails; its own calls would come first.
        settings = settings.model_copy(update={"log_level": "warning"})
    configure(settings)
    with held_folder():
        uvloop.run(_serve(claim(settings), catcher_port))


async def _serve(settings: Settings, catcher_port: int | None) -> None:
    # Imported here: it brings the whole server, which other commands need not wait for.
    from postroom_server import assembly

    async with _catcher(catcher_port) as catcher:

        async def on_ready(running: assembly.Running) -> None:
            await furnish(running.store, running.channel, catcher.port)
            show_start(running.settings, running.grpc_port, running.http_port, catcher.port)

        await assembly.serve(settings, on_ready=on_ready)


@contextlib.asynccontextmanager
async def _catcher(port: int | None) -> AsyncIterator[Catcher]:
    """On the port that was asked for, else on the usual one, else on any."""
    async with contextlib.AsyncExitStack() as stack:
        wanted = Catcher(show_mail, port=CATCHER_PORT if port is None else port)
        try:
            catcher = await stack.enter_async_context(wanted)
        except OSError:
            if port is not None:
                raise CommandFailedError(
                    f"cannot listen on 127.0.0.1:{port}: it is taken; name another --catcher-port"
                ) from None
            catcher = await stack.enter_async_context(Catcher(show_mail))
        yield catcher
