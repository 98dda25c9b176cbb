"""Opens the database a deployment names: connect, check versions, migrate, match the data key."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import secrets
from pathlib import Path
from typing import IO

import apsw
import peewee

from postroom_server.store.migration import OldDatabaseError, migrate, pending
from postroom_server.store.models import Fact, bound
from postroom_server.store.postgresql import PostgresqlStore, postgresql_database
from postroom_server.store.sealing import DataKey, DataKeyError
from postroom_server.store.sqlite import SqliteStore, hold_lock, sqlite_database
from postroom_server.store.unit import Store

_SQLITE_SCHEME = "sqlite:///"
_LEAST_SQLITE = (3, 51, 3)  # before, a checkpoint beside a COMMIT could spoil the file (docs/adr/0017)
_LEAST_POSTGRESQL = 14_00_00


class DatabaseUnusableError(Exception):
    """The database cannot be reached or is too old; the text is one line for the operator."""


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Where the database is: `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://…`."""

    url: str

    @property
    def sqlite_path(self) -> Path | None:
        return Path(self.url.removeprefix(_SQLITE_SCHEME)) if self.url.startswith(_SQLITE_SCHEME) else None

    def connect(self) -> peewee.SqliteDatabase | peewee.PostgresqlDatabase:
        """Binds the models to this database and opens a first connection."""
        path = self.sqlite_path
        try:
            if path is not None:
                _check_sqlite()
                database: peewee.SqliteDatabase | peewee.PostgresqlDatabase = sqlite_database(path)
            elif self.url.startswith(("postgresql://", "postgres://")):
                database = postgresql_database("postgresql://" + self.url.partition("://")[2])
            else:
                raise DatabaseUnusableError("the database URL must begin with sqlite:/// or postgresql://")
            bound.initialize(database)
            database.connect()
            _check_postgresql(database)
        except peewee.ProgrammingError:
            # libpq could not read the URL, and quotes the part it stumbled over: perhaps the password.
            raise DatabaseUnusableError("the database URL is not well-formed") from None
        except (peewee.PeeweeException, apsw.Error, OSError, UnicodeEncodeError) as error:
            raise self.unusable(error) from error
        return database

    def unusable(self, error: Exception) -> DatabaseUnusableError:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return DatabaseUnusableError(f"cannot open the database {self.masked()}: {reason}")

    def masked(self) -> str:
        """The URL without its passwords."""
        if self.sqlite_path is not None:
            return self.url
        without_options = re.sub(r"(?<=[?&])\w*password=[^&]*(&|$)", "", self.url).rstrip("?&")
        scheme, _, rest = without_options.partition("://")
        who, at, where = rest.rpartition("@")
        return f"{scheme}://{who.partition(':')[0]}{at}{where}"


@dataclasses.dataclass(frozen=True, slots=True)
class OpenDatabase:
    store: Store
    key: DataKey
    stream_epoch: str
    lock: IO[bytes] | None  # SQLite: held while this process serves the file

    def close(self) -> None:
        """Closes the store, then lets another process serve the file."""
        self.store.close()
        if self.lock is not None:
            self.lock.close()


def open_database(
    address: Address,
    *,
    key_text: str | None,
    key_file: Path | None,
    auto_migrate: bool,
    serving: bool = True,
    connections: int = 8,
) -> OpenDatabase:
    """Opens the database for serving, or (serving=False) beside a process that serves it."""
    path = address.sqlite_path
    lock = None
    if path is not None and serving:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = hold_lock(path)
        except OSError as error:
            raise address.unusable(error) from error
    try:
        database = address.connect()
        with contextlib.closing(database):
            waiting = pending(database)
            if waiting and not (auto_migrate and serving):
                raise OldDatabaseError(f"the database lacks {', '.join(waiting)}; run: postroom db migrate")
            if waiting:
                migrate(database)
            key = _match_key(database, key_text, key_file, path)
            epoch = _fact(database, "stream_epoch", secrets.token_hex(8))
        if isinstance(database, peewee.SqliteDatabase):
            return OpenDatabase(SqliteStore(database), key, epoch, lock)
        return OpenDatabase(PostgresqlStore(database, connections=connections), key, epoch, None)
    except BaseException:
        if lock is not None:
            lock.close()
        raise


def _fact(database: peewee.Database, name: str, fresh: str) -> str:
    """The fact's value; `fresh` is stored when the database does not know it yet."""
    with database.atomic():
        Fact.insert(name=name, value=fresh).on_conflict_ignore().execute()
        return str(Fact.get_by_id(name).value)


def _match_key(
    database: peewee.Database, key_text: str | None, key_file: Path | None, sqlite_path: Path | None
) -> DataKey:
    known = Fact.get_or_none(Fact.name == "data_key")
    if key_text:
        key = DataKey.from_text(key_text)
    else:
        path = key_file or (sqlite_path.with_suffix(".key") if sqlite_path is not None else None)
        if path is None:
            raise DataKeyError(
                "PostgreSQL needs the data key: set POSTROOM_DATA_KEY or POSTROOM_DATA_KEY_FILE"
            )
        if path.exists():
            key = DataKey.from_file(path)
        elif sqlite_path is None:
            # Each machine would make its own, and the first to start would lock the others out.
            raise DataKeyError(f"the data key file {path} is missing; PostgreSQL needs one made beforehand")
        elif known is not None:
            raise DataKeyError(f"the data key file {path} is missing; this database was sealed with it")
        else:
            key = DataKey.create_file(path)
    mark = f"{key.key_id}:{key.check_value()}"
    if _fact(database, "data_key", mark) != mark:
        raise DataKeyError("this data key is not the one the database was sealed with")
    return key


def _check_sqlite() -> None:
    version = apsw.sqlite_lib_version()
    if tuple(map(int, version.split("."))) < _LEAST_SQLITE:
        needed = ".".join(map(str, _LEAST_SQLITE))
        raise DatabaseUnusableError(
            f"SQLite {version} is too old: {needed} or newer is needed, as the apsw package brings it along"
        )


def _check_postgresql(database: peewee.Database) -> None:
    if isinstance(database, peewee.PostgresqlDatabase) and database.server_version < _LEAST_POSTGRESQL:
        database.close()
        raise DatabaseUnusableError("PostgreSQL is too old: 14 or newer is needed")
