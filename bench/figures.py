"""Figures: measured in rounds that took turns, with median, range, and ratio to what stands beside."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(slots=True)
class Figure:
    """`against` holds the rounds of the thing it is compared with: the same rounds, in the same order.

    `row` and `column` are its place in a chapter that is shown as a grid; such a figure's name says both.
    """

    name: str
    unit: str
    rounds: list[float]
    against: list[float] | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""
    row: str = ""
    column: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def ratio(self) -> float | None:
        return None if self.against is None else ratio(self.rounds, self.against)

    def cells(self) -> list[str]:
        ratio = self.ratio
        reached = "" if self.met is None else " ✓" if self.met else " ✗"
        return [
            self.name,
            short(self.median),
            f"{short(min(self.rounds))} – {short(max(self.rounds))}",
            self.unit,
            f"{ratio:.2f}" if ratio is not None else "",
            f"{self.target}{reached}",
            self.note,
        ]

    def raw(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {
            "median": self.median, "min": min(self.rounds), "max": max(self.rounds), "ratio": self.ratio,
        }  # fmt: skip

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Figure:
        """What `raw` was made of."""
        return cls(**{field.name: raw[field.name] for field in dataclasses.fields(cls)})


@dataclasses.dataclass(slots=True)
class Chapter:
    """Figures that belong together, how they were taken, and what could not be."""

    title: str
    method: str
    figures: list[Figure] = dataclasses.field(default_factory=list)
    absent: list[str] = dataclasses.field(default_factory=list)

    def raw(self) -> dict[str, Any]:
        return {
            "title": self.title, "method": self.method, "absent": self.absent,
            "figures": [figure.raw() for figure in self.figures],
        }  # fmt: skip

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Chapter:
        figures = [Figure.of(figure) for figure in raw["figures"]]
        return cls(raw["title"], raw["method"], figures, list(raw["absent"]))


def ratio(rounds: Sequence[float], against: Sequence[float]) -> float:
    """The median of the ratios of neighbouring rounds: a busy moment troubles both sides of a ratio."""
    return statistics.median(a / b for a, b in zip(rounds, against, strict=True))


def percentile(values: Sequence[float], hundredths: float) -> float:
    """The smallest value that so many hundredths of all do not exceed (nearest rank)."""
    if not values:
        raise ValueError("nothing was measured")
    if not 0 < hundredths <= 100:
        raise ValueError("a percentile is more than 0 and at most 100")
    return sorted(values)[math.ceil(len(values) * hundredths / 100) - 1]


def spaced(number: float) -> str:
    """Thousands apart, no fractions."""
    return f"{number:,.0f}".replace(",", " ")


def short(value: float) -> str:
    """Three digits or more, thousands apart."""
    if value >= 1000:
        return spaced(value)
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"
