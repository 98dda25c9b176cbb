"""Writes how attempts ended: recipients, attempts, deliveries, emails and events, many in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import peewee

from postroom_server.clock import Millis
from postroom_server.delivery import attempts
from postroom_server.delivery.attempts import Settlement
from postroom_server.delivery.sheet import Sheet
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Delivery, DeliveryState, Recipient
from postroom_server.store.statement import Statement, as_list, is_postgresql, one_of


def _held_query() -> Any:
    query = (
        Delivery.select(
            Delivery.id, Delivery.state, Delivery.lease_owner, Delivery.lease_token, Delivery.cancel_requested
        )
        .where(one_of(Delivery.id, "ids"))
        .order_by(Delivery.id)
    )
    # In the order of ids, so that two workers that settle the same deliveries wait for each other.
    return query.for_update() if is_postgresql() else query


_LOCK = Statement(_held_query)
_STILL_OPEN = Statement(
    lambda: Recipient.select(Recipient.id).where(
        one_of(Recipient.id, "ids") & (Recipient.state == peewee.SQL("'OPEN'"))
    )
)


def settle(owner: int, settlements: Sequence[Settlement], mint: IdMint, now: Millis) -> list[Settlement]:
    """Settles attempts under the leases they were made with. A unit of work.

    Returns those whose lease had passed to another by then; what they learned is kept as evidence, and
    a recipient that is still open and was accepted is settled by it all the same.
    """
    return settle_once(owner, settlements, mint.many(attempts.count(settlements)), mint, now)


def settle_once(
    owner: int, settlements: Sequence[Settlement], ids: Sequence[int], mint: IdMint, now: Millis
) -> list[Settlement]:
    """The same under ids for the attempts that were made before.

    Whoever has lost the answer to the COMMIT asks again with the same ids: what was written stays as it is.
    """
    held = {
        row[0]: row for row in _LOCK.rows(ids=as_list(settlement.leased.id for settlement in settlements))
    }
    # Asked under the locks: a commit of which nobody has heard yet may still be under way.
    if attempts.are_noted(ids, settlements):
        return []
    sheet = Sheet(now, _still_open(settlements))
    late: list[Settlement] = []
    for settlement in settlements:
        row = held.get(settlement.leased.id)
        if row is not None and row[1] == DeliveryState.LEASED and row[2] == owner \
                and row[3] == settlement.leased.lease_token:  # fmt: skip
            sheet.add(settlement, cancel_requested=bool(row[4]))
        else:
            late.append(settlement)
            sheet.add_late(settlement)
    sheet.write(owner, ids, mint)
    return late


def _still_open(settlements: Sequence[Settlement]) -> set[int]:
    ids = {r.id for one in settlements for r in one.leased.recipients if r.is_open}
    return {row[0] for row in _STILL_OPEN.rows(ids=as_list(sorted(ids)))}
