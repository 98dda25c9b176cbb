"""`postroom db migrate|check`, and how commands open the database beside a running server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from postroom_server.cli.failure import CommandFailedError
from postroom_server.cli.setting_flags import database_flags
from postroom_server.setting_sources import Loaded
from postroom_server.settings import Settings
from postroom_server.store import migration
from postroom_server.store.opening import Address, OpenDatabase, open_database
from postroom_server.store.sqlite import hold_lock


@click.group()
def db() -> None:
    """Looks after the database."""


@db.command()
@database_flags
def migrate(loaded: Loaded) -> None:
    """Brings the database to this release's schema, and makes it when there is none.

    On SQLite no server may be running on it.
    """
    address = Address(loaded.settings.database_url)
    with contextlib.ExitStack() as stack:
        path = address.sqlite_path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(hold_lock(path))
        database = address.connect()
        stack.callback(database.close)
        applied = migration.migrate(database)
    for name in applied:
        click.echo(f"applied {name}")
    click.echo(f"{address.masked()} has this release's schema")


@db.command()
@database_flags
def check(loaded: Loaded) -> None:
    """Tells whether the database can be reached, has this release's schema, and fits the data key."""
    address = Address(loaded.settings.database_url)
    with beside(loaded.settings) as opened:
        click.echo(
            f"{address.masked()} answers, has this release's schema, and fits data key {opened.key.key_id}"
        )


@contextlib.contextmanager
def beside(settings: Settings) -> Iterator[OpenDatabase]:
    """The database, opened beside whoever serves it. Never makes one."""
    address = Address(settings.database_url)
    path = address.sqlite_path
    if path is not None and not path.exists():
        raise CommandFailedError(
            f"there is no database {path}; `postroom serve` or `postroom db migrate` makes it"
        )
    opened = open_database(
        address,
        key_text=settings.data_key.get_secret_value() or None,
        key_file=settings.data_key_file,
        auto_migrate=False,
        serving=False,
    )
    try:
        yield opened
    finally:
        opened.close()
