"""The development database: made whole and marked, or left alone."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from peers.postgresql import PostgresqlServer
from postroom_server.cli import dev_database
from postroom_server.cli.dev_database import claim
from postroom_server.cli.failure import CommandFailedError
from postroom_server.settings import Settings
from postroom_server.store.models import Fact
from postroom_server.store.opening import Address, open_database
from postroom_server.store.sqlite import StoreInUseError, hold_lock


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Settings that name a database without tables."""
    monkeypatch.chdir(tmp_path)
    if request.param == "sqlite":
        yield Settings(database_url="sqlite:///data/postroom.db")
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    url = server.new_database()
    yield Settings(database_url=url)
    server.drop_database(url)


def test_an_empty_database_is_made_marked_and_claimed_again(empty: Settings) -> None:
    settings = claim(empty)
    opened = open_database(
        Address(settings.database_url), key_text=None, key_file=settings.data_key_file, auto_migrate=False
    )
    opened.close()
    assert claim(empty) == settings


def test_a_database_that_others_made_is_left_alone(database: str) -> None:
    settings = Settings(database_url=database)
    with pytest.raises(CommandFailedError, match="was not made by `postroom dev`"):
        claim(settings)


@pytest.mark.every_database
def test_a_start_that_died_half_way_is_made_whole_by_the_next(
    empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(Exception):  # noqa: N818
        pass

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(Fact, "insert", die)
        with pytest.raises(Died):
            claim(empty)
    claim(empty)


def test_a_served_database_is_left_alone(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "x.db"), pytest.raises(StoreInUseError):
        claim(Settings(database_url=f"sqlite:///{tmp_path}/x.db"))


def test_the_data_key_of_postgresql_is_kept_in_a_file_of_its_owner(
    postgresql: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = postgresql.new_database()
    claimed = claim(Settings(database_url=url))
    assert claimed.data_key_file == dev_database.KEY_FILE
    assert stat.S_IMODE((tmp_path / dev_database.KEY_FILE).stat().st_mode) == 0o600
    given = Settings(database_url=url, data_key="5a" * 32)
    assert claim(given).data_key_file is None
    postgresql.drop_database(url)
