"""Rounds in which all that is compared takes its turn, and what one turn of a load told."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bench.children import Child, cpu_seconds

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """Calls a second, processor time of the server in µs a call, and how long calls took, in ms."""

    rate: float
    cpu: float
    p50: float
    p99: float


@dataclasses.dataclass(slots=True)
class Turns:
    """One contender's rounds."""

    rounds: list[Turn] = dataclasses.field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        return [turn.rate for turn in self.rounds]

    @property
    def note(self) -> str:
        cpu = statistics.median(turn.cpu for turn in self.rounds)
        p99 = statistics.median(turn.p99 for turn in self.rounds)
        return f"server CPU {cpu:.0f} µs/call, p99 {p99:.0f} ms"

    @property
    def cpu(self) -> float:
        return statistics.median(turn.cpu for turn in self.rounds)


def take_turns(contenders: Mapping[str, Callable[[], Turn]], rounds: int) -> dict[str, Turns]:
    """One round more than asked for: the first opens connections and fills caches."""
    taken = {name: Turns() for name in contenders}
    for number in range(rounds + 1):
        for name, contender in contenders.items():
            turn = contender()
            if number:
                taken[name].rounds.append(turn)
    return taken


def load(loader: Child, pid: int, **asked: Any) -> Turn:
    """Has the loader do what is asked, while the server with this pid is watched."""
    spent = cpu_seconds(pid)
    told = loader.ask(**asked)
    spent = cpu_seconds(pid) - spent
    calls, took = told.get("calls") or told["mails"], told["ended"] - told["began"]
    return Turn(calls / took, spent / calls * 1e6, told.get("p50_ms", 0.0), told.get("p99_ms", 0.0))
