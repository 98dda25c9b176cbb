"""Audiences that wait to be looked up: who of everybody ends, moves or lets go a look-up.

The row `expansion` is the lock of all that: who adds copies holds it, and so does who ends the look-up.
It comes before deliveries, recipients and emails, which units write in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import peewee

from postroom_server.clock import Millis
from postroom_server.store import outcome
from postroom_server.store.models import AudienceState, Email, Expansion, Preparation
from postroom_server.store.statement import Statement, as_list, bind, one_of

_STOP = Statement(
    lambda: Expansion.delete().where(one_of(Expansion.email_id, "email_ids")).returning(Expansion.email_id)
)
_END = Statement(lambda: Email.update(audience_state=bind("state")).where(one_of(Email.id, "email_ids")))
_LET_GO = Statement(
    lambda: (
        Expansion.update(expand_time=bind("time"))
        .where(Expansion.email_id == bind("email_id"))
        .returning(Expansion.email_id)
    )
)
_EXPIRES = Statement(
    lambda: (
        Email.select(Email.expire_time)
        .join(Expansion, on=(Expansion.email_id == Email.id))
        .where(Email.id == bind("email_id"))
    )
)
_DUE = Statement(
    lambda: Email.select(Email.schedule_time, Email.accept_time).where(Email.id == bind("email_id"))
)
_PREPARATION: Any = Preparation
_WAITS_FOR_FILES = peewee.fn.EXISTS(
    Preparation.select(_PREPARATION.email_id).where(_PREPARATION.email_id == Expansion.email_id)
)
_MOVE = Statement(
    lambda: (
        # As at accept: while files are missing, nobody is looked up.
        Expansion.update(expand_time=peewee.Case(None, ((_WAITS_FOR_FILES, bind("expires")),), bind("due")))
        .where((Expansion.email_id == bind("email_id")) & (Expansion.cursor == 0))
        .returning(Expansion.email_id)
    )
)


def stop(email_ids: Sequence[int]) -> list[int]:
    """Stops the look-ups of these emails; returns those that had one. Part of a unit, and its first.

    `end` must follow, behind what the unit does to deliveries and recipients.
    """
    return sorted(row[0] for row in _STOP.rows(email_ids=as_list(email_ids)))


def end(email_ids: Sequence[int], state: AudienceState, now: Millis) -> None:
    """Notes how look-ups that were stopped have ended, and settles the emails that have nobody open."""
    if not email_ids:
        return
    _END.execute(email_ids=as_list(email_ids), state=state.value)
    outcome.conclude(email_ids, now)


def expire_time(email_id: int) -> Millis | None:
    """When an email expires whose audience is still to be looked up; None: there is no such look-up."""
    rows = _EXPIRES.rows(email_id=email_id)
    return int(rows[0][0]) if rows else None


def let_go(email_id: int) -> bool:
    """Has the audience of an email looked up when it is due: its files are there. False: it has none."""
    rows = _DUE.rows(email_id=email_id)
    due = max(filter(None, rows[0])) if rows else 0
    return bool(_LET_GO.rows(email_id=email_id, time=due))


def move(email_id: int, due: Millis, expires: Millis) -> bool:
    """Moves a look-up to another time. False when there is none, or it has begun."""
    return bool(_MOVE.rows(email_id=email_id, due=due, expires=expires))
