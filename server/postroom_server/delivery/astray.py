"""Mail that is due and in nobody's hands: leased without anybody's knowledge, or left behind by the clock."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import peewee

from postroom_server.clock import SECOND, Millis
from postroom_server.store.models import Delivery, DeliveryState, Email, Expansion, Preparation
from postroom_server.store.statement import Statement, as_list, bind, one_of

_PREPARATION: Any = Preparation

# A clock set back by less holds nobody up for long.
_TOLERANCE: Millis = SECOND

# The literals are the partial indexes' own.
_LEASED = Statement(
    lambda: Delivery.select(Delivery.id, Delivery.lease_token).where(
        (Delivery.state == peewee.SQL("'LEASED'"))
        & (Delivery.lease_owner == bind("owner"))
        # A server's trial is leased before it is due.
        & (Delivery.run_at <= bind("now"))
    )
)
_GIVE_BACK = Statement(
    lambda: Delivery.update(
        state=DeliveryState.READY.value, lease_owner=None, transactions=Delivery.transactions - 1
    ).where(
        one_of(Delivery.id, "ids")
        & (Delivery.state == peewee.SQL("'LEASED'"))
        & (Delivery.lease_owner == bind("owner"))
    )
)


def _moved(time: Any) -> Any:
    """What becomes of a time that is ahead: now when it was due, else as much earlier as the clock is."""
    return peewee.Case(None, ((_was_due(time), bind("now")),), time - bind("jump"))


def _was_due(time: Any) -> Any:
    return time <= bind("before")


def _was_stamped_ahead(email_id: Any, time: Any) -> Any:
    """Whether it was due when the email was accepted, at a time that has not come yet."""
    accepted = Email.select(Email.id).where((Email.id == email_id) & (Email.accept_time >= time))
    return (time > bind("now")) & peewee.fn.EXISTS(accepted)


_KEEP_PACE = Statement(
    lambda: Delivery.update(run_at=_moved(Delivery.run_at)).where(
        (Delivery.state == peewee.SQL("'READY'"))
        & (Delivery.run_at > bind("now"))
        # Its date is when a message was due at first: what has been put off since counts from the old time.
        & (_was_due(Delivery.run_at) | (Delivery.run_at > Delivery.date_time))
    )
)
# Files are fetched at times that count from when somebody looked at the clock; so are audiences looked up,
# but for those that are scheduled or wait for files.
_KEEP_FETCHING = Statement(
    lambda: Preparation.update(fetch_time=_moved(Preparation.fetch_time)).where(
        Preparation.fetch_time > bind("now")
    )
)
_KEEP_EXPANDING = Statement(
    lambda: Expansion.update(expand_time=_moved(Expansion.expand_time)).where(
        (Expansion.expand_time > bind("now"))
        & (
            _was_due(Expansion.expand_time)
            | peewee.fn.EXISTS(
                Email.select(Email.id).where(
                    (Email.id == Expansion.email_id)
                    & (Expansion.expand_time > peewee.fn.COALESCE(Email.schedule_time, 0))
                )
            )
        )
        & ~peewee.fn.EXISTS(
            Preparation.select(_PREPARATION.email_id).where(_PREPARATION.email_id == Expansion.email_id)
        )
    )
)
_BRING_FORWARD = Statement(
    lambda: Delivery.update(run_at=bind("now")).where(
        (Delivery.state == peewee.SQL("'READY'")) & _was_stamped_ahead(Delivery.email_id, Delivery.run_at)
    )
)
_FETCH_SOONER = Statement(
    lambda: Preparation.update(fetch_time=bind("now")).where(
        _was_stamped_ahead(_PREPARATION.email_id, Preparation.fetch_time)
    )
)
_EXPAND_SOONER = Statement(
    lambda: Expansion.update(expand_time=bind("now")).where(
        _was_stamped_ahead(Expansion.email_id, Expansion.expand_time)
    )
)


def give_back_unheard(owner: int, in_hand: Mapping[int, int], now: Millis) -> list[int]:
    """Ends leases that the owner does not know of, as if they had not been; returns their deliveries.

    `in_hand` are the tokens of those it knows, by delivery. The others come from a lease whose COMMIT was
    heard by the database and not answered. To be called by whoever leases for this owner, and while it does
    not. A unit of work.
    """
    unheard = [id_ for id_, token in _LEASED.rows(owner=owner, now=now) if in_hand.get(id_) != token]
    if unheard:
        _GIVE_BACK.execute(ids=as_list(unheard), owner=owner)
    return unheard


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """What the time was by the clock that decides what is due, and by the monotonic one."""

    time: Millis
    monotonic: float


def keep_pace(last: Moment, now: Moment) -> bool:
    """Follows a clock that was set back: what was due is due now, and who waits waits no longer.

    Mail for a certain time still leaves at that time. Returns whether it was set back. Part of a unit.
    """
    # Rounded up: what came in the very last moment before is due, too.
    expected = last.time + math.ceil(1000 * (now.monotonic - last.monotonic)) + 1
    if now.time >= expected - _TOLERANCE:
        return False
    for statement in (_KEEP_PACE, _KEEP_FETCHING, _KEEP_EXPANDING):
        statement.execute(now=now.time, before=expected, jump=expected - now.time)
    return True


def bring_forward(now: Millis) -> None:
    """Makes mail due that was stamped with the time from before the clock was set back.

    By processes that had not heard of it: on PostgreSQL they hear of the time now and then. A unit of work.
    """
    for statement in (_BRING_FORWARD, _FETCH_SOONER, _EXPAND_SOONER):
        statement.execute(now=now)
