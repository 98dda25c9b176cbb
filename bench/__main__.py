"""`python -m bench`: every figure that is stated, beside its peers, in one run.

    python -m bench [--quick] [--only unary batches templates rest lists end-to-end footprint] [--no-page]

A quick run takes less than three minutes, has fewer rounds and does not touch docs/performance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time

from bench import accept, end_to_end, footprint, machine, postfix, report, rest, templates
from bench.children import child
from bench.figures import Chapter
from bench.sink import Sink, smtp_sink, verifying_sink

_PARTS = ("unary", "batches", "templates", "rest", "lists", "end-to-end", "footprint")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures Postroom beside its peers.")
    parser.add_argument("--quick", action="store_true", help="under three minutes; does not write the page")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS, metavar="PART")
    parser.add_argument("--no-page", action="store_true", help="does not write docs/performance.md")
    asked = parser.parse_args()
    began = time.monotonic()
    package = postfix.fetch()
    where = machine.describe()
    where["peers"] = f"Postfix {package.version}, from its Debian package" if package else "none could be had"
    chapters: list[Chapter] = []
    with contextlib.ExitStack() as stack:
        loader = stack.enter_context(child("loader"))
        reading = stack.enter_context(verifying_sink())
        counting: Sink = stack.enter_context(smtp_sink(package)) if package else reading
        rounds = 3 if asked.quick else 7
        if "unary" in asked.only:
            chapters.append(
                accept.unary(loader, counting, rounds=rounds, calls=1500 if asked.quick else 3000)
            )
        if "batches" in asked.only:
            chapters.append(
                accept.batches(loader, counting, rounds=rounds, mails=4000 if asked.quick else 10_000)
            )
        if "templates" in asked.only:
            chapters += [
                templates.writing(50 if asked.quick else 250),
                templates.accepting(5 if asked.quick else 15),
            ]
        if "rest" in asked.only:
            chapters.append(
                rest.accepting(loader, counting, rounds=rounds, calls=1500 if asked.quick else 3000)
            )
        if "lists" in asked.only:
            chapters.append(
                rest.listing(
                    loader, rows=100_000 if asked.quick else 1_000_000, rounds=10 if asked.quick else 30
                )
            )
        if "end-to-end" in asked.only:
            sizes = {"mails": 4000 if asked.quick else 10_000, "peer_mails": 1000 if asked.quick else 3000}
            chapters += [
                end_to_end.compare(
                    loader, package, sink, rounds=2 if asked.quick else 5 if sink is counting else 3, **sizes
                )
                for sink in dict.fromkeys((counting, reading))
            ]
        if "footprint" in asked.only:
            chapters.append(
                footprint.footprint(loader, counting, rounds=2 if asked.quick else 5, mails=20_000)
            )
    where["load at end"] = f"{os.getloadavg()[0]:.1f}"
    where["run"] = f"{'quick, ' if asked.quick else ''}{time.monotonic() - began:.0f} s"
    report.show(chapters)
    print()
    for key, value in where.items():
        print(f"{key}: {value}")
    print(f"raw: {report.write_raw(where, chapters, quick=asked.quick)}")
    if not (asked.quick or asked.no_page) and len(asked.only) == len(_PARTS):
        report.write_page(where, chapters)


if __name__ == "__main__":
    main()
