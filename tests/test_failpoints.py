"""Failpoints: off unless armed when the process starts, and each of them is somewhere."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from postroom_server import failpoints
from postroom_server.failpoints import NAMES, VARIABLE, FailpointError, Failpoints

SERVER = Path(failpoints.__file__).parent


def test_they_are_off_here() -> None:
    assert not os.environ.get(VARIABLE)
    for name in NAMES:
        failpoints.reach(name)
        failpoints.reach_soon(name)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_at_one_place_in_the_code(name: str) -> None:
    texts = [path.read_text() for path in SERVER.rglob("*.py") if path.name != "failpoints.py"]
    assert sum(text.count(f'reach("{name}")') + text.count(f'reach_soon("{name}")') for text in texts) == 1


def test_one_fails_each_time_or_at_one_time() -> None:
    armed = Failpoints("after_rcpt=fail,mid_body=fail:2")
    for _ in range(2):
        with pytest.raises(FailpointError):
            armed.reach("after_rcpt")
    armed.reach("mid_body")
    with pytest.raises(FailpointError):
        armed.reach("mid_body")
    armed.reach("mid_body")
    armed.reach("before_dot")


async def test_one_may_be_reached_in_the_next_turn_of_the_loop() -> None:
    armed = Failpoints("after_dot=fail")
    heard: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    armed.reach_soon("after_dot")
    assert heard == []
    await asyncio.sleep(0)
    assert isinstance(heard[0]["exception"], FailpointError)


@pytest.mark.parametrize("armed", ["nowhere=kill", "mid_body", "mid_body=explode", "mid_body=kill:often"])
def test_what_makes_no_sense_is_refused(armed: str) -> None:
    with pytest.raises(ValueError):
        Failpoints(armed)


def test_the_environment_arms_them_at_the_start_and_at_no_other_time() -> None:
    text = "import os; from postroom_server.failpoints import reach; reach('mid_body'); print('alive')"
    run = [sys.executable, "-c", text]
    armed = subprocess.run(run, env={**os.environ, VARIABLE: "mid_body=kill:1"}, capture_output=True)
    assert (armed.returncode, armed.stdout) == (-signal.SIGKILL, b"")
    late = subprocess.run(
        [*run[:2], text.replace("reach('mid", f"os.environ[{VARIABLE!r}] = 'mid_body=kill'; reach('mid")],
        capture_output=True,
    )
    assert late.stdout == b"alive\n"


def test_a_signal_takes_another_process_along() -> None:
    told = (
        "import os, signal, sys; from postroom_server.failpoints import Failpoints, bring_along;"
        "bring_along(int(sys.argv[1])); Failpoints('after_rcpt=kill').reach('after_rcpt')"
    )
    with subprocess.Popen(["sleep", "60"]) as other:
        ended = subprocess.run([sys.executable, "-c", told, str(other.pid)], check=False)
        assert (ended.returncode, other.wait(10)) == (-signal.SIGKILL, -signal.SIGKILL)
