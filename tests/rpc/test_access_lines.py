"""The lines that a serving process writes about its calls."""

from __future__ import annotations

import io
import json
import re

import pytest

from postroom_server.rpc.access import line_writer

TOLD = {
    "method": "/postroom.v1.EmailService/SendEmail",
    "code": "OK",
    "reason": "",
    "tenant": 7,
    "token": "shop\nforged line",
    "milliseconds": 1.25,
    "correlation_id": "a-1",
}


@pytest.mark.parametrize("as_json", [True, False])
def test_a_call_is_one_line_whatever_its_token_is_called(as_json: bool) -> None:
    stream = io.StringIO()
    line_writer(stream, as_json=as_json)(TOLD)
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("\n")


def test_json_lines_have_everything_that_was_told() -> None:
    stream = io.StringIO()
    line_writer(stream, as_json=True)(TOLD)
    line = json.loads(stream.getvalue())
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line.pop("timestamp"))
    assert line == {**TOLD, "event": "rpc", "level": "info"}
