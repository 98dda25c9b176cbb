"""What a run says: a table for people, JSON for machines, and docs/performance.md."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.children import ROOT
from bench.figures import Chapter

RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"
_HEAD = ("", "median", "range", "unit", "ratio", "target", "")
_PREFACE = """<!-- Written by `make bench`; edit bench/ instead. -->

# Performance

Every figure here comes from one run of `make bench`, in rounds that take turns, so that a busy moment of the
machine troubles all alike. Read the ratios: they hold on other machines, the absolute figures do not. A
ratio is the median over the rounds of one figure divided by the first of its table in the same round.
Client, server, sink and peer share the machine's cores. What was tried, and what it gave, is told in
[Why it is as fast as it is](why/performance.md).

"""


def show(chapters: Sequence[Chapter]) -> None:
    for chapter in chapters:
        print(f"\n{chapter.title}")
        rows = [list(_HEAD), *(figure.cells() for figure in chapter.figures)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
        for row in rows:
            cells = (
                cell.rjust(width) if 1 <= i <= 4 else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            print("  ".join(cells).rstrip())
        for absent in chapter.absent:
            print(f"absent: {absent}")


def write_raw(machine: Mapping[str, str], chapters: Sequence[Chapter], *, quick: bool) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}{'-quick' if quick else ''}.json"
    content = {
        "machine": dict(machine),
        "quick": quick,
        "chapters": [
            {
                "title": chapter.title,
                "method": chapter.method,
                "absent": chapter.absent,
                "figures": [figure.raw() for figure in chapter.figures],
            }
            for chapter in chapters
        ],
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def write_page(machine: Mapping[str, str], chapters: Sequence[Chapter]) -> None:
    parts = [_PREFACE]
    parts.append(
        "| | |\n| --- | --- |\n" + "".join(f"| {key} | {value} |\n" for key, value in machine.items())
    )
    for chapter in chapters:
        rows = "".join(f"| {' | '.join(figure.cells())} |\n" for figure in chapter.figures)
        head = f"| {' | '.join(_HEAD)} |\n| --- | ---: | ---: | --- | ---: | --- | --- |\n"
        absent = "".join(f"\nAbsent in this run: {absent}.\n" for absent in chapter.absent)
        parts.append(f"\n## {chapter.title}\n\n{chapter.method}\n\n{head}{rows}{absent}")
    PAGE.write_text("".join(parts), encoding="utf-8")
