"""Looking up an audience: members become queued copies, a page at a time; each measurement a process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from typing import Any

from bench.children import ROOT
from bench.figures import Chapter, Figure, spaced
from bench.postgresql import cluster
from bench.run import Run

from postroom_server.store.models import Syntax

_MEASURE = """
import dataclasses, json, sys
from bench import expansion
from postroom_server.store.models import Syntax
url, members, syntax = sys.argv[1:]
print(json.dumps(dataclasses.asdict(expansion.measure(url, int(members), Syntax(syntax)))))
"""


def expanding(run: Run) -> Chapter:
    """Members a second, processor time and memory, by the size of the audience."""
    sizes = (2000,) if run.quick else (10_000, 100_000)
    chapter = Chapter(
        "Looking up an audience",
        "All members of a tenant become copies of one bulk email, a page at a time, each with the parameters "
        "that the template asks for; no mail is sent. Memory is what the process grew by meanwhile. Each "
        "measurement is a process of its own, with a new database.",
    )
    told: dict[tuple[str, int], list[dict[str, Any]]] = {}
    with cluster() as found:
        if found is None:
            chapter.absent.append("PostgreSQL cannot be had")
        for _ in range(run.either(3, 1)):
            for size in sizes:
                for syntax in Syntax:
                    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as folder:
                        url = f"sqlite:///{folder}/postroom.db"
                        told.setdefault((f"SQLite, {syntax}", size), []).append(_measured(url, size, syntax))
                if found is not None:
                    url = found.new_database()
                    syntax = Syntax.PERCENT
                    told.setdefault((f"PostgreSQL, {syntax}", size), []).append(_measured(url, size, syntax))
    for (name, size), rounds in told.items():
        column = f"{spaced(size)} members"
        for what, unit, values in (
            ("members a second", "members/s", [each["per_second"] for each in rounds]),
            ("processor", "µs/member", [each["processor_microseconds"] for each in rounds]),
            ("memory", "MiB", [each["grown_bytes"] / 2**20 for each in rounds]),
        ):
            row = f"{name}: {what} ({unit})"
            chapter.figures.append(Figure(f"{row}, {column}", unit, values, row=row, column=column))
    return chapter


def _measured(url: str, members: int, syntax: Syntax) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, url, str(members), syntax.value],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]
