"""Targets: read by name, judged at the bound and one past it."""

from __future__ import annotations

import pytest
from bench.figures import Chapter, Figure
from bench.page import page
from bench.targets import TARGETS, Target

CHAPTER = Chapter(
    "Race", "", [Figure("ours", "mails/s", [20.0, 40.0]), Figure("theirs", "mails/s", [10.0, 10.0])]
)
LEAST = Target("race", "Race", "ours", 2.0, 4.0, "theirs")
MOST = Target("memory", "Race", "ours", 250.0, 150.0, unit="MB", at_most=True)


def test_a_ratio_is_taken_round_by_round() -> None:
    assert LEAST.rounds([CHAPTER]) == [2.0, 4.0]


def test_an_absolute_target_is_the_figure() -> None:
    assert MOST.rounds([CHAPTER]) == [20.0, 40.0]


@pytest.mark.parametrize("chapters", [[], [Chapter("Race", "")], [Chapter("Race", "", CHAPTER.figures[:1])]])
def test_what_was_not_measured_has_no_rounds(chapters: list[Chapter]) -> None:
    assert LEAST.rounds(chapters) == []


@pytest.mark.parametrize(
    ("target", "median", "judged"),
    [
        (LEAST, 1.99, "✗"), (LEAST, 2.0, "✓"), (LEAST, 3.99, "✓"), (LEAST, 4.0, "✓ stretch"),
        (MOST, 250.1, "✗"), (MOST, 250.0, "✓"), (MOST, 150.1, "✓"), (MOST, 150.0, "✓ stretch"),
    ],
)  # fmt: skip
def test_a_bound_is_reached_at_the_bound(target: Target, median: float, judged: str) -> None:
    assert target.judged(median) == judged


def test_every_target_stands_on_the_page_though_nothing_was_measured() -> None:
    written = page([], set())

    assert all(f"| {target.about} | " in written for target in TARGETS)
    assert written.count("| not measured |") == len(TARGETS)
