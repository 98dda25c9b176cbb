"""Figures: measured in rounds that took turns, with median, range, and ratio to what stands beside."""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any


@dataclasses.dataclass(slots=True)
class Figure:
    """`against` holds the rounds of the thing it is compared with: the same rounds, in the same order."""

    name: str
    unit: str
    rounds: list[float]
    against: list[float] | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def ratio(self) -> float | None:
        """The median of the ratios of neighbouring rounds: a busy moment troubles both sides of a ratio."""
        if self.against is None:
            return None
        return statistics.median(a / b for a, b in zip(self.rounds, self.against, strict=True))

    def cells(self) -> list[str]:
        ratio = self.ratio
        reached = "" if self.met is None else " ✓" if self.met else " ✗"
        return [
            self.name,
            _short(self.median),
            f"{_short(min(self.rounds))} – {_short(max(self.rounds))}",
            self.unit,
            f"{ratio:.2f}" if ratio is not None else "",
            f"{self.target}{reached}",
            self.note,
        ]

    def raw(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {
            "median": self.median, "min": min(self.rounds), "max": max(self.rounds), "ratio": self.ratio,
        }  # fmt: skip


@dataclasses.dataclass(slots=True)
class Chapter:
    """Figures that belong together, how they were taken, and what could not be."""

    title: str
    method: str
    figures: list[Figure] = dataclasses.field(default_factory=list)
    absent: list[str] = dataclasses.field(default_factory=list)


def _short(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
