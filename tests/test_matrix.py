"""The rule of conftest.py: what always runs, what runs for a third, what `--all` adds."""

from __future__ import annotations

import collections
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CASES = 60
SUITE = f"""
import pytest

@pytest.mark.parametrize("case", range({CASES}))
def test_chosen(database, transport, case): ...

@pytest.mark.every_database
@pytest.mark.parametrize("case", range({CASES}))
def test_marked(database, case): ...

@pytest.mark.parametrize("case", range({CASES}))
def test_plain(case): ...
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    shutil.copy(HERE / "conftest.py", tmp_path)
    (tmp_path / "test_suite.py").write_text(SUITE, encoding="utf-8")
    return tmp_path


def collected(suite: Path, *arguments: str) -> list[str]:
    """The node ids of the tests that a run with these arguments would run."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--rootdir", str(suite)]
    quiet = ["-p", "no:cacheprovider", "-c", os.devnull, "--import-mode=importlib"]
    found = subprocess.run(
        [*command, *quiet, *(arguments or ["."])],
        cwd=suite,
        env=os.environ | {"PYTHONPATH": str(HERE), "PYTHONHASHSEED": "random"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in found.stdout.splitlines() if "::" in line]


def combination(node_id: str) -> str:
    """`test_chosen sqlite local` and the like: the node id without file and case."""
    name, _, parameters = node_id.partition("::")[2].partition("[")
    return " ".join([name, *(part for part in parameters.rstrip("]").split("-") if not part.isdigit())])


def test_sqlite_runs_in_full_and_the_rest_for_a_third(suite: Path) -> None:
    counts = collections.Counter(combination(node_id) for node_id in collected(suite))
    always = ["test_chosen sqlite local", "test_marked sqlite", "test_marked postgresql", "test_plain"]
    assert [counts.pop(name) for name in always] == [CASES] * 4
    assert set(counts) == {
        "test_chosen sqlite socket",
        "test_chosen postgresql local",
        "test_chosen postgresql socket",
    }
    assert all(CASES / 6 < count < CASES / 2 for count in counts.values())


def test_the_third_is_the_same_in_every_run(suite: Path) -> None:
    first = collected(suite)
    assert first == collected(suite) != []


def test_all_runs_all(suite: Path) -> None:
    assert len(collected(suite, "--all")) == CASES * (4 + 2 + 1)


def test_a_test_named_in_full_runs(suite: Path) -> None:
    every = [node_id for node_id in collected(suite, "--all") if "postgresql" in node_id][:4]
    assert len(every) == 4
    assert collected(suite, *every) == every
