"""A breaker per mail server: keeps the engine from knocking at a door that does not open (delivery.md §7)."""

from __future__ import annotations

import dataclasses
import enum

from postroom_server.clock import MINUTE, SECOND, Millis
from postroom_server.smtp import Level, Phase, Transaction

FAILURES_TO_OPEN = 5
_FIRST_PAUSE: Millis = 30 * SECOND
LONGEST_PAUSE: Millis = 15 * MINUTE


class BreakerState(enum.StrEnum):
    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclasses.dataclass(slots=True)
class Breaker:
    """Counts connection-level failures in a row. Half open, it lets one probe through."""

    failures: int = 0
    openings: int = 0
    opened_time: Millis = 0
    reopen_time: Millis = 0
    probing: bool = False
    probe_start: Millis = 0
    phase: Phase | None = None
    reply: str = ""

    def state(self, now: Millis) -> BreakerState:
        if not self.openings:
            return BreakerState.CLOSED
        # Before its own opening: the clock was set back, and nobody waits until it has caught up.
        is_open = self.opened_time <= now < self.reopen_time
        return BreakerState.OPEN if is_open else BreakerState.HALF_OPEN

    def may_try(self, now: Millis) -> bool:
        """Whether a transaction may be begun now. Half open, asking is taking the probe."""
        state = self.state(now)
        if state is BreakerState.HALF_OPEN and not self.probing:
            self.probing, self.probe_start = True, now
            return True
        return state is BreakerState.CLOSED

    def record(self, transaction: Transaction, start: Millis, now: Millis) -> None:
        """Learns from how a transaction ended that was begun at `start`.

        A line that is lost after the dot is the server's failure too, and the one that makes copies.
        """
        if self.openings and start < self.opened_time <= now:
            # Begun before the breaker opened: of sixteen connections that fail together, one is news. A probe
            # is among them where the clock was set back to before the opening, and has come past it since.
            if start >= self.probe_start:
                self.probing = False
            return
        self.probing = False
        if transaction.level is Level.LOCAL:
            return
        if transaction.level not in (Level.CONNECTION, Level.AMBIGUOUS):
            self.failures = self.openings = 0
            self.phase, self.reply = None, ""
            return
        self.failures += 1
        self.phase = transaction.phase
        self.reply = transaction.final.text if transaction.final else transaction.error
        at_once = _pause_at_once(transaction)
        if at_once is not None or self.openings or self.failures >= FAILURES_TO_OPEN:
            pause = max(at_once or 0, _FIRST_PAUSE << min(self.openings, 10))
            self.opened_time = now
            self.reopen_time = now + min(LONGEST_PAUSE, pause)
            self.openings += 1

    def give_up_probe(self) -> None:
        """Lets another probe through: the last one never reached the server."""
        self.probing = False


def _pause_at_once(transaction: Transaction) -> Millis | None:
    """Some failures do not go away by knocking: wrong credentials, a server that says 5xx at the door."""
    permanent = transaction.final is not None and transaction.final.is_permanent
    if transaction.phase is Phase.AUTH and (permanent or transaction.final is None):
        return _FIRST_PAUSE
    if transaction.phase is Phase.BANNER and permanent:
        return LONGEST_PAUSE
    return None
