"""Secrets at rest (security.md G1), the modes of files (G3), and opening with the right key or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom_server.store.models import Fact, bound
from postroom_server.store.opening import Address, DatabaseUnusableError, OpenDatabase, open_database
from postroom_server.store.sealing import DataKey, DataKeyError, Sealer

KEY = DataKey.from_text("11" * 32)
OTHER_KEY = DataKey.from_text("22" * 32)
PLACE = {"table": "mail_server", "column": "sealed_password", "row_id": 42}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextlib.contextmanager
def opening(
    url: str, *, key_text: str | None = None, key_file: Path | None = None, serving: bool = True
) -> Iterator[OpenDatabase]:
    opened = open_database(
        Address(url), key_text=key_text, key_file=key_file, auto_migrate=True, serving=serving
    )
    try:
        yield opened
    finally:
        opened.close()


def test_a_sealed_value_opens_in_its_own_place() -> None:
    sealed = Sealer(KEY).seal("pässword", **PLACE)
    assert Sealer(KEY).open(sealed, **PLACE) == "pässword"


def test_a_sealed_value_shows_nothing_of_what_it_holds() -> None:
    sealed = Sealer(KEY).seal("password", **PLACE)
    assert b"password" not in sealed
    assert sealed != Sealer(KEY).seal("password", **PLACE)


@pytest.mark.parametrize(
    "elsewhere", [{"table": "token"}, {"column": "ca_pem"}, {"row_id": 43}, {"column": "x", "row_id": 4}]
)
def test_a_sealed_value_moved_elsewhere_does_not_open(elsewhere: dict[str, object]) -> None:
    sealed = Sealer(KEY).seal("password", **PLACE)
    with pytest.raises(DataKeyError, match="tampered"):
        Sealer(KEY).open(sealed, **{**PLACE, **elsewhere})


def test_a_sealed_value_changed_in_any_byte_does_not_open() -> None:
    sealed = Sealer(KEY).seal("password", **PLACE)
    for position in range(len(sealed)):
        changed = sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :]
        with pytest.raises(DataKeyError):
            Sealer(KEY).open(changed, **PLACE)


def test_a_sealed_value_cut_anywhere_does_not_open() -> None:
    sealed = Sealer(KEY).seal("password", **PLACE)
    for length in range(len(sealed)):
        with pytest.raises(DataKeyError):
            Sealer(KEY).open(sealed[:length], **PLACE)


def test_another_key_does_not_open_it_and_the_error_says_that_it_is_the_key() -> None:
    sealed = Sealer(KEY).seal("password", **PLACE)
    with pytest.raises(DataKeyError, match="another key"):
        Sealer(OTHER_KEY).open(sealed, **PLACE)


def test_purposes_have_keys_of_their_own() -> None:
    keys = {KEY.derive("sealed-columns"), KEY.derive("codes"), OTHER_KEY.derive("codes"), KEY.secret}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)


def test_what_is_public_of_a_key_does_not_show_it() -> None:
    shown = f"{KEY!r} {KEY.key_id} {KEY.check_value()}"
    assert KEY.secret.hex() not in shown
    assert repr(KEY.secret) not in shown
    assert KEY.key_id != OTHER_KEY.key_id
    assert KEY.check_value() != OTHER_KEY.check_value()


def test_a_key_is_hexadecimal_or_base64() -> None:
    as_base64 = "ERERERERERERERERERERERERERERERERERERERERERE="
    assert DataKey.from_text(as_base64) == KEY == DataKey.from_text(f" {'11' * 32}\r\n")


@pytest.mark.parametrize("text", ["", "11" * 31, "11" * 33, "zz" * 32, "ERER", "密" * 64, "密钥"])
def test_anything_else_is_not_a_key(text: str) -> None:
    with pytest.raises(DataKeyError):
        DataKey.from_text(text)


def test_a_new_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "data.key"
    key = DataKey.create_file(path)
    assert mode_of(path) == 0o600
    assert DataKey.from_file(path) == key


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "data.key"
    key = DataKey.create_file(path)
    with pytest.raises(FileExistsError):
        DataKey.create_file(path)
    assert DataKey.from_file(path) == key


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o601])
def test_a_key_file_open_to_others_is_refused_with_the_way_out(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "data.key"
    DataKey.create_file(path)
    path.chmod(mode)
    with pytest.raises(DataKeyError, match=f"chmod 600 {path}"):
        DataKey.from_file(path)


def test_a_key_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.key"
    path.write_bytes(os.urandom(16) + b"\xff" * 16)
    path.chmod(0o600)
    with pytest.raises(DataKeyError):
        DataKey.from_file(path)


async def test_a_new_sqlite_database_and_its_key_are_their_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "postroom.db"
    with opening(f"sqlite:///{path}") as opened:
        await opened.store.write(Fact.delete().where(Fact.name == "").execute)
        assert mode_of(path) == 0o600
        assert mode_of(path.with_suffix(".key")) == 0o600
        assert mode_of(path.with_name("postroom.db-wal")) == 0o600
        key = opened.key
    with opening(f"sqlite:///{path}") as again:
        assert again.key == key


@pytest.mark.every_database
def test_a_key_that_is_not_this_databases_is_refused(database: str) -> None:
    with opening(database, key_text="11" * 32):
        pass
    with pytest.raises(DataKeyError, match="not the one"), opening(database, key_text="22" * 32):
        pass
    with opening(database, key_text="11" * 32) as opened:
        assert opened.key == KEY


@pytest.mark.every_database
def test_the_database_holds_the_keys_id_and_check_value_and_not_the_key(database: str) -> None:
    with opening(database, key_text="11" * 32):
        facts = {fact.name: fact.value for fact in Fact.select()}
        bound.close()
    assert facts["data_key"] == f"{KEY.key_id}:{KEY.check_value()}"


@pytest.mark.every_database
def test_a_refused_opening_leaves_the_database_free(database: str) -> None:
    with opening(database, key_text="11" * 32):
        pass
    with pytest.raises(DataKeyError), opening(database, key_text="no key"):
        pass
    assert bound.is_closed()
    with opening(database, key_text="11" * 32):
        pass


def test_a_sqlite_database_that_lost_its_key_file_is_refused_and_gets_no_new_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'postroom.db'}"
    with opening(url):
        pass
    (tmp_path / "postroom.key").unlink()
    with pytest.raises(DataKeyError, match="missing"), opening(url):
        pass
    assert not (tmp_path / "postroom.key").exists()


def test_postgresql_without_a_key_is_refused(postgresql_database: str) -> None:
    with pytest.raises(DataKeyError, match="POSTROOM_DATA_KEY"), opening(postgresql_database):
        pass


def test_postgresql_gets_no_key_file_of_our_making(postgresql_database: str, tmp_path: Path) -> None:
    """Two machines would each make one; the first to start would lock the other out."""
    path = tmp_path / "data.key"
    with pytest.raises(DataKeyError, match=str(path)), opening(postgresql_database, key_file=path):
        pass
    assert not path.exists()


def test_postgresql_takes_its_key_from_a_file_that_is_there(postgresql_database: str, tmp_path: Path) -> None:
    key = DataKey.create_file(tmp_path / "data.key")
    with opening(postgresql_database, key_file=tmp_path / "data.key") as opened:
        assert opened.key == key


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://mail:s3cret@db.example:5432/mail", "postgresql://mail@db.example:5432/mail"),
        ("postgresql://mail:s3cr@et@db.example/mail", "postgresql://mail@db.example/mail"),
        ("postgresql://mail@db.example/mail", "postgresql://mail@db.example/mail"),
        ("postgresql://db.example/mail", "postgresql://db.example/mail"),
        ("postgresql:///mail?user=mail&password=s3cret", "postgresql:///mail?user=mail"),
        ("postgresql://mail:s3cret@/mail?password=s3cret&host=/run", "postgresql://mail@/mail?host=/run"),
        ("postgresql:///mail?sslpassword=s3cret", "postgresql:///mail"),
        ("postgresql://mail:s3c?ret@db.example/mail", "postgresql://mail@db.example/mail"),
        ("postgresql://mail:s3cret@[::1/mail", "postgresql://mail@[::1/mail"),
        ("sqlite:///data/postroom@home.db", "sqlite:///data/postroom@home.db"),
    ],
)
def test_a_database_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert Address(url).masked() == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://mail:s3cret@/mail?host=/nowhere",
        "postgresql://mail:s3cret@[::1/mail",
        "postgresql://mail:s3cret%zz@db.example/mail",
        "mysql://mail:s3cret@db/mail",
        "sqlite:////proc/nowhere/postroom.db",
    ],
)
def test_a_database_that_cannot_be_opened_is_told_in_one_line_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseUnusableError) as unusable, opening(url, key_text="11" * 32):
        pass
    assert len(str(unusable.value).splitlines()) == 1
    assert "s3cret" not in str(unusable.value)


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "postroom.db"
    path.write_text("Dear diary, today I was opened as a database. " * 100)
    with pytest.raises(DatabaseUnusableError) as unusable, opening(f"sqlite:///{path}", key_text="11" * 32):
        pass
    assert len(str(unusable.value).splitlines()) == 1
