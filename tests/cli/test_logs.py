"""What a server logs: levels, formats, and no values of local variables."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from postroom_server.cli.logs import configure
from postroom_server.settings import Settings


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def log_a_failure() -> None:
    password = "".join(["s3", "cret"])
    try:
        raise ValueError(len(password))
    except ValueError:
        structlog.get_logger().exception("failed", server=7)


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_traceback_shows_lines_and_no_values(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(log_format=log_format))
    log_a_failure()
    written = capsys.readouterr()
    assert "log_a_failure" in written.err
    assert "ValueError: 6" in written.err
    assert "s3cret" not in written.err
    assert written.out == ""


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure(Settings(log_format="json", log_level="warning"))
    log = structlog.get_logger()
    log.info("quiet")
    log.warning("loud", what="你好")
    (line,) = capsys.readouterr().err.splitlines()
    record = json.loads(line)
    assert (record["event"], record["level"], record["what"]) == ("loud", "warning", "你好")
    assert record["timestamp"].endswith("Z")
