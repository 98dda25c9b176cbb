"""The lines that a serving process writes about its calls."""

from __future__ import annotations

import asyncio
import io
import json
import re

import pytest

from postroom_server.rpc.access import LineWriter
from waiting import until

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
    await until(lambda: bool(stream.getvalue()))
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("\n")


async def test_json_lines_have_everything_that_was_told() -> None:
    stream = io.StringIO()
    LineWriter(stream, as_json=True)(TOLD)
    await until(lambda: bool(stream.getvalue()))
    line = json.loads(stream.getvalue())
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line.pop("timestamp"))
    assert line == {**TOLD, "event": "rpc", "level": "info"}


async def test_lines_that_come_within_a_moment_are_one_write() -> None:
    stream = _Counting()
    write = LineWriter(stream, as_json=True)
    for moment in range(3):
        for call in range(5):
            write({**TOLD, "correlation_id": f"{moment}-{call}"})
            await asyncio.sleep(0)
        await until(lambda: stream.writes == moment + 1)  # noqa: B023 - it is over when the moment is
    told = [json.loads(line)["correlation_id"] for line in stream.getvalue().splitlines()]
    assert told == [f"{moment}-{call}" for moment in range(3) for call in range(5)]


async def test_what_is_held_is_written_at_the_end() -> None:
    stream = _Counting()
    write = LineWriter(stream, as_json=True)
    write(TOLD)
    write.flush()
    write.flush()
    assert (stream.writes, stream.getvalue().count("\n")) == (1, 1)


class _Counting(io.StringIO):
    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)
