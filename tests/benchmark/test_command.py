"""`python -m bench` as one types it, with a part that is cheap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *words], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_a_part_is_measured_and_shown_without_touching_the_page() -> None:
    before = (ROOT / "docs" / "performance.md").read_bytes()

    done = _bench("--quick", "--only", "compose", "--no-page", "--no-install")

    assert done.returncode == 0, done.stderr
    assert "7bit: render, compose, check" in done.stdout
    assert "raw: bench/results/quick/compose.json" in done.stdout
    assert (ROOT / "docs" / "performance.md").read_bytes() == before


def test_a_part_that_there_is_not_is_refused() -> None:
    done = _bench("--only", "guesses")

    assert done.returncode == 2
    assert "invalid choice: 'guesses'" in done.stderr
