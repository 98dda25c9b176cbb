"""The lines that a serving process writes about its calls."""

from __future__ import annotations

import asyncio
import io
import json
import re

import pytest

from postroom_server.rpc.access import LineWriter

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
async def test_a_call_is_one_line_whatever_its_token_is_called(as_json: bool) -> None:
    stream = io.StringIO()
    LineWriter(stream, as_json=as_json)(TOLD)
    await asyncio.sleep(0)
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("\n")


async def test_json_lines_have_everything_that_was_told() -> None:
    stream = io.StringIO()
    LineWriter(stream, as_json=True)(TOLD)
    await asyncio.sleep(0)
    line = json.loads(stream.getvalue())
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line.pop("timestamp"))
    assert line == {**TOLD, "event": "rpc", "level": "info"}


async def test_lines_of_one_turn_are_one_write() -> None:
    stream = _Counting()
    write = LineWriter(stream, as_json=True)
    for turn in range(3):
        for call in range(5):
            write({**TOLD, "correlation_id": f"{turn}-{call}"})
        await asyncio.sleep(0)
    assert stream.writes == 3
    told = [json.loads(line)["correlation_id"] for line in stream.getvalue().splitlines()]
    assert told == [f"{turn}-{call}" for turn in range(3) for call in range(5)]


class _Counting(io.StringIO):
    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)
