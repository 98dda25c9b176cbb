"""What was measured, as JSON: a file for each part, so that a run can be stopped, and gone on with.

`bench/results/parts/` has the newest full measurement of each part, `bench/results/quick/` that of quick
runs.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.children import ROOT
from bench.figures import Chapter

RESULTS = ROOT / "bench" / "results"


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """One part's chapters, when and where they were measured, and how many seconds that took."""

    part: str
    quick: bool
    ended: float
    seconds: float
    machine: dict[str, str]
    chapters: list[Chapter]

    def raw(self) -> dict[str, Any]:
        return {
            "part": self.part, "quick": self.quick, "ended": self.ended, "seconds": self.seconds,
            "machine": self.machine, "chapters": [chapter.raw() for chapter in self.chapters],
        }  # fmt: skip

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Result:
        chapters = [Chapter.of(chapter) for chapter in raw["chapters"]]
        return cls(raw["part"], raw["quick"], raw["ended"], raw["seconds"], raw["machine"], chapters)


def write(result: Result) -> Path:
    """Keeps it as the newest of its part."""
    path = _folder(quick=result.quick) / f"{result.part}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, result.raw())
    return path


def read(part: str, *, quick: bool = False) -> Result | None:
    """The newest of a part, if there is one."""
    path = _folder(quick=quick) / f"{part}.json"
    return Result.of(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def is_recent(part: str, *, quick: bool, hours: float) -> bool:
    found = read(part, quick=quick)
    return found is not None and found.ended > time.time() - hours * 3600


def write_all(results: Sequence[Result], path: Path) -> None:
    """All parts in one file, as they stand on the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, [result.raw() for result in results])


def _folder(*, quick: bool) -> Path:
    return RESULTS / ("quick" if quick else "parts")


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
