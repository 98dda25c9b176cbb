"""The page: missed targets stay on it, absent peers are named, grids are grids."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import accept, findings
from bench.figures import Chapter, Figure
from bench.findings import Result
from bench.page import page

ECHO = Figure(accept.ECHO, "calls/s", [1000.0, 1000.0])
OURS = Figure(accept.DUE_LATER, "calls/s", [590.0, 500.0], [1000.0, 1000.0])


def _result(*chapters: Chapter, part: str = "unary", ended: float = 0.0) -> Result:
    return Result(part, False, ended, 12.0, {"machine": "two cores"}, list(chapters))


def test_a_missed_target_is_shown_as_missed() -> None:
    written = page([_result(Chapter(accept.UNARY_TITLE, "How.", [ECHO, OURS]))], set())

    assert "| ≥ 0.6 | ≥ 0.7 | 0.54 | 0.50 – 0.59 | ✗ |" in written


def test_what_was_absent_is_named() -> None:
    written = page([_result(Chapter("Race", "", absent=["Postfix: not root"]))], set())

    assert "Absent: Postfix: not root.\n" in written


def test_figures_with_columns_make_a_grid() -> None:
    figures = [
        Figure(f"{row} {column}", "ms", [1.5], note="12 µs", row=row, column=column)
        for row in ("a", "b")
        for column in ("1", "64")
    ]

    written = page([_result(Chapter("Grid", "", figures))], set())

    assert "|  | 1 | 64 |\n| --- | ---: | ---: |\n| a | 1.5 · 12 µs | 1.5 · 12 µs |\n" in written


def test_parts_that_were_not_measured_are_listed() -> None:
    written = page([_result()], set())

    assert "- memory and start-up\n" in written.partition("## Not measured")[2]
    assert "beside a bare echo" not in written.partition("## Not measured")[2]


def test_a_plot_is_shown_when_it_was_drawn() -> None:
    result = _result(part="scale")

    assert "(performance/scale.svg)" in page([result], {"scale"})
    assert "(performance/scale.svg)" not in page([result], set())


def test_a_part_is_kept_and_found_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(findings, "RESULTS", tmp_path)
    result = _result(Chapter("Race", "How.", [ECHO, OURS]), ended=1.0)

    findings.write(result)

    assert findings.read("unary") == result
    assert findings.read("unary", quick=True) is None
    assert not findings.is_recent("unary", quick=False, hours=12)
