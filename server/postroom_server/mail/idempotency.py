"""Remembered requests: the same request_id and the same request get the first answer again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

import peewee

from postroom_server.clock import Millis
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Idempotency
from postroom_server.store.statement import Statement, as_list, bind, insert, is_postgresql, one_of
from postroom_server.store.unit import LostRaceError

_FIND = Statement(
    lambda: Idempotency.select(Idempotency.request_id, Idempotency.fingerprint, Idempotency.answer).where(
        (Idempotency.tenant_id == bind("tenant_id"))
        & (Idempotency.method == bind("method"))
        & one_of(Idempotency.request_id, "request_ids")
    )
)
_FIND_ONE = Statement(
    lambda: Idempotency.select(Idempotency.request_id, Idempotency.fingerprint, Idempotency.answer).where(
        (Idempotency.tenant_id == bind("tenant_id"))
        & (Idempotency.method == bind("method"))
        & (Idempotency.request_id == bind("request_id"))
    )
)
_REMEMBER = insert(Idempotency)


@dataclasses.dataclass(frozen=True, slots=True)
class Remembered:
    fingerprint: bytes
    answer: Any

    def answer_to(self, request_id: str, fingerprint: bytes) -> Any:
        """The first answer, or a refusal when the request is not the one that was answered."""
        if self.fingerprint != fingerprint:
            raise Refusal(
                Reason.IDEMPOTENCY_MISMATCH,
                "this request_id was used for another request",
                metadata={"request_id": request_id},
            )
        return self.answer


def find(tenant_id: int, method: str, request_ids: Sequence[str]) -> dict[str, Remembered]:
    """What is remembered of these requests, by request_id."""
    if not request_ids:
        return {}
    if len(request_ids) == 1:
        rows = _FIND_ONE.rows(tenant_id=tenant_id, method=method, request_id=request_ids[0])
    else:
        rows = _FIND.rows(tenant_id=tenant_id, method=method, request_ids=as_list(request_ids))
    return {row[0]: Remembered(bytes(row[1]), json.loads(row[2])) for row in rows}


def remember(tenant_id: int, method: str, answers: Iterable[tuple[str, bytes, Any]], now: Millis) -> None:
    """Stores (request_id, fingerprint, answer) rows with the mail they belong to; an empty id is not kept.

    Raises LostRaceError when another process has stored one of them in the meantime.
    """
    # In key order: two batches that share keys then wait for each other instead of dead-locking.
    rows = [
        (tenant_id, method, request_id, fingerprint, json.dumps(answer), now)
        for request_id, fingerprint, answer in sorted(answers, key=lambda row: row[0])
        if request_id
    ]
    try:
        _REMEMBER.many(rows)
    except Exception as error:
        if is_postgresql() and _is_unique_violation(error):
            raise LostRaceError from error
        raise


def _is_unique_violation(error: Exception) -> bool:
    return isinstance(error, peewee.IntegrityError) or type(error).__name__ == "UniqueViolation"
