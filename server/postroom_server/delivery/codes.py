"""Verification codes on their way: what a leased delivery's code derives from, and when it is handed over."""

from __future__ import annotations

from collections.abc import Iterable

from postroom_server.clock import Millis
from postroom_server.store.codes import CodeSeed
from postroom_server.store.models import Code
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
