"""`python -m bench`: every figure that is stated, beside its peers, in one run."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback

from bench import findings, machine, report
from bench.children import ROOT, tidy_when_ended
from bench.findings import Result
from bench.page import write_page
from bench.parts import PARTS, Part
from bench.peers import environment
from bench.run import Run, running

_RESUMED_HOURS = 12.0
# What a part may take: far more than it does, so that what hangs costs the others no more than this.
_PATIENCE, _TIMES_EXPECTED = 600, 3


class TookTooLongError(Exception):
    """Not a TimeoutError, which many a loop waits through."""


def main() -> None:
    tidy_when_ended()
    asked = _parser().parse_args()
    if asked.no_install:
        os.environ[environment.NO_INSTALL] = "1"
    failed: list[str] = []
    if not asked.page_only:
        chosen = _chosen(asked)
        with running(quick=asked.quick) as run:
            failed = [part.name for part in chosen if not _measure(run, part)]
    if asked.page_only or not (asked.quick or asked.no_page):
        found = [result for part in PARTS if (result := findings.read(part.name)) is not None]
        write_page(found)
        print(f"\nwritten: docs/performance.md, from {len(found)} of {len(PARTS)} parts")
    if failed:
        sys.exit(f"these parts failed: {', '.join(failed)}")


def _parser() -> argparse.ArgumentParser:
    lines = [
        f"  {part.name:12} {'*' if part.in_quick else ' '} {part.minutes:4g} min  {part.about}"
        for part in PARTS
    ]
    whole = sum(part.minutes for part in PARTS)
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures Postroom beside its peers. Each part's figures are kept in bench/results/ as "
        "soon as they are there, and docs/performance.md is written from the newest full ones.",
        epilog=f"parts (*: in a quick run), about {whole:g} minutes in all:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [part.name for part in PARTS]
    parser.add_argument("--quick", action="store_true", help="less than three minutes: fewer parts and "
                        "rounds, to see that it works; the figures mean little")  # fmt: skip
    parser.add_argument("--only", nargs="+", choices=names, metavar="PART", help="these parts alone")
    parser.add_argument(
        "--resume",
        action="store_true",
        help=f"without the parts that were measured in the last {_RESUMED_HOURS:g} hours",
    )
    parser.add_argument("--no-page", action="store_true", help="does not write docs/performance.md")
    parser.add_argument(
        "--page-only", action="store_true", help="measures nothing, writes docs/performance.md"
    )
    parser.add_argument(
        "--no-install", action="store_true", help="fetches no peers: those that are not there are absent"
    )
    return parser


def _chosen(asked: argparse.Namespace) -> list[Part]:
    parts = [part for part in PARTS if part.name in asked.only] if asked.only else list(PARTS)
    if asked.quick and not asked.only:
        parts = [part for part in parts if part.in_quick]
    if asked.resume:
        parts = [
            part
            for part in parts
            if not findings.is_recent(part.name, quick=asked.quick, hours=_RESUMED_HOURS)
        ]
    return parts


def _measure(run: Run, part: Part) -> bool:
    """Measures a part, shows it and keeps it. Its failure is told, and the next part has its turn."""
    print(f"\n== {part.name}: {part.about}", flush=True)
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(_PATIENCE + round(_TIMES_EXPECTED * 60 * part.minutes))
    try:
        where, began = machine.describe(run), time.monotonic()
        chapters = [measure(run) for measure in part.measures]
        where["load at end"] = f"{os.getloadavg()[0]:.1f}"
        result = Result(part.name, run.quick, time.time(), time.monotonic() - began, where, chapters)
        path = findings.write(result)
        report.show(chapters)
    except Exception:
        signal.alarm(0)
        traceback.print_exc()
        run.renew()
        return False
    signal.alarm(0)
    print(f"{result.seconds:.0f} s; raw: {path.relative_to(ROOT)}", flush=True)
    return True


def _give_up(*_: object) -> None:
    raise TookTooLongError


if __name__ == "__main__":
    main()
