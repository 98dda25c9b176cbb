"""Places where the fault tests bring a process down, armed by the environment alone; else they do nothing.

POSTROOM_FAILPOINTS="after_lease_commit=kill:3,inside_settle=fail" kills the process when it reaches
`after_lease_commit` for the third time, and lets `inside_settle` fail each time.
"""

from __future__ import annotations

import asyncio
import collections
import os
import signal
from collections.abc import Callable, Mapping

VARIABLE = "POSTROOM_FAILPOINTS"
NAMES = (
    "before_accept_commit",
    "after_accept_commit",
    "after_lease_commit",
    "after_rcpt",
    "mid_body",  # of what is longer than a piece; the last piece and the dot are written together
    "after_dot_mark",
    "before_dot",
    "after_dot",
    "before_settle",
    "inside_settle",
    "during_rescue",
    "before_expansion_commit",
    "after_expansion_commit",
)
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_FAIL = "fail"


class FailpointError(Exception):
    """What a failpoint was told to raise; a stand-in for every mistake of ours."""


class Failpoints:
    """What is armed: by name, what happens there, and at which time of being reached (0: at each)."""

    def __init__(self, armed: str) -> None:
        self._armed: dict[str, tuple[str, int]] = {}
        for one in filter(None, armed.split(",")):
            name, _, told = one.partition("=")
            action, _, at = told.partition(":")
            if name not in NAMES or action not in (*_SIGNALS, _FAIL):
                raise ValueError(f"{VARIABLE}: {one} is not name=kill, stop or fail, with :number or without")
            self._armed[name] = (action, int(at or 0))
        self._reached: collections.Counter[str] = collections.Counter()

    def reach(self, name: str) -> None:
        if name not in self._armed:
            return
        action, at = self._armed[name]
        self._reached[name] += 1
        if at not in (0, self._reached[name]):
            return
        if action == _FAIL:
            raise FailpointError(name)
        for pid in (*_along, os.getpid()):
            os.kill(pid, _SIGNALS[action])

    def reach_soon(self, name: str) -> None:
        """In the next turn of the event loop, when what was written in this one has left."""
        if name in self._armed:
            asyncio.get_running_loop().call_soon(self.reach, name)


# Other processes that what happens here happens to, before this one.
_along: list[int] = []


def bring_along(pid: int) -> None:
    """Has every signal sent to another process, too: to the server that this one is a part of."""
    _along.append(pid)


def _nothing(name: str) -> None:
    del name


def _functions(environment: Mapping[str, str]) -> tuple[Callable[[str], None], Callable[[str], None]]:
    if not environment.get(VARIABLE):
        return _nothing, _nothing
    armed = Failpoints(environment[VARIABLE])
    return armed.reach, armed.reach_soon


# Decided once, when the process starts: no call, setting or row can arm anything.
reach, reach_soon = _functions(os.environ)
