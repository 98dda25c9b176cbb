"""What Postroom is to reach, and whether it did: read from the chapters, by the names of their figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from bench import (
    accept,
    accept_matrix,
    end_to_end,
    latency,
    processes,
    rest,
    scale,
    transmitting,
)
from bench.figures import Chapter, Figure, short
from bench.peers import contender

_MEGABYTES = 2**20 / 1e6


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A figure of a chapter, or its ratio to another of the same chapter, round by round.

    `at_most`: the bounds are upper ones. `times` is applied to what was measured.
    """

    about: str
    chapter: str
    figure: str
    least: float
    stretch: float | None = None
    beside: str = ""
    unit: str = ""
    at_most: bool = False
    times: float = 1.0

    def rounds(self, chapters: Sequence[Chapter]) -> list[float]:
        """What each round came to; empty when it was not measured."""
        chapter = next((each for each in chapters if each.title == self.chapter), None)
        figure = _named(chapter, self.figure)
        if figure is None:
            return []
        if not self.beside:
            return [value * self.times for value in figure.rounds]
        beside = _named(chapter, self.beside)
        if beside is None:
            return []
        return [a / b * self.times for a, b in zip(figure.rounds, beside.rounds, strict=True)]

    def judged(self, median: float) -> str:
        if self.stretch is not None and self._reaches(median, self.stretch):
            return "✓ stretch"
        return "✓" if self._reaches(median, self.least) else "✗"

    def _reaches(self, median: float, bound: float) -> bool:
        return median <= bound if self.at_most else median >= bound

    def bound(self, value: float | None) -> str:
        if value is None:
            return ""
        return f"{'≤' if self.at_most else '≥'} {_shown(value)}{self.unit and ' ' + self.unit}"

    def measured(self, value: float) -> str:
        return f"{self.value(value)}{self.unit and ' ' + self.unit}"

    def value(self, value: float) -> str:
        return short(value) if self.unit else f"{value:.2f}"


def _shown(value: float) -> str:
    return short(value) if value >= 1000 else f"{value:g}"


def _named(chapter: Chapter | None, name: str) -> Figure | None:
    if chapter is None:
        return None
    return next((figure for figure in chapter.figures if figure.name == name), None)


_E2E = "End to end"
_DISKS = "Accepting on slower disks"
_SLOW = "fsync + 5 ms"
_MANY = tuple(f"{scale.TITLE}, {database}" for database in ("SQLite", "PostgreSQL"))
_LARGEST, _SMALLEST = scale.column(scale.SIZES[-1]), scale.column(scale.SIZES[0])

TARGETS: tuple[Target, ...] = (
    Target("unary accept / gRPC echo, SQLite FULL, 64 in flight", accept.UNARY_TITLE, accept.DUE_LATER,
           0.6, 0.7, accept.ECHO),
    Target("the same with 5 ms more for an fsync", _DISKS, f"SendEmail, SQLite, {_SLOW}",
           0.6, 0.75, f"{accept_matrix.ECHO}, {_SLOW}"),
    Target("batch accept, durable", accept.BATCH_TITLE, accept.BATCHES, 12_000, 20_000, unit="emails/s"),
    Target("batch accept / raw executemany of the same rows", accept.BATCH_TITLE, accept.BATCHES,
           0.4, None, accept.RAW),
    Target("end to end, unary / Postfix, one process", _E2E, end_to_end.UNARY, 2, 2.5, end_to_end.POSTFIX),
    Target("end to end, batch, custom / Postfix", _E2E, end_to_end.BATCHES, 5, 7, end_to_end.POSTFIX),
    Target("end to end, batch, template with own parameters / Postfix", _E2E, end_to_end.TEMPLATES,
           4, 6, end_to_end.POSTFIX),
    Target("end to end, batch / nodemailer pool", _E2E, end_to_end.BATCHES, 4, 6, contender.NODEMAILER),
    Target("end to end, batch / plain Python worker", _E2E, end_to_end.BATCHES, 15, 20, contender.PLAIN),
    Target("end to end, batch / django-post-office", _E2E, end_to_end.BATCHES, 15, 20, contender.POST_OFFICE),
    Target("transmit / smtp-source rate, 16 connections", transmitting.TITLE, transmitting.OURS,
           1.2, 1.8, transmitting.SOURCE),
    Target("CPU a mail, aiosmtplib / transmit", transmitting.TITLE, transmitting.THEIRS_CPU,
           6, 10, transmitting.OURS_CPU),
    Target("20 ms round trip, 16 connections / smtp-source", transmitting.FAR_TITLE, transmitting.OURS,
           1.8, 3, transmitting.SOURCE),
    Target("lease + settle per mail, batches", "Leasing and settling", "lease and settle: processor",
           45, None, unit="µs", at_most=True),
    Target("REST accept / gRPC accept, both durable", rest.TITLE, rest.REST, 1.0, 1.3, rest.GRPC),
    *(
        Target(f"list first page at 5 M rows / at 10 k rows, {title.partition(', ')[2]}", title,
               f"{scale.FIRST_PAGE}, {_LARGEST} emails", 1.5, None,
               f"{scale.FIRST_PAGE}, {_SMALLEST} emails", at_most=True)
        for title in _MANY
    ),
    *(
        Target(f"exact total at 5 M rows, narrowed to 10 000, {title.partition(', ')[2]}", title,
               f"{scale.NARROWED}, {_LARGEST} emails", 5, None, unit="ms", at_most=True)
        for title in _MANY
    ),
    Target("three PostgreSQL delivery processes / one, two cores", processes.TITLE, processes.name(3),
           1.0, None, processes.name(1)),
    Target("resident memory, busy, 100 000 pending", latency.URGENT_TITLE, latency.MOST, 250, 150,
           unit="MB", at_most=True, times=_MEGABYTES),
)  # fmt: skip
