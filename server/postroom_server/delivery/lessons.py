"""What a transaction teaches about its server: its breaker, its limit of recipients, alarms and counts."""

from __future__ import annotations

import structlog

from postroom_server.clock import Millis
from postroom_server.delivery.breaker import BreakerState
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.line import Line
from postroom_server.delivery.metrics import DeliveryMetrics
from postroom_server.delivery.recipient_limits import RecipientLimits
from postroom_server.message.address import domain
from postroom_server.smtp import Phase, Transaction

log = structlog.get_logger()


class Lessons:
    """`limits` is what has been learned of how many recipients servers take."""

    def __init__(self, metrics: DeliveryMetrics) -> None:
        self._metrics = metrics
        self.limits = RecipientLimits()

    def learn(
        self, leased: Leased, line: Line, transaction: Transaction, start: Millis, now: Millis
    ) -> BreakerState:
        """Learns from a transaction that was begun at `start`; returns how the breaker stands by now."""
        self.limits.learn(line.server.id, transaction, now)
        final = transaction.final
        if transaction.phase is Phase.MAIL and final is not None and final.is_permanent:
            self._metrics.sender_refused(line.server, domain(leased.email.mailing.from_address))
        was = line.breaker.state(now)
        line.breaker.record(transaction, start, now)
        state = line.breaker.state(now)
        if state is not was:
            self._tell(line, transaction, state)
        return state

    def _tell(self, line: Line, transaction: Transaction, state: BreakerState) -> None:
        if state is BreakerState.OPEN:
            self._metrics.breaker_opened(line.server, transaction.phase)
            if transaction.phase is Phase.AUTH:
                # Knocking does not help: somebody has to mend the account.
                log.error("login_refused", server=line.server.name, reply=line.breaker.reply)
        log.warning(
            "breaker",
            server=line.server.name,
            state=state.value,
            failures=line.breaker.failures,
            phase=transaction.phase.value,
        )
