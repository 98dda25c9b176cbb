"""docs/reliability.md: what a run of tools/reliability.py has found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from faults.balance import Balance

# Of what this machine has not got.
ABSENT = "absent"
COUNTS = ("accepted", "lost", "duplicates", "ambiguous", "unexplained", "stuck", "unknown", "held")
PREFACE = """<!-- Written by `make faults`; edit tools/reliability.py and tests/faults instead. -->

# Reliability

Mail that was answered OK is never lost, and every copy beyond the first is counted: this page says how often
we tried to break that, and what came of it. Every row is a run of real processes over real sockets, with
`postroom serve` started, killed, stopped and starved, over a real SQLite file or a real PostgreSQL, and with
mail servers that we script.

"""
METHOD = """
## How it is counted

Senders outside of the server keep a **ledger**: each sends as a careful client does, again with the same
request_id until it is answered, and writes down what was answered OK. The traffic is mixed: single mails and
batches, of one part and of two, some larger than a piece of a body, every seventh AT_MOST_ONCE.
Scripted mail servers keep another book: every message that came up to its final dot, with a digest of its
bytes, and what they answered. When nothing moves any more, both books are laid beside the API's:

| column | what it counts | must be |
| --- | --- | --- |
| accepted | mails that were answered OK | |
| lost | of these, those that ended without a server's yes, or are unknown to the API | 0 |
| duplicates | copies beyond the first that a mail server took or left unanswered | ≤ ambiguous |
| ambiguous | as the API counts them: a dot without an answer, and each mail in hand at a crash | |
| unexplained | mails of more copies than 1 + their ambiguous events; for AT_MOST_ONCE, than 1 | 0 |
| stuck | mails still PENDING when nothing had moved for 45 s | 0 |
| unknown | AT_MOST_ONCE mails that ended as UNKNOWN | |
| held | mails set aside after three crashes, then released through the API | |

A run also fails when two copies of a mail differ in a single byte (Message-ID, Date and boundaries included),
or when a mail server was given something that nobody was told was accepted. Every scenario's chance starts
from its seed: `python tools/reliability.py --only NAME --seed SEED` makes the same choices again, though
not at the very same moments. Processes beat every 0.3 s here and are taken for dead after 2.5 s, so that a
run has more deaths in it; in service it is 15 s and 60 s.

Runs are made one after the other, or some again later; the last table says when each began, and how busy the
machine was then. Of what is counted nothing depends on that, but seconds do.
"""


@dataclasses.dataclass(frozen=True)
class Line:
    """What became of a run. Where it broke off, `error` says of what, and there is no more."""

    name: str
    store: str
    seed: str
    time: str  # UTC, when it began
    load: float  # then
    seconds: float
    scenario: str = ""
    dose: str = ""
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    is_even: bool = False
    broken: tuple[str, ...] = ()
    notes: str = ""
    error: str = ""

    @property
    def is_absent(self) -> bool:
        return self.error.startswith(ABSENT)

    @property
    def is_broken(self) -> bool:
        return not self.is_absent and not (self.is_even and not self.broken)


def count(balance: Balance) -> dict[str, int]:
    values = {name: getattr(balance, name) for name in COUNTS}
    return {name: value if isinstance(value, int) else len(value) for name, value in values.items()}


def page(machine: Mapping[str, str], lines: Sequence[Line]) -> str:
    parts = [PREFACE, "| | |\n| --- | --- |\n"]
    parts += [f"| {key} | {value} |\n" for key, value in machine.items()]
    played = [line for line in lines if not line.is_absent]
    kept = sum(not line.is_broken for line in played)
    parts.append(f"\n**{kept} of {len(played)} runs kept every promise:** {_sums(played)}\n")
    for store in dict.fromkeys(line.store for line in lines):
        parts.append(f"\n## {store}\n\n| what happens | how much | {' | '.join(COUNTS)} | |\n")
        parts.append(f"| --- | --- | {' | '.join('---:' for _ in COUNTS)} | --- |\n")
        parts += [_row(line) for line in lines if line.store == store]
    parts += [METHOD, _notes(lines)]
    return "".join(parts)


def _sums(lines: Sequence[Line]) -> str:
    sums = {name: sum(line.counts.get(name, 0) for line in lines) for name in COUNTS[:6]}
    return ", ".join(f"{number:,} {name}" for name, number in sums.items()) + "."


def _row(line: Line) -> str:
    if not line.counts:
        said = line.error if line.is_absent else "broke off ✗"
        return f"| {line.name} | | {' | '.join('' for _ in COUNTS)} | {said} |\n"
    counts = " | ".join(f"{line.counts[name]:,}" for name in COUNTS)
    return f"| {line.scenario} | {line.dose} | {counts} | {'✗' if line.is_broken else '✓'} |\n"


def _notes(lines: Sequence[Line]) -> str:
    """What else was seen, and where each run began."""
    rows = "".join(
        f"| {line.name} | `{line.seed}` | {line.time} | {line.load:.1f} | {line.seconds:.0f} s |"
        f" {line.notes or line.error}{''.join(f' ✗ {one}' for one in line.broken)} |\n"
        for line in lines
    )
    head = "| name | seed | began | load | took | seen |\n| --- | --- | --- | ---: | ---: | --- |\n"
    return f"\n## Each run\n\n{head}{rows}"
