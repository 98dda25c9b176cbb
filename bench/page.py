"""docs/performance.md: the targets first, then every part with its figures, plots and method."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.children import ROOT
from bench.figures import Chapter, Figure, short
from bench.findings import Result, write_all
from bench.machine import FSYNC
from bench.parts import PARTS
from bench.peers import environment
from bench.report import HEAD
from bench.targets import TARGETS

PAGE = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "docs" / "performance"
_RAW = FOLDER / "results.json"
# Plots by the part behind whose chapters they stand.
_PLOTS = {
    "end-to-end": ("end-to-end", "Mails a second from the first accept to the last hand-over"),
    "accept": ("accept", "Calls a second by calls in flight"),
    "latency": ("latency", "Latency by load"),
    "scale": ("scale", "Milliseconds by the number of emails"),
}
_PREFACE = """<!-- Written by `make bench`; edit bench/ instead. -->

# Performance

Every figure here comes from `make bench`, in rounds that take turns, so that a busy moment of the machine
troubles all alike. Read the ratios: they hold on other machines, the absolute figures do not. A ratio is
the median over the rounds of one figure divided by another of its table in the same round. Grids show
medians; their ranges are with the raw figures. Client, server, sink and peers share the machine's cores. What
was tried, and what it gave, is told in [Why it is as fast as it is](why/performance.md).

`make bench` fetches what it compares with (Postfix and PostgreSQL from Debian, nodemailer from npm, the rest
from PyPI), measures everything again and writes this page; `python -m bench --help` names its parts. The raw
figures, each round of them, are in [performance/results.json](performance/results.json).
"""


def write_page(results: Sequence[Result]) -> None:
    """Writes the page, its raw figures and its plots."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_all(results, _RAW)
    drawn = draw(_RAW, FOLDER)
    PAGE.write_text(page(results, drawn), encoding="utf-8")


def draw(raw: Path, folder: Path) -> set[str]:
    """Has the plots drawn by matplotlib in the peers' environment; gives the names of those there are."""
    for old in (*folder.glob("*.svg"), *folder.glob("*.png")):
        old.unlink()  # of other figures
    python = environment.python()
    if python is None:
        print("absent: matplotlib, pip could not install it: no plots")
    elif subprocess.run([python, ROOT / "bench" / "plots.py", raw, folder]).returncode:
        print("the plots could not be drawn: the page is without them")
    return {path.stem for path in folder.glob("*.svg")}


def page(results: Sequence[Result], drawn: set[str]) -> str:
    """The page as Markdown."""
    chapters = [chapter for result in results for chapter in result.chapters]
    parts = [_PREFACE, _targets(chapters), _machine(results)]
    for result in results:
        parts.extend(_chapter(chapter) for chapter in result.chapters)
        name, caption = _PLOTS.get(result.part, ("", ""))
        if name in drawn:
            parts.append(f"\n![{caption}](performance/{name}.svg)\n")
    missing = [part.about for part in PARTS if part.name not in {result.part for result in results}]
    if missing:
        parts.append("\n## Not measured\n\n" + "".join(f"- {about}\n" for about in missing))
    return "".join(parts)


def _targets(chapters: Sequence[Chapter]) -> str:
    rows = []
    met = measured = 0
    for target in TARGETS:
        rounds = target.rounds(chapters)
        if rounds:
            median = statistics.median(rounds)
            reached = target.judged(median)
            measured += 1
            met += reached != "✗"
            among = f"{target.value(min(rounds))} – {target.value(max(rounds))}"
            cells = [target.measured(median), among, reached]
        else:
            cells = ["", "", "not measured"]
        rows.append([target.about, target.bound(target.least), target.bound(target.stretch), *cells])
    head = _table(["target", "at least", "stretch", "measured", "rounds", ""], "lrrrrl", rows)
    return (
        f"\n## Targets\n\n{met} of the {measured} that were measured are met"
        + (f"; {len(TARGETS) - measured} were not measured" if measured < len(TARGETS) else "")
        + ". Ratios within one run, unless a unit is named. "
        "Why others are missed: [the reason of each](why/performance.md#targets-that-are-missed-and-why).\n\n"
        f"{head}"
    )


def _machine(results: Sequence[Result]) -> str:
    if not results:
        return ""
    newest = max(results, key=lambda result: result.ended)
    # What differs from part to part stands in the table of the parts.
    own = ("time", "Postroom", "load at start", "load at end", FSYNC)
    rows = [[key, value] for key, value in newest.machine.items() if key not in own]
    text = "\n## Machine\n\n" + _table(["", ""], "ll", rows)
    spans = [
        [
            result.part,
            time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(result.ended)),
            f"{result.seconds:.0f} s",
            result.machine.get("load at start", ""),
            result.machine.get(FSYNC, ""),
            result.machine.get("Postroom", ""),
        ]
        for result in results
    ]
    return text + "\nWhen each part was measured:\n\n" + _table(
        ["part", "ended", "took", "load at start", FSYNC, "Postroom"], "llrrll", spans
    )  # fmt: skip


def _chapter(chapter: Chapter) -> str:
    figures = [figure for figure in chapter.figures if not figure.column]
    grid = [figure for figure in chapter.figures if figure.column]
    shown = ""
    if grid:
        shown += _grid(grid)
    if figures:
        shown += _list(figures)
    absent = "".join(f"\nAbsent: {absent}.\n" for absent in chapter.absent)
    method = f"{chapter.method}\n\n" if chapter.method else ""
    return f"\n## {chapter.title}\n\n{method}{shown}{absent}"


def _list(figures: Sequence[Figure]) -> str:
    """A row for each; without the columns in which nobody has anything."""
    cells = [figure.cells() for figure in figures]
    kept = [i for i in range(len(HEAD)) if i == 0 or any(row[i] for row in cells)]
    alignment = "".join("lrrlrll"[i] for i in kept)
    return _table([HEAD[i] for i in kept], alignment, [[row[i] for i in kept] for row in cells])


def _grid(figures: Sequence[Figure]) -> str:
    """Rows and columns in the order in which they come; median, ratio and note in a cell."""
    columns = list(dict.fromkeys(figure.column for figure in figures))
    cells = {(figure.row, figure.column): _cell(figure) for figure in figures}
    rows = [
        [row, *(cells.get((row, column), "") for column in columns)]
        for row in dict.fromkeys(figure.row for figure in figures)
    ]
    return _table(["", *columns], "l" + "r" * len(columns), rows)


def _cell(figure: Figure) -> str:
    ratio = figure.ratio
    parts = [short(figure.median), f"× {ratio:.2f}" if ratio is not None else "", figure.note]
    return " · ".join(part for part in parts if part)


def _table(head: Sequence[str], alignment: str, rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---:" if side == "r" else "---" for side in alignment], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
