"""What an attempt leaves as rows: one for each transaction that was tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from postroom_server.clock import Millis
from postroom_server.delivery.leased import Leased
from postroom_server.delivery.verdict import Verdict
from postroom_server.record import record
from postroom_server.smtp import Transaction
from postroom_server.store.models import Attempt
from postroom_server.store.statement import Statement, bind, insert


@record
class Settlement:
    """The end of one attempt. `transaction` is None where no server was asked.

    `earlier` are transactions with other servers that failed within the same attempt.
    """

    leased: Leased
    verdict: Verdict
    transaction: Transaction | None
    server_id: int | None
    start_time: Millis
    end_time: Millis
    earlier: tuple[Settlement, ...] = ()

    @property
    def tried(self) -> list[Settlement]:
        """What was tried, in order; nothing, when no server was asked and nothing went wrong."""
        is_one = self.transaction is not None or self.verdict.counts_as_crash
        if not self.earlier:
            return [self] if is_one else []
        return sorted([*self.earlier, *([self] if is_one else [])], key=lambda one: one.start_time)


_ATTEMPT = insert(Attempt)
_IS_THERE = Statement(
    lambda: Attempt.select(Attempt.id).where(
        (Attempt.id == bind("id")) & (Attempt.delivery_id == bind("delivery_id"))
    )
)


def count(settlements: Sequence[Settlement]) -> int:
    """How many rows these will leave."""
    return sum(len(settlement.tried) for settlement in settlements)


def note(tried: Sequence[Settlement], ids: Sequence[int], owner: int) -> None:
    _ATTEMPT.many([_row(id_, owner, one) for id_, one in zip(ids, tried, strict=True)])


def are_noted(ids: Sequence[int], settlements: Sequence[Settlement]) -> bool:
    """Whether a transaction that noted these under these ids was committed.

    Their deliveries count, too: after a start with a clock that was set back, ids may be somebody else's.
    """
    if not ids:
        return False
    first = next(one for settlement in settlements for one in settlement.tried)
    return bool(_IS_THERE.rows(id=ids[0], delivery_id=first.leased.id))


def _row(id_: int, owner: int, settlement: Settlement) -> tuple[Any, ...]:
    leased, verdict, transaction = settlement.leased, settlement.verdict, settlement.transaction
    final = transaction.final if transaction else None
    text = final.text if final else (transaction.error if transaction else None)
    return (
        id_, leased.tenant_id, leased.email.id, leased.id, settlement.server_id, owner, str(verdict.outcome),
        str(transaction.phase) if transaction else "LOCAL", final.code if final else None,
        (final.enhanced or None) if final else None, text,
        (transaction.tls_version or None) if transaction else None, verdict.ambiguous, verdict.accepted_count,
        verdict.refused_count, settlement.start_time, settlement.end_time,
    )  # fmt: skip
