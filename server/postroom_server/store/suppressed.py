"""The suppression list as sending sees it: whom it holds back, who is put on it, how a recipient ends by it.

Mail is held back when it is accepted and again when it is leased; mail/suppressions.py is what callers see.
"""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import peewee

from postroom_server.clock import Millis
from postroom_server.message.address import key as key_of
from postroom_server.store import history, outcome
from postroom_server.store.ids import IdMint
from postroom_server.store.models import (
    Delivery,
    Recipient,
    RecipientState,
    Suppression,
    SuppressionReason,
    bound,
)
from postroom_server.store.statement import Statement, as_list, bind, is_postgresql, one_of

# Enhanced codes (RFC 3463) that say that the address itself is good for nothing: no such mailbox, a null MX
# (RFC 7505), a mailbox that is disabled. A full mailbox or a policy says nothing of the kind.
HARD_REFUSALS = frozenset({"5.1.1", "5.1.10", "5.2.1"})

Listed = Mapping[tuple[int, str], SuppressionReason]

# Pairs, because the tenants of one question times its addresses would be a great many look-ups.
_FIND_SQLITE = """SELECT s.tenant_id, s.address_key, s.reason FROM json_each(?) AS asked
  CROSS JOIN suppression AS s ON s.tenant_id = json_extract(asked.value, '$[0]')
  AND s.address_key = json_extract(asked.value, '$[1]')"""
_FIND_POSTGRESQL = """SELECT s.tenant_id, s.address_key, s.reason
  FROM unnest(%s::bigint[], %s::text[]) AS asked(tenant_id, address_key)
  JOIN suppression AS s ON s.tenant_id = asked.tenant_id AND s.address_key = asked.address_key"""

# Most tenants have nobody on their list, and then hundreds of look-ups are one.
_MANY = 64
_TENANTS_SQLITE = """SELECT asked.value FROM json_each(?) AS asked
  WHERE EXISTS (SELECT 1 FROM suppression AS s WHERE s.tenant_id = asked.value)"""
_TENANTS_POSTGRESQL = """SELECT asked.tenant_id FROM unnest(%s::bigint[]) AS asked(tenant_id)
  WHERE EXISTS (SELECT 1 FROM suppression AS s WHERE s.tenant_id = asked.tenant_id)"""

_IS_OPEN = Recipient.state == peewee.SQL("'OPEN'")
_HOLD_BACK = Statement(
    lambda: (
        Recipient.update(state=RecipientState.SUPPRESSED.value, settle_time=bind("now"))
        .where(one_of(Recipient.id, "ids") & _IS_OPEN)
        .returning(Recipient.id)
    )
)
_FINISH = Statement(
    lambda: Delivery.update(state="DONE", lease_owner=None).where(
        one_of(Delivery.id, "ids")
        & ~peewee.fn.EXISTS(
            Recipient.select(Recipient.id).where((Recipient.delivery_id == Delivery.id) & _IS_OPEN)
        )
    )
)


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """An address to be listed."""

    tenant_id: int
    address: str
    reason: SuppressionReason
    email_id: int | None = None
    note: str | None = None


class Held(NamedTuple):
    """A recipient to be held back."""

    tenant_id: int
    email_id: int
    delivery_id: int
    recipient_id: int


def find(asked: Collection[tuple[int, str]]) -> Listed:
    """Which of these (tenant, address key) are listed, and why."""
    if len(asked) > _MANY:
        tenants = _with_lists({tenant_id for tenant_id, _ in asked})
        asked = [pair for pair in asked if pair[0] in tenants]
    if not asked:
        return {}
    connection = bound.connection()
    if is_postgresql():
        columns = [list(column) for column in zip(*asked, strict=True)]
        rows = connection.execute(_FIND_POSTGRESQL, columns).fetchall()
    else:
        rows = connection.execute(_FIND_SQLITE, (json.dumps(list(asked)),)).fetchall()
    return {(tenant_id, key): SuppressionReason(reason) for tenant_id, key, reason in rows}


def _with_lists(tenant_ids: Collection[int]) -> set[int]:
    sql = _TENANTS_POSTGRESQL if is_postgresql() else _TENANTS_SQLITE
    return {row[0] for row in bound.connection().execute(sql, (as_list(tenant_ids),)).fetchall()}


def stops(reason: SuppressionReason | None, *, is_batch: bool) -> bool:
    """Whether an entry holds a mail back. Who unsubscribed still gets what is not sent to many."""
    return reason is not None and (is_batch or reason is not SuppressionReason.UNSUBSCRIBED)


def put(entries: Iterable[Entry], mint: IdMint, now: Millis) -> int:
    """Lists addresses and returns how many are new. Part of a unit; emails are written behind it.

    Who is listed keeps the entry; only UNSUBSCRIBED gives way to a reason that stops every mail.
    """
    # In one order: two units that list the same addresses then wait for each other instead of dead-locking.
    by_key = {(entry.tenant_id, key_of(entry.address)): entry for entry in reversed(list(entries))}
    if not by_key:
        return 0
    ids = mint.many(len(by_key))
    rows = [
        {
            "id": id_, "tenant_id": tenant_id, "address_key": key, "address": entry.address,
            "reason": entry.reason.value, "email_id": entry.email_id, "note": entry.note, "create_time": now,
        }
        for id_, ((tenant_id, key), entry) in zip(ids, sorted(by_key.items()), strict=True)
    ]  # fmt: skip
    weak, changed = SuppressionReason.UNSUBSCRIBED.value, peewee.EXCLUDED
    fresh, new = set(ids), 0
    for some in peewee.chunked(rows, _AT_ONCE):
        written = (
            Suppression.insert_many(some)
            .on_conflict(
                conflict_target=[Suppression.tenant_id, Suppression.address_key],
                update={field: getattr(changed, field.name) for field in _REPLACED},
                where=(Suppression.reason == weak) & (changed.reason != weak),
            )
            .returning(Suppression.id)
            .execute()
        )
        new += sum(row.id in fresh for row in written)
    return new


_AT_ONCE = 1000  # rows of eight values: SQLite takes 32766 in one statement
_REPLACED = (Suppression.reason, Suppression.email_id, Suppression.note)


def hold_back(held: Sequence[Held], now: Millis) -> None:
    """Ends open recipients SUPPRESSED, and the deliveries and emails that have nobody else. Part of a unit.

    The deliveries are in no other hands: just stored, or leased in this transaction.
    """
    if not held:
        return
    ended = {row[0] for row in _HOLD_BACK.rows(ids=as_list(one.recipient_id for one in held), now=now)}
    held = [one for one in held if one.recipient_id in ended]
    _FINISH.execute(ids=as_list({one.delivery_id for one in held}))
    history.append(
        [
            history.event(
                one.tenant_id,
                history.Kind.RECIPIENT_SETTLED,
                now,
                email_id=one.email_id,
                delivery_id=one.delivery_id,
                recipient_id=one.recipient_id,
                state=RecipientState.SUPPRESSED.value,
            )
            for one in held
        ]
    )
    counts = collections.Counter(one.email_id for one in held)
    outcome.record([(email_id, RecipientState.SUPPRESSED, count) for email_id, count in counts.items()], now)
