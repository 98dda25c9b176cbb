"""`postroom db migrate|check`, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from peers.postgresql import PostgresqlServer
from postroom_server.cli import main
from postroom_server.settings import Settings
from postroom_server.store.sqlite import hold_lock

KEY = "5a" * 32
Run = Callable[..., Result]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables; of a file that is not there."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/new/postroom.db"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    url = server.new_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def run(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTROOM_DATABASE_URL", database)
    monkeypatch.setenv("POSTROOM_DATA_KEY", KEY)
    return lambda *arguments: CliRunner().invoke(main, arguments)


def test_a_new_database_is_made_checked_and_left_alone_afterwards(run: Run) -> None:
    first = run("db", "migrate")
    assert first.stdout.startswith("applied 0001_foundation\n")
    assert first.exit_code == 0
    again = run("db", "migrate")
    assert "applied" not in again.stdout
    checked = run("db", "check")
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert "fits data key" in checked.stdout


def test_a_database_that_was_never_made_is_one_line(run: Run, tmp_path: Path) -> None:
    checked = run("db", "check")
    assert checked.exit_code == 1
    assert "postroom db migrate" in checked.stderr
    assert checked.stderr.count("\n") == 1
    assert list(tmp_path.rglob("*.db")) == []


def test_another_data_key_is_refused(run: Run) -> None:
    run("db", "migrate")
    run("db", "check")
    other = CliRunner().invoke(main, ["db", "check"], env={"POSTROOM_DATA_KEY": "a5" * 32})
    assert (other.stderr, other.exit_code) == (
        "postroom: this data key is not the one the database was sealed with\n",
        1,
    )


def test_a_served_sqlite_database_is_not_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_DATABASE_URL", f"sqlite:///{tmp_path}/postroom.db")
    with hold_lock(tmp_path / "postroom.db"):
        result = CliRunner().invoke(main, ["db", "migrate"])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"postroom: {tmp_path}/postroom.db is served by another Postroom process")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "postgresql://postgres:s3cret@127.0.0.1:1/none",
            "cannot open the database postgresql://postgres@127",
        ),
        ("mysql://localhost/x", "the database URL must begin with sqlite:/// or postgresql://"),
    ],
)
def test_an_unreachable_database_is_one_line(url: str, said: str) -> None:
    result = CliRunner().invoke(main, ["db", "check", "--database-url", url], env={"POSTROOM_DATA_KEY": KEY})
    assert result.stderr.startswith(f"postroom: {said}")
    assert result.stderr.count("\n") == 1
    assert "s3cret" not in result.stderr
    assert result.exit_code == 1


def test_every_setting_has_a_flag_but_the_secrets() -> None:
    flags = {option for parameter in main.commands["serve"].params for option in parameter.opts}
    secrets = {"--data-key", "--gateway-token"}
    assert {f"--{name.replace('_', '-')}" for name in Settings.model_fields} - secrets <= flags
    assert not secrets & flags
