"""`postroom settings`: every setting, its value, and who set it."""

from __future__ import annotations

import click

from postroom_server.cli.display import console, table
from postroom_server.cli.setting_flags import all_flags_told
from postroom_server.setting_sources import Loaded, mistaken_variables, shown
from postroom_server.settings import Settings


@click.command()
@all_flags_told
def settings(loaded: Loaded) -> None:
    """Prints every setting with its value and source. Secrets are masked."""
    rows = [(name, shown(loaded.settings, name), loaded.source_of(name)) for name in Settings.model_fields]
    console().print(table(("SETTING", "VALUE", "SOURCE"), rows))
    for mistake in mistaken_variables():
        click.echo(f"postroom: {mistake}", err=True)
