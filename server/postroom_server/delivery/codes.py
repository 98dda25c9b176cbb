"""Verification codes on their way: what a leased delivery's code derives from, and when it is handed over."""

from __future__ import annotations

from collections.abc import Iterable

import peewee

from postroom_server.clock import Millis
from postroom_server.store.codes import CodeSeed
from postroom_server.store.models import Code, Delivery, Recipient, Role
from postroom_server.store.statement import Statement, as_list, bind, one_of

_SEEDS = Statement(
    lambda: Code.select(
        Code.delivery_id, Code.tenant_id, Code.biz_key, Code.address_key, Code.nonce, Code.email_id
    ).where(one_of(Code.delivery_id, "ids"))
)
_HAND_OVER = Statement(
    lambda: Code.update(hand_over_time=bind("now")).where(
        (Code.delivery_id == bind("id")) & Code.hand_over_time.is_null()
    )
)
_HAND_OVER_AT_DOT = Statement(
    lambda: Code.update(
        hand_over_time=peewee.fn.COALESCE(
            Delivery.select(Delivery.dot_time).where(Delivery.id == Code.delivery_id), bind("now")
        )
    ).where((Code.delivery_id == bind("id")) & Code.hand_over_time.is_null())
)
_FIRST_TO = Statement(
    lambda: (
        Recipient.select(Recipient.email_id, Recipient.address)
        .where(one_of(Recipient.email_id, "ids") & (Recipient.role == Role.TO.value))
        .order_by(Recipient.id.desc())
    )
)


def seeds(delivery_ids: Iterable[int]) -> dict[int, CodeSeed]:
    """By delivery. A delivery of a code mail that has none is a copy in which the code is masked."""
    ids = list(delivery_ids)
    if not ids:
        return {}
    return {
        delivery_id: CodeSeed(tenant_id, biz_key, address_key, bytes(nonce), email_id)
        for delivery_id, tenant_id, biz_key, address_key, nonce, email_id in _SEEDS.rows(ids=as_list(ids))
    }


def hand_over(delivery_ids: Iterable[int], now: Millis) -> None:
    """Starts the validity of codes whose mail was taken, or may have been (security.md D6)."""
    _HAND_OVER.execute_many([{"id": delivery_id, "now": now} for delivery_id in delivery_ids])


def hand_over_at_dot(delivery_ids: Iterable[int], now: Millis) -> None:
    """The same for mail of which nobody knows whether it was taken: if it was, then when its dot was marked.

    Not when that was noticed, which may be minutes later: a code that was sent in the meantime is the newer.
    """
    _HAND_OVER_AT_DOT.execute_many([{"id": delivery_id, "now": now} for delivery_id in delivery_ids])


def first_to(email_ids: Iterable[int]) -> dict[int, str]:
    """The first To address of each email: the copy in which the code is masked says what its copy says."""
    ids = sorted(set(email_ids))
    # Backwards, so that the first one stays.
    return dict(_FIRST_TO.rows(ids=as_list(ids))) if ids else {}
