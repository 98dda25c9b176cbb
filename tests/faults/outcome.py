"""How a scenario ended, as a line of the table of docs/reliability.md."""

from __future__ import annotations

import dataclasses

from faults.balance import Balance


@dataclasses.dataclass(frozen=True)
class Outcome:
    """`dose` says how much of it there was, `notes` what else was seen."""

    scenario: str
    dose: str
    balance: Balance
    notes: str = ""

    def __str__(self) -> str:
        notes = f"; {self.notes}" if self.notes else ""
        return f"{self.scenario}: {self.dose}: {self.balance}{notes}"

    def check(self) -> None:
        """Says how it ended, and raises unless every promise was kept."""
        print(self)  # noqa: T201 - a run tells what it saw
        self.balance.check()
