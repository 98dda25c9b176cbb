"""Settings: which source wins, what is told of it, and what is refused with one line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from postroom_server.mail.limits import Limits
from postroom_server.setting_sources import (
    SettingsError,
    load,
    mistaken_variables,
    refuse_mistaken_variables,
    shown,
)
from postroom_server.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"POSTROOM_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_flags_win_over_the_environment_over_the_file_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("postroom.toml").write_text('poll_ms = 100\nlog_level = "debug"\nhelo_name = "file.test"\n')
    monkeypatch.setenv("POSTROOM_LOG_LEVEL", "error")
    monkeypatch.setenv("POSTROOM_HELO_NAME", "environment.test")
    loaded = load({"helo_name": "flag.test", "log_format": None})
    assert {name: (shown(loaded.settings, name), loaded.source_of(name)) for name in SAMPLE} == SAMPLE


SAMPLE = {
    "helo_name": ("flag.test", "flag"),
    "log_level": ("error", "environment"),
    "poll_ms": ("100", "postroom.toml"),
    "log_format": ("console", "default"),
}


def test_an_empty_variable_sets_an_empty_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_METRICS_ADDRESS", "")
    loaded = load()
    assert (loaded.settings.metrics_address, loaded.source_of("metrics_address")) == ("", "environment")


@pytest.mark.parametrize("value", ["a.test, b.test", "a.test,b.test,"])
def test_hosts_come_by_commas_or_as_a_list(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("postroom.toml").write_text('smtp_plaintext_hosts = ["a.test", "b.test"]\n')
    assert load().settings.smtp_plaintext_hosts == ("a.test", "b.test")
    monkeypatch.setenv("POSTROOM_SMTP_PLAINTEXT_HOSTS", value)
    assert load().settings.smtp_plaintext_hosts == ("a.test", "b.test")


@pytest.mark.parametrize(
    ("file", "variables", "part"),
    [
        ("poll_ms = 1", {}, "poll_ms (postroom.toml): "),
        ("pol_ms = 100", {}, "pol_ms (postroom.toml): there is no such setting; did you mean poll_ms?"),
        ("zzz = 1", {}, "zzz (postroom.toml): there is no such setting; see: postroom settings"),
        ("poll_ms = ", {}, "cannot read postroom.toml: "),
        ("", {"POSTROOM_POLL_MS": "soon"}, "poll_ms (POSTROOM_POLL_MS): "),
        ("", {"POSTROOM_LIMIT_LABELS": "0"}, "limit_labels (POSTROOM_LIMIT_LABELS): "),
        ("", {"POSTROOM_LOG_LEVEL": "loud"}, "log_level (POSTROOM_LOG_LEVEL): "),
        ("", {"POSTROOM_HELO_NAME": "a b"}, "helo_name (POSTROOM_HELO_NAME): is neither a host name"),
        ("", {"POSTROOM_HELO_NAME": "a\r\nb"}, "helo_name (POSTROOM_HELO_NAME): is neither a host name"),
        ("", {"POSTROOM_ONLY": "api"}, "only=api needs PostgreSQL"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_setting_and_where_it_was_made(
    file: str, variables: dict[str, str], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("postroom.toml").write_text(file)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value).startswith(part)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("", ""),
        ("https://mail.example.com", "https://mail.example.com"),
        ("https://mail.example.com/", "https://mail.example.com"),
        ("https://example.com:8443/mail/out/", "https://example.com:8443/mail/out"),
        ("https://192.0.2.1", "https://192.0.2.1"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://" + "a" * 392, "https://" + "a" * 392),
    ],
)
def test_links_to_unsubscribe_by_lead_to_a_base_url(url: str, kept: str) -> None:
    assert load({"unsubscribe_base_url": url}).settings.unsubscribe_base_url == kept


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://mail.example.com", "must begin with https"),
        ("http://localhost.example.com", "must begin with https"),
        ("http://128.0.0.1", "must begin with https"),
        ("http://[2001:db8::1]", "must begin with https"),
        ("https://" + "a" * 393, "is not like"),
        ("https://", "is not like"),
        ("https:///mail", "is not like"),
        ("mail.example.com", "is not like"),
        ("ftp://mail.example.com", "is not like"),
        ("HTTPS://mail.example.com", "is not like"),
        ("javascript:alert(1)", "is not like"),
        ("https://user:secret@mail.example.com", "is not like"),
        ("https://mail.example.com?x=1", "is not like"),
        ("https://mail.example.com/#x", "is not like"),
        ("https://mail.example.com//x", "is not like"),
        ("https://mail.example.com/%0d%0aBcc", "is not like"),
        ("https://mail.example.com:0", "is not like"),
        ("https://mail.example.com:65536", "is not like"),
        ("https://mail.example.com:port", "is not like"),
        ("https://mail.example.com> <mailto:a@example.com", "is not like"),
        ("https://mail.example.com,https://other.example", "is not like"),
        ('https://mail.example.com/"onclick', "is not like"),
        ("https://mail.example.com/a b", "is not like"),
        ("https://mail.example.com\r\nBcc: x@example.com", "is not like"),
        ("https://mail.example.com\n", "is not like"),
        ("https://例子.example", "is not like"),
    ],
)
def test_a1_a_base_url_that_could_break_out_of_a_header_or_a_page_is_refused(url: str, part: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"unsubscribe_base_url": url})
    assert str(caught.value).startswith(f"unsubscribe_base_url (flag): {part}")


def test_roles_are_for_postgresql() -> None:
    assert load({"only": "delivery", "database_url": "postgresql://db/postroom"}).settings.only == "delivery"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://me:s3cr@t@db:5432/postroom", "postgresql://me:***@db:5432/postroom"),
        ("postgresql://me@db/postroom", "postgresql://me@db/postroom"),
        ("postgresql:///postroom?host=/run&password=s3cret", "postgresql:///postroom?host=/run&password=***"),
        ("sqlite:///data/postroom.db", "sqlite:///data/postroom.db"),
    ],
)
def test_a_shown_database_url_keeps_its_password_to_itself(url: str, masked: str) -> None:
    assert shown(load({"database_url": url}).settings, "database_url") == masked


def test_a_shown_key_says_only_that_it_is_set() -> None:
    settings = load({"data_key": "5a" * 32}).settings
    assert shown(settings, "data_key") == "(set)"
    assert "5a5a" not in repr(settings)
    assert shown(load().settings, "data_key") == ""


def test_every_limit_of_the_product_is_a_setting_with_the_same_default() -> None:
    assert load().settings.limits() == dataclasses.asdict(Limits())


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_misspelt_variables_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_GRPC_ADRESS", "127.0.0.1:1")
    monkeypatch.setenv("POSTROOM_GRPC_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("POSTROOM_TARGT", "127.0.0.1:1")
    monkeypatch.setenv("POSTROOM_ZZZZ", "")
    monkeypatch.setenv("postroom_http_address", "127.0.0.1:1")
    lines = [
        "POSTROOM_GRPC_ADRESS is set, but there is no such setting; did you mean POSTROOM_GRPC_ADDRESS?",
        "POSTROOM_TARGT is set, but there is no such setting; did you mean POSTROOM_TARGET?",
        "POSTROOM_ZZZZ is set, but there is no such setting",
    ]
    assert mistaken_variables() == lines
    with pytest.raises(SettingsError, match="did you mean POSTROOM_GRPC_ADDRESS"):
        refuse_mistaken_variables()


@pytest.mark.parametrize("name", ["ip-10-0-0-1.internal", "localhost"])
def test_the_machines_name_is_told_in_ehlo(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getfqdn", lambda: name)
    assert load().settings.helo_name == name


@pytest.mark.parametrize("name", ["my_laptop.local", "-x", "", "a b"])
def test_a_machine_without_a_fit_name_is_localhost(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getfqdn", lambda: name)
    assert load().settings.helo_name == "localhost"
