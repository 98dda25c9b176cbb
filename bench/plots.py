"""The plots of docs/performance.md, as SVG and PNG, from its raw figures.

    .venv/bench-peers/bin/python bench/plots.py RESULTS.json FOLDER

Runs in the peers' environment, which has matplotlib, and knows nothing but the JSON.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

_OURS, _THEIRS = "#1f5fa8", "#9aa5b1"
Chapter = dict[str, Any]


def main() -> None:
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    # The same figures make the same file.
    mpl.rcParams.update({"svg.hashsalt": "postroom", "font.size": 9, "axes.spines.top": False,
                         "axes.spines.right": False, "figure.constrained_layout.use": True})  # fmt: skip
    results = json.loads(source.read_text(encoding="utf-8"))
    chapters = {chapter["title"]: chapter for result in results for chapter in result["chapters"]}
    for name, draw, prefix in (
        ("end-to-end", _end_to_end, "End to end"),
        ("accept", _accept, "Accepting by every way"),
        ("latency", _latency, "Latency under load"),
        ("scale", _scale, "Very many emails"),
    ):
        chosen = [
            chapters[title] for title in chapters if title.startswith(prefix) and chapters[title]["figures"]
        ]
        if chosen:
            figure = draw(chosen)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            figure.savefig(folder / f"{name}.png", dpi=110)
            pyplot.close(figure)


def _end_to_end(chapters: list[Chapter]) -> Any:
    """Bars, a panel for each way: the median, with the range of the rounds."""
    figure, panels = pyplot.subplots(len(chapters), 1, figsize=(8, 2.4 * len(chapters)), squeeze=False)
    for panel, chapter in zip(panels[:, 0], chapters, strict=True):
        shown = chapter["figures"][::-1]
        medians = [each["median"] for each in shown]
        below = [each["median"] - each["min"] for each in shown]
        above = [each["max"] - each["median"] for each in shown]
        colours = [_OURS if each["name"].startswith("Postroom") else _THEIRS for each in shown]
        panel.barh(
            [each["name"] for each in shown], medians, xerr=[below, above], color=colours, ecolor="#444"
        )
        panel.set_title(chapter["title"], loc="left")
        panel.set_xlabel("mails a second; the lines span the rounds")
    return figure


def _accept(chapters: list[Chapter]) -> Any:
    """Lines, a panel for each database: calls a second by calls in flight."""
    figure, panels = pyplot.subplots(1, len(chapters), figsize=(6.4 * len(chapters), 4.8), squeeze=False)
    for panel, chapter in zip(panels[0], chapters, strict=True):
        _lines(panel, chapter["figures"], dashed="echo")
        panel.set_title(chapter["title"], loc="left")
        panel.set_xlabel("calls in flight")
        panel.set_ylabel("calls a second")
        panel.legend(fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.14), frameon=False, ncols=2)
    return figure


def _latency(chapters: list[Chapter]) -> Any:
    """Lines: accept and hand-over, median, 99th percentile and maximum, by load."""
    figure, panel = pyplot.subplots(figsize=(7, 4.6))
    _lines(panel, chapters[0]["figures"], dashed="max", logarithmic_x=False)
    panel.set_title(chapters[0]["title"], loc="left")
    panel.set_xlabel("% of the saturated rate")
    panel.set_ylabel("milliseconds")
    panel.legend(fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.14), frameon=False, ncols=2)
    return figure


def _scale(chapters: list[Chapter]) -> Any:
    """Lines, a panel for each database: milliseconds by the number of emails."""
    figure, panels = pyplot.subplots(1, len(chapters), figsize=(6.4 * len(chapters), 4.8), squeeze=False)
    for panel, chapter in zip(panels[0], chapters, strict=True):
        _lines(panel, [each for each in chapter["figures"] if each["unit"] == "ms"], dashed="of all")
        panel.set_title(chapter["title"], loc="left")
        panel.set_xlabel("emails")
        panel.set_ylabel("milliseconds")
        panel.legend(fontsize=7, loc="upper left", bbox_to_anchor=(0, -0.14), frameon=False, ncols=2)
    return figure


def _lines(panel: Any, shown: list[dict[str, Any]], *, dashed: str, logarithmic_x: bool = True) -> None:
    """A line for each row of a grid, its columns' numbers along x."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for each in shown:
        number = re.match(r"[0-9 ]+", each["column"])
        if number:
            point = (float(number[0].replace(" ", "")), each["median"])
            rows.setdefault(each["row"], []).append(point)
    for row, points in rows.items():
        style = "--" if dashed in row else "-"
        panel.plot(
            *zip(*sorted(points), strict=True),
            style,
            marker="o",
            markersize=3,
            label=row.removesuffix(" (ms)"),
        )
    panel.set_yscale("log")
    if logarithmic_x:
        panel.set_xscale("log")


if __name__ == "__main__":
    main()
