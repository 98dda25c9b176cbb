"""Who looks up which audience: what is due is claimed by moving its time ahead, tenants in turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import peewee

from postroom_server.clock import SECOND, Millis
from postroom_server.store.models import Email, Expansion, Preparation, bound
from postroom_server.store.statement import Statement, as_list, bind, is_postgresql

# Much longer than a page takes, which is short by the clock (audience_expansion.py); each page renews it.
# Whoever dies leaves the look-up to the next after that.
CLAIM: Millis = 10 * SECOND
_TENANTS_A_TURN = 256
_PREPARATION: Any = Preparation

# As the engine leases (delivery/lease.py): skip from tenant to tenant through the index expansion_due, and
# take what has waited longest of the first that has something due and is not busy.
_TURN = """
WITH RECURSIVE turn(tenant_id) AS (
  SELECT (SELECT MIN(tenant_id) FROM expansion WHERE tenant_id > {p})
  UNION ALL
  SELECT (SELECT MIN(n.tenant_id) FROM expansion n WHERE n.tenant_id > turn.tenant_id)
  FROM turn WHERE turn.tenant_id IS NOT NULL
), taken(tenant_id) AS (
  SELECT tenant_id FROM turn WHERE tenant_id IS NOT NULL AND NOT tenant_id {busy} LIMIT {p}
)"""
_DUE = """SELECT x.email_id FROM expansion x
  WHERE x.tenant_id = taken.tenant_id AND x.expand_time <= {p} AND NOT x.email_id {in_hand}
  ORDER BY x.expand_time, x.email_id LIMIT 1"""
_IN_SQLITE, _IN_POSTGRESQL = "IN (SELECT value FROM json_each(?))", "= ANY(%s)"
_RETURNING = "RETURNING expansion.email_id, expansion.tenant_id"
CLAIM_SQLITE = (
    f"{_TURN} UPDATE expansion SET expand_time = {{p}} WHERE email_id = (SELECT e.email_id FROM taken"  # noqa: S608
    f" JOIN expansion e ON e.email_id = ({_DUE}) LIMIT 1) {_RETURNING}"
).format(p="?", busy=_IN_SQLITE, in_hand=_IN_SQLITE)
CLAIM_POSTGRESQL = (
    f"{_TURN}, due AS MATERIALIZED (SELECT d.email_id FROM taken CROSS JOIN LATERAL"  # noqa: S608 - as above
    f" ({_DUE} FOR UPDATE SKIP LOCKED) d LIMIT 1)"
    " UPDATE expansion SET expand_time = {p} FROM due WHERE expansion.email_id = due.email_id"
    f" {_RETURNING}"
).format(p="%s", busy=_IN_POSTGRESQL, in_hand=_IN_POSTGRESQL)

_RESUME = Statement(
    # No farther ahead than a claim, and neither scheduled nor waiting for files: then it is one.
    lambda: Expansion.update(expand_time=bind("now")).where(
        (Expansion.expand_time > bind("now"))
        & (Expansion.expand_time <= bind("claimed"))
        & peewee.fn.EXISTS(
            Email.select(Email.id).where(
                (Email.id == Expansion.email_id) & (peewee.fn.COALESCE(Email.schedule_time, 0) <= bind("now"))
            )
        )
        & ~peewee.fn.EXISTS(
            Preparation.select(_PREPARATION.email_id).where(_PREPARATION.email_id == Expansion.email_id)
        )
    )
)


@dataclasses.dataclass(frozen=True, slots=True)
class Claimed:
    email_id: int
    tenant_id: int


class Claims:
    """Both are parts of units; they remember behind which tenant the round goes on."""

    def __init__(self) -> None:
        self._after = -1

    def take(self, busy_tenants: Iterable[int], in_hand: Iterable[int], now: Millis) -> Claimed | None:
        """Claims a look-up that is due, of the next tenant that is not busy.

        None of the emails `in_hand`: whoever claims anew what it has already makes its own page void.
        """
        busy, held = as_list(busy_tenants), as_list(in_hand)
        row = _take(self._after, busy, held, now)
        if row is None and self._after >= 0:
            row = _take(-1, busy, held, now)
        self._after = -1 if row is None else row[1]
        return None if row is None else Claimed(*row)

    def resume(self, now: Millis) -> None:
        """Takes the claims of processes that are gone."""
        _RESUME.execute(now=now, claimed=now + CLAIM)


def _take(after: int, busy: Any, in_hand: Any, now: Millis) -> tuple[int, int] | None:
    connection = bound.connection()
    turn = (after, busy, _TENANTS_A_TURN)
    if is_postgresql():
        rows = connection.execute(CLAIM_POSTGRESQL, (*turn, now, in_hand, now + CLAIM)).fetchall()
    else:
        rows = connection.execute(CLAIM_SQLITE, (*turn, now + CLAIM, now, in_hand)).fetchall()
    return rows[0] if rows else None
