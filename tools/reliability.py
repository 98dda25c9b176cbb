"""Brings servers down in every way we know, and counts what was lost and repeated.

The scenarios are those of tests/faults, in their long form; `make faults` runs this for about an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import structlog

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
# As in tests/faults/conftest.py, which says why.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

from faults.outcome import AbsentError, Outcome  # noqa: E402
from faults.runs import RUNS, SQLITE, Ground, Run  # noqa: E402
from peers.postgresql import PostgresqlServer, running_postgresql  # noqa: E402
from postroom_server.store.migration import migrate  # noqa: E402
from postroom_server.store.models import bound  # noqa: E402
from postroom_server.store.opening import Address  # noqa: E402
from reliability_machine import describe  # noqa: E402
from reliability_page import ABSENT, Line, count, page  # noqa: E402

SEED = 20261122
QUICK = 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = "names of runs; none: the page is made of what is kept. There are " + ", ".join(_names())
    parser.add_argument("--only", nargs="*", default=_names(), metavar="NAME", help=names)
    parser.add_argument("--store", default="", choices=sorted({run.store for run in RUNS}))
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:.0%}% of everything")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, help="the page that is written; without it there is none")
    parser.add_argument(
        "--keep", type=Path, help="where lines are kept, in JSON: what is run again replaces one"
    )
    asked = parser.parse_args()
    if unknown := set(asked.only) - set(_names()):
        parser.error(f"there is no run {', '.join(sorted(unknown))}")
    chosen = [run for run in RUNS if run.name in asked.only and asked.store in ("", run.store)]
    # What a server in this process has to say about its mail servers is not news.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    machine = describe()
    lines = _kept(asked.keep)
    with running_postgresql() as postgresql:
        # PostgreSQL's defaults are what is promised upon; the tests' server does without.
        postgresql.stop()
        postgresql.start(fsync=True)
        for run in chosen:
            line = _line(run, asked.seed, QUICK if asked.quick else 1.0, postgresql)
            lines[line.store, line.name] = line
            if asked.keep:
                kept = [dataclasses.asdict(one) for one in lines.values()]
                asked.keep.write_text(json.dumps(kept, indent=1, ensure_ascii=False), encoding="utf-8")
    if asked.quick:
        machine["doses"] = f"{QUICK:.0%} of the full ones"
    known = [lines[run.store, run.name] for run in RUNS if (run.store, run.name) in lines]
    if asked.out:
        asked.out.write_text(page(machine, known), encoding="utf-8")
    return int(any(line.is_broken for line in known))


def _kept(path: Path | None) -> dict[tuple[str, str], Line]:
    if path is None or not path.exists():
        return {}
    lines = [Line(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    return {(line.store, line.name): line for line in lines}


def _names() -> list[str]:
    return list(dict.fromkeys(run.name for run in RUNS))


def _line(run: Run, seed: int, share: float, postgresql: PostgresqlServer) -> Line:
    """Plays one run, says how it ended, and goes on to the next even if it broke off."""
    load, began = os.getloadavg()[0], time.monotonic()
    line = Line(
        run.name,
        run.store,
        f"{seed}/{run.store}/{run.name}",
        time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        load,
        0.0,
    )
    _say(f"{run.name}, {run.store}: seed {line.seed}, load {load:.1f}")
    try:
        with _ground(run, line.seed, postgresql) as ground:
            outcome = asyncio.run(_play(run, ground, share))
    except AbsentError as absent:
        line = dataclasses.replace(line, error=f"{ABSENT}: {absent}")
        _say(line.error)
    except Exception as broken:
        traceback.print_exc()
        line = dataclasses.replace(line, error=f"{type(broken).__name__}: {broken}".splitlines()[0])
        _say(f"broke off: {line.error}")
    else:
        line = _told(line, outcome)
        _say(f"{'kept' if outcome.is_kept else 'BROKEN'} {outcome}")
        if not outcome.is_kept:
            _say(f"{outcome.broken} {dataclasses.asdict(outcome.balance)}")
    return dataclasses.replace(line, seconds=time.monotonic() - began)


def _told(line: Line, outcome: Outcome) -> Line:
    return dataclasses.replace(
        line,
        scenario=outcome.scenario,
        dose=outcome.dose,
        counts=count(outcome.balance),
        is_even=outcome.balance.is_even,
        broken=outcome.broken,
        notes=outcome.notes,
    )


def _say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)


async def _play(run: Run, ground: Ground, share: float) -> Outcome:
    return await run.play(ground, lambda number: max(1, round(number * share)))


@contextlib.contextmanager
def _ground(run: Run, seed: str, postgresql: PostgresqlServer) -> Iterator[Ground]:
    folder = Path(tempfile.mkdtemp(prefix="reliability-"))
    url = f"sqlite:///{folder}/postroom.db" if run.store == SQLITE else postgresql.new_database()
    handle = Address(url).connect()
    migrate(handle)
    handle.close()
    bound.initialize(None)
    try:
        yield Ground(folder, url, postgresql, random.Random(seed))
    finally:
        if run.store != SQLITE:
            postgresql.drop_database(url)
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
