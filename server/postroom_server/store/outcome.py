"""Brings emails up to date after recipients of theirs were settled, and says which emails that settled.

Called by every unit that settles recipients: the engine's settle and expiry, cancel, delete.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any, NamedTuple

import peewee

from postroom_server.clock import Millis
from postroom_server.store import history
from postroom_server.store.models import Email, EmailState, RecipientState
from postroom_server.store.statement import Statement, as_list, bind, is_postgresql, one_of

# What may end an OPEN recipient. BOUNCED may not: it follows DELIVERED, when the email is settled already.
_COUNTERS = {
    RecipientState.DELIVERED: Email.delivered_count,
    RecipientState.REFUSED: Email.refused_count,
    RecipientState.EXPIRED: Email.expired_count,
    RecipientState.CANCELLED: Email.cancelled_count,
    RecipientState.SUPPRESSED: Email.suppressed_count,
    RecipientState.UNKNOWN: Email.unknown_count,
}


def _count() -> Any:
    stays_open = Email.open_count > bind("closed")
    # A bounce takes nothing back: whoever bounced was delivered.
    all_delivered = (
        Email.delivered_count + Email.bounced_count + bind(RecipientState.DELIVERED.value)
        == Email.recipient_count
    )
    changes: dict[Any, Any] = {counter: counter + bind(state.value) for state, counter in _COUNTERS.items()}
    changes[Email.open_count] = Email.open_count - bind("closed")
    changes[Email.state] = peewee.Case(
        None,
        ((stays_open, Email.state), (all_delivered, peewee.SQL("'SUCCESS'"))),
        peewee.SQL("'FAILURE'"),
    )
    changes[Email.settle_time] = peewee.Case(None, ((stays_open, Email.settle_time),), bind("now"))
    return (
        Email.update(changes)
        .where(one_of(Email.id, "email_ids"))
        .returning(Email.id, Email.tenant_id, Email.state)
    )


_COUNT = Statement(_count)
_LOCK = Statement(
    lambda: (
        Email.select(peewee.SQL("1"))
        .where(one_of(Email.id, "email_ids"))
        .order_by(Email.id)
        .for_update("FOR NO KEY UPDATE")  # type: ignore[arg-type]
    )
)


class Settled(NamedTuple):
    """An email that has no open recipient any more."""

    email_id: int
    tenant_id: int
    state: EmailState


def record(changes: Sequence[tuple[int, RecipientState, int]], now: Millis) -> list[Settled]:
    """Counts recipients that left OPEN: (email id, the state they ended in, how many).

    Returns the emails that this settled, and appends their EMAIL_SETTLED events. An email may stand in any
    number of changes. The caller has changed the recipients themselves in the same transaction, each of them
    from OPEN: what is told twice is counted twice.
    """
    by_email: dict[int, collections.Counter[RecipientState]] = {}
    for email_id, state, count in changes:
        by_email.setdefault(email_id, collections.Counter())[state] += count
    if is_postgresql() and len(by_email) > 1:
        # Two transactions that share emails take them in one order, or each would wait for the other.
        _LOCK.rows(email_ids=as_list(by_email))
    settled = [
        Settled(email_id, tenant_id, EmailState(state))
        for counts, email_ids in _alike(by_email)
        for email_id, tenant_id, state in _COUNT.rows(email_ids=as_list(email_ids), now=now, **counts)
        if state != EmailState.PENDING
    ]
    history.append(
        [
            history.event(tenant_id, history.Kind.EMAIL_SETTLED, now, email_id=email_id, state=state.value)
            for email_id, tenant_id, state in settled
        ]
    )
    return settled


def _alike(
    by_email: dict[int, collections.Counter[RecipientState]],
) -> list[tuple[dict[str, int], list[int]]]:
    """Emails with the same counts go through one statement: in practice nearly all of them."""
    groups: dict[frozenset[tuple[RecipientState, int]], list[int]] = {}
    for email_id, counts in by_email.items():
        groups.setdefault(frozenset(counts.items()), []).append(email_id)
    found = []
    for key, email_ids in groups.items():
        given = dict.fromkeys((state.value for state in _COUNTERS), 0)
        given["closed"] = 0
        for state, count in key:
            given[state.value] += count  # a KeyError is a caller that reports OPEN or BOUNCED
            given["closed"] += count
        found.append((given, email_ids))
    return found
