"""Brings emails up to date after recipients of theirs were settled, and says which emails that settled.

Called by every unit that settles recipients: the engine's settle and expiry, cancel, delete; and where the
look-up of an audience ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import peewee

from postroom_server.clock import Millis
from postroom_server.store import history
from postroom_server.store.models import AudienceState, Email, EmailState, RecipientState
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
_audience = peewee.fn.COALESCE(Email.audience_state, peewee.SQL(f"'{AudienceState.COMPLETE}'"))


def _count() -> Any:
    # Of an audience that is still looked up, more copies are to come.
    stays_open = (Email.open_count > bind("closed")) | (_audience == AudienceState.EXPANDING.value)
    # A bounce takes nothing back: whoever bounced was delivered. Who was not found was not delivered either.
    all_delivered = (
        (
            Email.delivered_count + Email.bounced_count + bind(RecipientState.DELIVERED.value)
            == Email.recipient_count
        )
        & (Email.recipient_count > 0)
        & (_audience == AudienceState.COMPLETE.value)
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


# How many of an email's recipients ended in which states, in the states' order.
_Ends = tuple[tuple[RecipientState, int], ...]
_STATES = {state.value: state for state in EmailState}


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
    by_email: dict[int, _Ends] = {}
    for email_id, state, count in changes:
        ends = by_email.get(email_id)
        here = (state, count)
        by_email[email_id] = (here,) if ends is None else tuple(sorted((*ends, here)))
    if is_postgresql() and len(by_email) > 1:
        # Two transactions that share emails take them in one order, or each would wait for the other.
        _LOCK.rows(email_ids=as_list(by_email))
    settled = [
        Settled(email_id, tenant_id, _STATES[state])
        for counts, email_ids in _alike(by_email)
        for email_id, tenant_id, state in _COUNT.rows(email_ids=as_list(email_ids), now=now, **counts)
        if state != EmailState.PENDING
    ]
    history.append(
        [
            history.event(tenant_id, history.Kind.EMAIL_SETTLED, now, email_id=email_id, state=str(state))
            for email_id, tenant_id, state in settled
        ]
    )
    return settled


def conclude(email_ids: Sequence[int], now: Millis) -> list[Settled]:
    """The same where nobody's state changed: the audiences of these emails were being looked up till now."""
    # Any state does: nobody came to be in it.
    return record([(email_id, RecipientState.CANCELLED, 0) for email_id in email_ids], now)


def _alike(by_email: dict[int, _Ends]) -> list[tuple[dict[str, int], list[int]]]:
    """Emails with the same counts go through one statement: in practice nearly all of them."""
    groups: dict[_Ends, list[int]] = {}
    for email_id, ends in by_email.items():
        groups.setdefault(ends, []).append(email_id)
    found = []
    for key, email_ids in groups.items():
        given = dict.fromkeys((state.value for state in _COUNTERS), 0)
        given["closed"] = 0
        for state, count in key:
            given[state.value] += count  # a KeyError is a caller that reports OPEN or BOUNCED
            given["closed"] += count
        found.append((given, email_ids))
    return found
