"""The bench's own arithmetic: medians, ratios round by round, percentiles, and what is kept of them."""

from __future__ import annotations

import json

import pytest
from bench.figures import Chapter, Figure, percentile, ratio, short, spaced


def test_the_middle_of_the_rounds_stands_for_all() -> None:
    assert Figure("a", "µs", [9.0, 1.0, 2.0]).median == 2.0
    assert Figure("a", "µs", [4.0, 1.0, 2.0, 9.0]).median == 3.0


def test_a_ratio_is_the_median_of_the_ratios_of_neighbouring_rounds() -> None:
    # A busy moment in the second round slows both sides; the ratio of medians would be 100 / 40.
    assert ratio([100.0, 20.0, 120.0], [50.0, 10.0, 40.0]) == 2.0


def test_rounds_without_a_neighbour_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([1.0, 2.0], [1.0])


def test_a_figure_beside_nothing_has_no_ratio() -> None:
    assert Figure("a", "µs", [1.0]).ratio is None


@pytest.mark.parametrize(
    ("hundredths", "expected"), [(1, 1.0), (50, 50.0), (50.5, 51.0), (99, 99.0), (99.1, 100.0), (100, 100.0)]
)
def test_a_percentile_is_a_value_that_was_measured(hundredths: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], hundredths) == expected


def test_one_value_is_every_percentile() -> None:
    assert percentile([7.0], 1) == percentile([7.0], 100) == 7.0


@pytest.mark.parametrize("hundredths", [0, -1, 100.1])
def test_there_is_no_percentile_outside_of_all(hundredths: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile([1.0], hundredths)


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.042, "0.042"), (0.5, "0.5"), (1.0, "1.0"), (99.94, "99.9"), (100.0, "100"), (999.4, "999"),
        (1000.0, "1 000"), (1234567.8, "1 234 568"),
    ],
)  # fmt: skip
def test_figures_are_written_with_as_many_digits_as_mean_something(value: float, text: str) -> None:
    assert short(value) == text


def test_thousands_stand_apart() -> None:
    assert spaced(5_000_000) == "5 000 000"


def test_a_chapter_comes_back_as_it_was_kept() -> None:
    figure = Figure("a", "µs", [1.0, 2.0], [2.0, 1.0], note="noted", row="a", column="64")
    chapter = Chapter("Title", "How.", [figure], ["Postfix"])

    kept = json.loads(json.dumps(chapter.raw()))

    assert Chapter.of(kept) == chapter
    assert kept["figures"][0]["median"] == 1.5
    assert kept["figures"][0]["ratio"] == 1.25
    assert (kept["figures"][0]["min"], kept["figures"][0]["max"]) == (1.0, 2.0)
