"""How a scenario ended, as a line of the table of docs/reliability.md."""

from __future__ import annotations

import dataclasses

from faults.balance import Balance


class AbsentError(Exception):
    """Says what a scenario needs and this machine does not have."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """`dose` says how much of it there was, `notes` what else was seen, `broken` what else was promised."""

    scenario: str
    dose: str
    balance: Balance
    notes: str = ""
    broken: tuple[str, ...] = ()

    def __str__(self) -> str:
        notes = f"; {self.notes}" if self.notes else ""
        return f"{self.scenario}: {self.dose}: {self.balance}{notes}"

    @property
    def is_kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.broken and self.balance.is_even

    def check(self) -> None:
        """Says how it ended, and raises unless every promise was kept."""
        print(self)  # noqa: T201 - a run tells what it saw
        assert not self.broken, self.broken
        self.balance.check()
