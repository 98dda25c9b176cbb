"""The development database: made and marked by `postroom dev`, which touches no other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import peewee

from postroom_server.cli.failure import CommandFailedError
from postroom_server.settings import Settings
from postroom_server.store.migration import migrate
from postroom_server.store.models import Fact
from postroom_server.store.opening import Address
from postroom_server.store.sealing import DataKey
from postroom_server.store.sqlite import StoreInUseError, hold_lock

KEY_FILE = Path("data/dev.key")
FOLDER = Path("data/dev")  # its lock is data/dev.lock
_MARK = {"name": "created_by", "value": "dev"}


@contextlib.contextmanager
def held_folder() -> Iterator[None]:
    """This folder for one `dev` at a time: the token in data/ is of the database of one."""
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = hold_lock(FOLDER)
    except StoreInUseError:
        raise CommandFailedError(
            "`postroom dev` runs in this folder already, and its token is in data/: "
            "use that one, or start this one in another folder"
        ) from None
    with lock:
        yield


def claim(settings: Settings) -> Settings:
    """Makes and marks the database, or makes sure that an earlier `dev` did; settings with a data key."""
    address = Address(settings.database_url)
    path = address.sqlite_path
    with contextlib.ExitStack() as stack:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(hold_lock(path))
        database = address.connect()
        stack.callback(database.close)
        if not database.get_tables():
            _make(database)
        elif not _is_ours(database):
            raise CommandFailedError(
                f"{address.masked()} was not made by `postroom dev`, which touches no other: name a new one"
            )
    if path is not None or settings.data_key.get_secret_value() or settings.data_key_file:
        return settings
    return settings.model_copy(update={"data_key_file": _key_file()})


def _make(database: peewee.Database) -> None:
    # One transaction: a database that is half made has no tables, and the next start makes it whole.
    with database.atomic():
        migrate(database)
        Fact.insert(_MARK).execute()


def _is_ours(database: peewee.Database) -> bool:
    if not database.table_exists(Fact):
        return False
    return Fact.select().where((Fact.name == _MARK["name"]) & (Fact.value == _MARK["value"])).exists()


def _key_file() -> Path:
    """The data key of development databases on PostgreSQL, where no file lies beside the database."""
    if not KEY_FILE.exists():
        KEY_FILE.parent.mkdir(parents=True, exist_ok=True)
        DataKey.create_file(KEY_FILE)
    return KEY_FILE
