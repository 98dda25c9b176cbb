"""`postroom settings`: values, sources, and no secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from postroom_server.cli import main
from postroom_server.settings import Settings


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POSTROOM_CONFIG", raising=False)


def test_every_setting_is_printed_with_its_source() -> None:
    Path("other.toml").write_text('log_format = "json"\nsmtp_plaintext_hosts = ["relay.test"]\n')
    result = CliRunner().invoke(
        main,
        ["settings", "--config", "other.toml", "--poll-ms", "100", "--no-reflection"],
        env={
            "POSTROOM_DATA_KEY": "5a" * 32,
            "POSTROOM_DATABASE_URL": "postgresql://me:s3cret@db/postroom",
            "POSTROOM_POLL_SM": "1",
        },
    )
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()[1:]}
    assert list(rows) == list(Settings.model_fields)
    assert rows["poll_ms"] == ["100", "flag"]
    assert rows["reflection"] == ["false", "flag"]
    assert rows["log_format"] == ["json", "other.toml"]
    assert rows["smtp_plaintext_hosts"] == ["relay.test", "other.toml"]
    assert rows["data_key"] == ["(set)", "environment"]
    assert rows["database_url"] == ["postgresql://me:***@db/postroom", "environment"]
    assert rows["drain_seconds"] == ["30.0", "default"]
    assert result.stderr == (
        "postroom: POSTROOM_POLL_SM is set, but there is no such setting; did you mean POSTROOM_POLL_MS?\n"
    )


def test_a_setting_that_cannot_be_is_one_line() -> None:
    result = CliRunner().invoke(main, ["settings", "--poll-ms", "1"])
    assert result.stderr == "postroom: poll_ms (flag): Input should be greater than or equal to 10\n"
    assert result.exit_code == 1


def test_a_settings_file_that_was_named_must_be_there() -> None:
    assert CliRunner().invoke(main, ["settings", "--config", "none.toml"]).exit_code == 2
