"""What a run says on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Chapter

HEAD = ("", "median", "range", "unit", "ratio", "target", "")


def show(chapters: Sequence[Chapter]) -> None:
    for chapter in chapters:
        print(f"\n{chapter.title}")
        rows = [list(HEAD), *(figure.cells() for figure in chapter.figures)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
        for row in rows:
            cells = (
                cell.rjust(width) if 1 <= i <= 4 else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            print("  ".join(cells).rstrip())
        for absent in chapter.absent:
            print(f"absent: {absent}")
