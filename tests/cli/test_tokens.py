"""`postroom token create|list|revoke`, in the database itself."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from postroom_server.cli import main
from postroom_server.clock import Clock
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.recognition import Tokens
from postroom_server.store.opening import Address, open_database

KEY = "5a" * 32
Run = Callable[..., Result]


@pytest.fixture
def run(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTROOM_DATABASE_URL", database)
    monkeypatch.setenv("POSTROOM_DATA_KEY", KEY)
    return lambda *arguments: CliRunner().invoke(main, ["token", *arguments])


@pytest.fixture
def recognise(database: str) -> Callable[[str], Caller | None]:
    """Whom a server takes the bearer of a secret for."""

    async def ask(secret: str) -> Caller | None:
        opened = open_database(Address(database), key_text=KEY, key_file=None, auto_migrate=False)
        tokens = Tokens(opened.store, Clock())
        try:
            return await tokens.authenticate(secret)
        finally:
            await tokens.close()
            opened.close()

    return lambda secret: asyncio.run(ask(secret))


def test_a_token_opens_what_it_was_made_for_until_it_is_revoked(
    run: Run, recognise: Callable[[str], Caller | None]
) -> None:
    made = run("create", "shop", "--scope", "send", "--scope", "code", "--test")
    secret = made.stdout.strip()
    assert made.exit_code == 0
    caller = recognise(secret)
    assert caller is not None
    assert (caller.name, caller.tenant_id, caller.scopes, caller.test) == (
        "shop",
        0,
        {Scope.SEND, Scope.CODE},
        True,
    )
    listed = run("list")
    assert "shop" in listed.stdout
    assert "in force test" in listed.stdout
    assert secret not in listed.stdout
    assert run("revoke", str(caller.token_id)).stdout == "shop is revoked\n"
    assert "revoked" in run("list").stdout
    assert recognise(secret) is None


def test_every_scope_is_listed_as_all(run: Run) -> None:
    run("create", "everything", "--all-scopes")
    run("create", "some", "--scope", "send", "--scope", "read")
    lines = run("list").stdout.splitlines()[1:]
    assert [line.split()[1:4] for line in lines] == [["some", "send", "read"], ["everything", "all", "in"]]


def test_a_pair_is_for_templates(run: Run, recognise: Callable[[str], Caller | None]) -> None:
    made = run("create", "old client", "--api-user", "shop")
    caller = recognise(f"shop:{made.stdout.strip()}")
    assert caller is not None
    assert caller.scopes == {Scope.TEMPLATE, Scope.PLATFORM}


def test_a_token_may_get_every_scope(run: Run, recognise: Callable[[str], Caller | None]) -> None:
    caller = recognise(run("create", "root", "--all-scopes", "--expires", "+1d").stdout.strip())
    assert caller is not None
    assert caller.scopes == set(Scope)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "shop"), "postroom: TOKEN_EXISTS: a token named shop is in force\n"),
        (("create", "x", "--tenant", "77"), "postroom: TENANT_NOT_FOUND: there is no such tenant\n"),
        (("revoke", "1"), "postroom: TOKEN_NOT_FOUND: there is no such token\n"),
        (("create", ""), "postroom: INVALID_FIELD: token.name: "),
    ],
)
def test_refusals_are_one_line(arguments: tuple[str, ...], said: str, run: Run) -> None:
    run("create", "shop")
    result = run(*arguments)
    assert result.stderr.startswith(said)
    assert result.stderr.count("\n") == 1
    assert (result.stdout, result.exit_code) == ("", 1)


def test_a_database_that_is_not_there_is_not_made(run: Run, tmp_path: Path) -> None:
    result = run("list", "--database-url", f"sqlite:///{tmp_path}/none.db")
    assert result.stderr.startswith(f"postroom: there is no database {tmp_path}/none.db; ")
    assert result.exit_code == 1
    assert not (tmp_path / "none.db").exists()


def test_the_key_file_of_a_new_sqlite_database_is_its_owners(tmp_path: Path) -> None:
    flags = ["--database-url", f"sqlite:///{tmp_path}/own.db"]
    CliRunner().invoke(main, ["db", "migrate", *flags])
    assert CliRunner().invoke(main, ["token", "create", "x", *flags]).exit_code == 0
    assert stat.S_IMODE((tmp_path / "own.key").stat().st_mode) == 0o600
